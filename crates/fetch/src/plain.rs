//! Files that are not of the Hub.

use std::{
    fs::{self, File},
    path::Path,
};

use super::{
    Activity::{Checking, Receiving},
    Checks, Damage, Damaged, FetchError, Patience, Progress,
    client::Client,
    damage::stand_in,
    download::{OnBytes, Source, download, forget, received},
    is_safe, lock, percent_encode,
    record::Record,
};

/// Files of servers that know no checksums, and a folder for them.
///
/// Each is looked for at `<base>/<name>`, for one base after the other, beginning with the one that had the file
/// before. Its length is checked, as far as the server says it, and its checksum is written down in `<name>.received`:
/// what is there later is checked against that. A download that broke is continued, so the files have to be ones that
/// do not change.
#[derive(Debug, Clone, Copy)]
pub struct PlainFiles<'a> {
    /// Addresses of folders that have the files.
    pub bases: &'a [&'a str],
    /// Names of the files.
    pub names: &'a [&'a str],
    /// The folder on this machine, which is made if need be.
    pub folder: &'a Path,
    /// Which files were checked already.
    pub checks: &'a Checks,
    /// How long to wait for a server.
    pub patience: Patience,
}

impl PlainFiles<'_> {
    /// The files that are there and are not what was received. Those that are not there are no damage. One that has
    /// no record is damaged if it is empty, a Git LFS pointer or a web page.
    ///
    /// # Errors
    ///
    /// [`FetchError::Read`].
    pub fn check(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<Damaged>, FetchError> {
        let mut damaged = Vec::new();
        for file in self.names {
            let path = self.folder.join(file);
            let mut on_bytes = |activity, bytes, total| progress(Progress { file, activity, bytes, total });
            if path.is_file()
                && let Some(damage) = self.damage(&path, &mut on_bytes)?
            {
                damaged.push(Damaged { file: (*file).to_owned(), path, damage });
            }
        }
        Ok(damaged)
    }

    /// Fetches the files that are not there or are damaged, or all of them `anew`.
    ///
    /// # Errors
    ///
    /// [`FetchError`]; what was received is kept and used by the next attempt, and a file that is to be replaced is
    /// there until then.
    pub fn fetch(&self, anew: bool, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), FetchError> {
        if let Some(name) = self.names.iter().find(|name| !is_safe(name)) {
            return Err(FetchError::FileName { name: (*name).to_owned() });
        }
        let client = Client::new(self.patience);
        let mut bases = self.bases.to_vec();
        for file in self.names {
            let target = self.folder.join(file);
            let mut on_bytes = |activity, bytes, total| progress(Progress { file, activity, bytes, total });
            if !anew && target.is_file() && self.damage(&target, &mut on_bytes)?.is_none() {
                continue;
            }
            let lock_path = target.with_added_extension("lock");
            let _lock = lock::acquire(&lock_path, || on_bytes(Receiving, received(&target), None))?;
            // Another process may have brought it.
            let damage = if anew || !target.is_file() { None } else { self.damage(&target, &mut on_bytes)? };
            if anew || damage.is_some() || !target.is_file() {
                if anew {
                    forget(&target)?;
                }
                let result = fetch_file(&client, &mut bases, file, &target, &mut on_bytes);
                result.map_err(|problem| match damage {
                    Some(damage) => {
                        let damaged = Damaged { file: (*file).to_owned(), path: target.clone(), damage };
                        FetchError::Damaged { damaged, problem: problem.into() }
                    }
                    None => problem,
                })?;
                if let Some(record) = Record::of(&target) {
                    self.checks.passed(&target, &record.sha256);
                }
            }
            // Who waited for it finds the file. If this fails there is nothing lost.
            _ = fs::remove_file(&lock_path);
        }
        Ok(())
    }

    /// What is wrong with a file that is there.
    fn damage(&self, path: &Path, on_bytes: OnBytes) -> Result<Option<Damage>, FetchError> {
        let looks = || {
            let mut file = File::open(path)?;
            if file.metadata()?.len() == 0 {
                return Ok(Some(Damage::Empty));
            }
            stand_in(&mut file)
        };
        let damage = match Record::of(path) {
            Some(Record { bytes, sha256 }) => {
                let mut on_bytes = |bytes, total| on_bytes(Checking, bytes, Some(total));
                self.checks.damage(path, &sha256, Some(bytes), &mut on_bytes)
            }
            None => looks(),
        };
        damage.map_err(|source| FetchError::Read { path: path.to_owned(), source })
    }
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
