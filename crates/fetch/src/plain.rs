//! Files that are not of the Hub.

use std::{fs, path::Path};

use super::{
    FetchError, Patience, Progress,
    client::Client,
    download::{OnBytes, Source, download, received},
    is_safe, lock, percent_encode,
};

/// Fetches files into `folder`, which is made if need be. Each is looked for at `<base>/<name>`, for
/// one base after the other, beginning with the one that had the file before. What is there under its
/// name is complete and left alone.
///
/// Only the length is checked, because plain servers know no checksums; and a download that broke is
/// continued, so the files have to be ones that do not change.
///
/// # Errors
///
/// [`FetchError`]; what was received is kept and used by the next attempt.
pub fn fetch_files(
    bases: &[&str],
    names: &[&str],
    folder: &Path,
    patience: Patience,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), FetchError> {
    if let Some(name) = names.iter().find(|name| !is_safe(name)) {
        return Err(FetchError::FileName { name: (*name).to_owned() });
    }
    let client = Client::new(patience);
    let mut bases = bases.to_vec();
    for file in names {
        let target = folder.join(file);
        if target.is_file() {
            continue;
        }
        let mut on_bytes = |bytes, total| progress(Progress { file, bytes, total });
        let lock_path = target.with_added_extension("lock");
        let _lock = lock::acquire(&lock_path, || on_bytes(received(&target), None))?;
        if !target.is_file() {
            fetch_file(&client, &mut bases, file, &target, &mut on_bytes)?;
        }
        // Who waited for it finds the file. If this fails there is nothing lost.
        _ = fs::remove_file(&lock_path);
    }
    Ok(())
}

/// Fetches a file from the first base that has it, and moves that to the front.
fn fetch_file(
    client: &Client,
    bases: &mut [&str],
    file: &str,
    target: &Path,
    on_bytes: OnBytes,
) -> Result<(), FetchError> {
    let mut problems = Vec::new();
    for (index, base) in bases.iter().enumerate() {
        let url = format!("{}/{}", base.trim_end_matches('/'), percent_encode(file));
        match download(client, &Source { url: &url, size: None, etag: None }, target, on_bytes) {
            Ok(()) => {
                bases[..=index].rotate_right(1);
                return Ok(());
            }
            Err(error @ (FetchError::Write { .. } | FetchError::DiskFull { .. })) => return Err(error),
            Err(error) => problems.push(error),
        }
    }
    if problems.len() == 1 {
        return Err(problems.remove(0));
    }
    let problems = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; and ");
    Err(FetchError::NoSource { name: file.to_owned(), problems })
}
