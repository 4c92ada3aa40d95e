//! One download of a file at a time, among all processes.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::Path,
    thread,
    time::Duration,
};

use super::FetchError;

/// How often a process looks whether another one has finished.
const POLL: Duration = Duration::from_millis(100);

/// Locks the file at `path`, which is made if need be, and calls `waiting` now and then as long as
/// another process has it. Dropping the file, or the end of the process, however it ends, unlocks it.
pub(crate) fn acquire(path: &Path, mut waiting: impl FnMut()) -> Result<File, FetchError> {
    let at = FetchError::at(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(FetchError::at(folder))?;
    }
    loop {
        // Opened each time, because who has it may remove it.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(&at)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // Some network file systems know no locks. A clash there is caught by the checksum.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(at(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        waiting();
        thread::sleep(POLL);
    }
}
