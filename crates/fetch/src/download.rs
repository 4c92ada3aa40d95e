//! One file: received, continued, checked, named.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use ureq::http::Uri;

use super::{
    Activity::{Checking, Receiving},
    FetchError,
    checksum::checksum,
    client::{Client, Reply, host, shown},
    damage::stand_in,
    record::Record,
};

/// Told how many bytes were received or checked, and of how many if that is known.
pub(crate) type OnBytes<'a> = &'a mut dyn FnMut(super::Activity, u64, Option<u64>);

/// A file on a server.
pub(crate) struct Source<'a> {
    pub url: &'a str,
    /// Length in bytes, if it is known beforehand.
    pub size: Option<u64>,
    /// What the server identifies its contents by. Without, a record is made of what was received.
    pub etag: Option<&'a str>,
}

/// Where a file that will be `target` is received.
pub(crate) fn incomplete(target: &Path) -> PathBuf {
    target.with_added_extension("incomplete")
}

/// Removes what an earlier attempt left.
pub(crate) fn forget(target: &Path) -> Result<(), FetchError> {
    let path = incomplete(target);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FetchError::at(&path)(error)),
        _ => Ok(()),
    }
}

/// How much of a file there is as long as it is being received.
pub(crate) fn received(target: &Path) -> u64 {
    incomplete(target).metadata().map_or(0, |file| file.len())
}

/// Fetches a file to `target`, which appears when it is complete. What an earlier attempt left is
/// continued. The caller sees to it that nobody else does the same.
pub(crate) fn download(client: &Client, source: &Source, target: &Path, on_bytes: OnBytes) -> Result<(), FetchError> {
    let path = incomplete(target);
    let at = FetchError::at(&path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(FetchError::at(folder))?;
    }
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(&at)?;
    let found = file.seek(SeekFrom::End(0)).map_err(&at)?;
    let mut partial = Partial { file, path: &path, length: found };
    let mut result = partial.complete(client, source, on_bytes);
    if found > 0 && matches!(result, Err(FetchError::Checksum { .. } | FetchError::Size { .. })) {
        // What was found may be another program's, or of a file that has changed since.
        partial.truncate()?;
        result = partial.complete(client, source, on_bytes);
    }
    let is_worthless = matches!(result, Err(FetchError::Checksum { .. } | FetchError::Size { .. }));
    if is_worthless || (result.is_err() && partial.length == 0) {
        fs::remove_file(&path).map_err(&at)?;
    }
    result?;
    if source.etag.is_none() {
        let length = partial.length;
        let mut on_bytes = |bytes| on_bytes(Checking, bytes, Some(length));
        Record::write(&mut partial.file, target, &mut on_bytes).map_err(FetchError::at(&Record::path(target)))?;
    }
    partial.file.sync_all().map_err(&at)?;
    drop(partial);
    fs::rename(&path, target).and_then(|()| gptune_files::sync_folder_of(target)).map_err(FetchError::at(target))
}

/// A file that is being received.
struct Partial<'a> {
    file: File,
    path: &'a Path,
    length: u64,
}

