#![doc = include_str!("../README.md")]
//!
//! # In short
//!
//! [`NewFile`] is a file that is being written, [`write()`] writes a whole one, and [`NewFolder`] is the same for a folder.
//! A program that a signal ends calls [`abandon`]; one that begins where another was killed, [`settle`] and [`sweep`].

mod folder;
mod unfinished;

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

pub use folder::{NewFolder, settle, sweep, take_place};
pub use unfinished::abandon;

use unfinished::Unfinished;

/// A file that is being written under a name of its own, beside the one that it is going to have.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    temporary: Unfinished,
    path: PathBuf,
}

impl NewFile {
    /// Starts a file that will be `path`. Its mode is the one that the umask gives to a new file.
    ///
    /// # Errors
    ///
    /// What the operating system says, such as that there is no such folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        // A link stays one, and leads to the new contents.
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no ordinary file"));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let (file, temporary) =
            Unfinished::create(folder, |name| File::options().read(true).write(true).create_new(true).open(name))?;
        Ok(Self { file, temporary, path: path.to_owned() })
    }

    /// Its name until it is committed, for writers that open files themselves.
    #[must_use]
    pub fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Syncs the file, gives it its name, replacing what had that, and syncs the folder.
    ///
    /// # Errors
    ///
    /// What the operating system says. The file under the final name is then what it was, unless only the folder could
    /// not be synced.
    pub fn commit(self) -> io::Result<()> {
        // Opened anew, because a writer that was given the name may have replaced the file.
        let written = File::options().write(true).open(self.temporary())?;
        written.set_permissions(self.file.metadata()?.permissions())?;
        written.sync_all()?;
        fs::rename(self.temporary(), &self.path)?;
        sync_folder_of(&self.path)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Writes a whole file.
///
/// # Errors
///
/// As [`NewFile::create`] and [`NewFile::commit`]; nothing is left behind then.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = NewFile::create(path)?;
    file.write_all(contents)?;
    file.commit()
}

/// Makes names in the folder of `path` outlive a power failure, where the system has a way to.
///
/// # Errors
///
/// What the operating system says.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match File::open(folder)?.sync_all() {
            // Some file systems of networks cannot, and the file itself is there.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            result => result,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in a folder, in order.
    pub(crate) fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_not_committed_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"old").unwrap();
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!((fs::read(&path).unwrap(), names(folder.path())), (b"old".to_vec(), vec!["a".to_owned()]));
        write(&path, b"new").unwrap();
        assert_eq!((fs::read(&path).unwrap(), names(folder.path())), (b"new".to_vec(), vec!["a".to_owned()]));
    }

    #[test]
    fn writers_of_one_name_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let (mut one, mut other) = (NewFile::create(&path).unwrap(), NewFile::create(&path).unwrap());
        one.write_all(b"one").unwrap();
        other.write_all(b"other").unwrap();
        one.commit().unwrap();
        other.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"other");
    }

    #[test]
    fn a_writer_may_replace_the_file_that_it_is_given_the_name_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let file = NewFile::create(&path).unwrap();
        fs::remove_file(file.temporary()).unwrap();
        fs::write(file.temporary(), "replaced").unwrap();
        let mode = file.file.metadata().unwrap().permissions();
        #[cfg(unix)]
        fs::set_permissions(file.temporary(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"replaced");
        assert_eq!(fs::metadata(&path).unwrap().permissions(), mode, "it is as readable as any other");
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_to_the_new_contents_and_devices_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        write(&path, b"old").unwrap();
        std::os::unix::fs::symlink("a", &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let error = write(Path::new("/dev/null"), b"x").unwrap_err();
        assert_eq!(error.to_string(), "it is no ordinary file");
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(&folder.path().join("b/a"), b"x").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_is_that_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        fs::write(folder.path().join("plain"), "x").unwrap();
        write(&folder.path().join("ours"), b"x").unwrap();
        assert_eq!(mode("ours"), mode("plain"));
    }
}
