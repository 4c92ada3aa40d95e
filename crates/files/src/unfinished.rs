//! What is being written at the moment.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Told apart within a process by this number, and between processes by theirs.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// All of it in this process.
static ALL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn all() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // A set of paths is whole whatever a thread that held it did.
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file or folder under a name of its own, which is removed with the value.
#[derive(Debug)]
pub(crate) struct Unfinished(PathBuf);

impl Unfinished {
    /// Has `make` create something in `folder` under a name that nothing has yet.
    pub(crate) fn create<T>(folder: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(T, Self)> {
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".writing-{}-{number}", process::id()));
            let mut all = all();
            match make(&path) {
                Ok(made) => {
                    all.insert(path.clone());
                    return Ok((made, Self(path)));
                }
                // Left by a process of the same number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        remove(&self.0);
        all().remove(&self.0);
    }
}

/// Removes what was not renamed; whether that succeeds changes nothing for anybody.
fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Removes whatever this process is writing and has not committed, and lets it begin nothing new: for a program that is
/// about to end because of a signal.
pub fn abandon() {
    for _ in 0..50 {
        let all = ALL.try_lock().or_else(|error| match error {
            TryLockError::Poisoned(all) => Ok(all.into_inner()),
            TryLockError::WouldBlock => Err(()),
        });
        match all {
            Ok(all) => {
                all.iter().for_each(|path| remove(path));
                // Whoever would write on waits for the end of the process.
                return std::mem::forget(all);
            }
            // Perhaps by whoever called this, in the middle of an allocation that failed.
            Err(()) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