impl Partial<'_> {
    /// Receives what is missing, over as many connections as it takes, and checks the whole.
    fn complete(&mut self, client: &Client, source: &Source, on_bytes: OnBytes) -> Result<(), FetchError> {
        let mut furthest = self.length;
        client.patience.retry(|further| {
            let result = self.receive(client, source, on_bytes);
            *further = self.length > furthest;
            furthest = furthest.max(self.length);
            result
        })?;
        let Some(etag) = source.etag else { return self.check_looks(source) };
        let length = self.length;
        let mut on_bytes = |bytes| on_bytes(Checking, bytes, Some(length));
        let actual = checksum(etag, &mut self.file, length, &mut on_bytes).map_err(FetchError::at(self.path))?;
        match actual {
            Some(actual) if actual != etag => Err(FetchError::Checksum {
                path: self.path.to_owned(),
                url: source.url.to_owned(),
                expected: etag.to_owned(),
                actual,
            }),
            _ => Ok(()),
        }
    }

    /// Refuses what no file is that anybody asks for by its address.
    fn check_looks(&mut self, source: &Source) -> Result<(), FetchError> {
        match stand_in(&mut self.file).map_err(FetchError::at(self.path))? {
            Some(damage) => {
                self.truncate()?;
                Err(FetchError::Answer { url: source.url.to_owned(), problem: format!("it is {damage}") })
            }
            None => Ok(()),
        }
    }

    /// Receives over one connection.
    fn receive(&mut self, client: &Client, source: &Source, on_bytes: OnBytes) -> Result<(), FetchError> {
        if source.size.is_some_and(|size| self.length > size) {
            self.truncate()?;
        }
        let missing = if source.size == Some(self.length) { None } else { self.request(client, source)? };
        let Some((reply, size)) = missing else {
            on_bytes(Receiving, self.length, Some(self.length));
            return Ok(());
        };
        on_bytes(Receiving, self.length, size);
        let Reply { response, uri } = reply;
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = body.read(&mut buffer).map_err(|error| client.fault(&uri, error.into()))?;
            if count == 0 {
                break;
            }
            self.file.write_all(&buffer[..count]).map_err(FetchError::at(self.path))?;
            self.length += count as u64;
            if let Some(size) = size.filter(|&size| self.length > size) {
                return Err(self.wrong_size(source, size, self.length));
            }
            on_bytes(Receiving, self.length, size);
        }
        match size {
            Some(size) if self.length < size => {
                Err(broken(&uri, format!("it ended after {} of {size} bytes", self.length)))
            }
            _ => Ok(()),
        }
    }

    /// Asks for what is missing. The answer's body is to be appended, and makes a file of the length
    /// that is returned with it, if that is known. None if nothing is missing.
    fn request(&mut self, client: &Client, source: &Source) -> Result<Option<(Reply, Option<u64>)>, FetchError> {
        let reply = client.get(source.url, self.length)?;
        let range = reply.header("content-range").and_then(content_range);
        if reply.status() == 416 && self.length > 0 {
            if range == Some((None, Some(self.length))) {
                return Ok(None);
            }
            self.truncate()?;
            return Err(broken(&reply.uri, "it has less than before".to_owned()));
        }
        let reply = reply.check()?;
        let continues = reply.status() == 206;
        let announced = if continues { range.and_then(|(_, total)| total) } else { reply.number("content-length") };
        if let (Some(expected), Some(actual)) = (source.size, announced)
            && expected != actual
        {
            return Err(self.wrong_size(source, expected, actual));
        }
        if source.etag.is_none() && reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            return Err(FetchError::Answer { url: shown(&reply.uri), problem: "it is a web page".to_owned() });
        }
        if !continues {
            // The server begins again, whether it was asked to or not.
            self.truncate()?;
        } else if range.is_none_or(|(start, _)| start != Some(self.length)) {
            self.truncate()?;
            return Err(broken(&reply.uri, "it sent another part than was asked for".to_owned()));
        }
        Ok(Some((reply, source.size.or(announced))))
    }

    fn truncate(&mut self) -> Result<(), FetchError> {
        if self.length > 0 {
            self.file.set_len(0).map_err(FetchError::at(self.path))?;
        }
        self.file.rewind().map_err(FetchError::at(self.path))?;
        self.length = 0;
        Ok(())
    }

    fn wrong_size(&self, source: &Source, expected: u64, actual: u64) -> FetchError {
        FetchError::Size { path: self.path.to_owned(), url: source.url.to_owned(), expected, actual }
    }
}

fn broken(uri: &Uri, problem: String) -> FetchError {
    FetchError::Broken { host: host(uri), problem }
}

/// First byte and total length in a `Content-Range` header: `bytes 5-9/10`, `bytes 5-9/*`, `bytes */10`.
fn content_range(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
    Some((start, total.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(content_range("bytes 5-9/10"), Some((Some(5), Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((Some(5), None)));
        assert_eq!(content_range("bytes */10"), Some((None, Some(10))));
        assert_eq!(content_range("items 5-9/10"), None);
        assert_eq!(content_range("bytes 5"), None);
    }
}
