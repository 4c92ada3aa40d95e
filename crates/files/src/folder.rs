//! Folders that are there when all that belongs into them is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{sync_folder_of, unfinished::Unfinished};

/// A folder that is being filled under a name of its own.
#[derive(Debug)]
pub struct NewFolder {
    temporary: Unfinished,
    path: PathBuf,
}

impl NewFolder {
    /// Starts a folder that will be `path`. An empty one may be there already; folders above it that are not there are
    /// made when it is committed.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        // In the folder itself if there is one: it may be a file system of its own.
        let above = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new(""));
        let ((), temporary) = Unfinished::create(above, |name| fs::create_dir(name))?;
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Starts a folder that will take the place of the one at `path`, if there is one, with [`NewFolder::replace`].
    ///
    /// # Errors
    ///
    /// What the operating system says, such as that there is no folder to put it into.
    pub fn create_beside(path: &Path) -> io::Result<Self> {
        let ((), temporary) = Unfinished::create(path.parent().unwrap_or(Path::new("")), |name| fs::create_dir(name))?;
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Takes the place of the folder that has the name, which is removed. Whenever the process ends meanwhile, one of the
    /// two is whole, and [`settle`] finds it. The files in it have to be synced already.
    ///
    /// # Errors
    ///
    /// What the operating system says; the old folder then is what it was.
    pub fn replace(self) -> io::Result<()> {
        take_place(self.temporary.path(), &self.path)
    }

    /// Where to put what belongs into it.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the folder, or what is in it, its name. The files in it have to be synced already, as
    /// [`NewFile`](crate::NewFile) does it.
    ///
    /// # Errors
    ///
    /// What the operating system says; then nothing is left that was not there before.
    pub fn commit(self) -> io::Result<()> {
        let temporary = self.temporary.path();
        if !self.path.is_dir() {
            let missing: Vec<&Path> = self
                .path
                .ancestors()
                .skip(1)
                .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
                .collect();
            let made = missing.iter().rev().try_for_each(fs::create_dir);
            if let Err(error) = made.and_then(|()| fs::rename(temporary, &self.path)) {
                // Those that are not empty were somebody else's.
                for folder in missing {
                    let _ = fs::remove_dir(folder);
                }
                return Err(error);
            }
            missing.iter().try_for_each(|folder| sync_folder_of(folder))?;
            return sync_folder_of(&self.path);
        }
        // Whoever put something there meanwhile keeps it, and it is not mixed with ours.
        let is_ours = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(".writing-");
        if fs::read_dir(&self.path)?.any(|entry| entry.is_ok_and(|entry| !is_ours(&entry.file_name()))) {
            return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, "something was put there meanwhile"));
        }
        let mut moved = Vec::new();
        for entry in fs::read_dir(temporary)? {
            let entry = entry?;
            let to = self.path.join(entry.file_name());
            if let Err(error) = fs::rename(entry.path(), &to) {
                for path in moved {
                    let _ = fs::remove_file(path);
                }
                return Err(error);
            }
            moved.push(to);
        }
        sync_folder_of(&self.path.join("."))
    }
}

/// Gives a folder the name of another, which is removed; as [`NewFolder::replace`].
///
/// # Errors
///
/// What the operating system says; the other folder then is what it was.
pub fn take_place(folder: &Path, of: &Path) -> io::Result<()> {
    let old = old_of(of);
    if old.exists() {
        fs::remove_dir_all(&old)?;
    }
    if of.exists() {
        fs::rename(of, &old)?;
    }
    if let Err(error) = fs::rename(folder, of) {
        settle(of)?;
        return Err(error);
    }
    sync_folder_of(of)?;
    if old.exists() { fs::remove_dir_all(&old) } else { Ok(()) }
}

/// What a folder is called while another one takes its place.
fn old_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-old");
    path.with_file_name(name)
}

/// Puts a folder back under its name if a process ended while another one took its place, and removes what is left of it
/// if that one has it already. Only for whoever has the folder for himself.
///
/// # Errors
///
/// What the operating system says.
pub fn settle(path: &Path) -> io::Result<()> {
    let old = old_of(path);
    match (path.exists(), old.exists()) {
        (false, true) => fs::rename(&old, path),
        (true, true) => fs::remove_dir_all(&old),
        (_, false) => Ok(()),
    }
}

/// Removes what processes that were killed were writing into a folder. Only for whoever has the folder for himself: what
/// others are writing is removed too.
///
/// # Errors
///
/// What the operating system says.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| is_unfinished(&name.to_string_lossy())) {
            if path.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
    }
    Ok(())
}

/// Whether a file or folder was being written: by us, or by the `safetensors` crate, which has the names of `tempfile`.
fn is_unfinished(name: &str) -> bool {
    let random = name.strip_prefix(".tmp");
    name.starts_with(".writing-") || random.is_some_and(|random| random.len() == 6 && random.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::names;

    #[test]
    fn a_folder_is_there_when_it_is_committed() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a/b");
        for commits in [false, true] {
            let folder = NewFolder::create(&path).unwrap();
            crate::write(&folder.path().join("file"), b"x").unwrap();
            assert!(!path.exists());
            if commits {
                folder.commit().unwrap();
            }
        }
        assert_eq!((names(&path), names(outer.path())), (vec!["file".to_owned()], vec!["a".to_owned()]));
    }

    #[test]
    fn what_was_put_there_meanwhile_is_not_mixed_with_ours() {
        let outer = tempfile::tempdir().unwrap();
        for is_there in [false, true] {
            let path = outer.path().join(format!("{is_there}"));
            if is_there {
                fs::create_dir(&path).unwrap();
            }
            let folder = NewFolder::create(&path).unwrap();
            crate::write(&folder.path().join("file"), b"x").unwrap();
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("stranger"), "x").unwrap();
            assert_eq!(folder.commit().unwrap_err().kind(), io::ErrorKind::DirectoryNotEmpty);
            assert_eq!(names(&path), ["stranger"]);
        }
    }

    #[test]
    fn an_empty_folder_is_filled() {
        let path = tempfile::tempdir().unwrap();
        let folder = NewFolder::create(path.path()).unwrap();
        crate::write(&folder.path().join("file"), b"x").unwrap();
        folder.commit().unwrap();
        assert_eq!(names(path.path()), ["file"]);
        drop(NewFolder::create(path.path()).unwrap());
        assert_eq!(names(path.path()), ["file"]);
    }

    #[test]
    fn a_folder_takes_the_place_of_another() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("state");
        for text in ["one", "two"] {
            let folder = NewFolder::create_beside(&path).unwrap();
            crate::write(&folder.path().join("file"), text.as_bytes()).unwrap();
            folder.replace().unwrap();
            assert_eq!(fs::read_to_string(path.join("file")).unwrap(), text);
            assert_eq!(names(outer.path()), ["state"]);
        }
        // Ended between the two renames.
        fs::rename(&path, outer.path().join("state-old")).unwrap();
        fs::create_dir(outer.path().join(".writing-1-2")).unwrap();
        fs::write(outer.path().join(".tmpO49Lz8"), "").unwrap();
        settle(&path).unwrap();
        sweep(outer.path()).unwrap();
        assert_eq!(names(outer.path()), ["state"]);
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "two");
        // Ended before the old one was gone.
        fs::create_dir(outer.path().join("state-old")).unwrap();
        settle(&path).unwrap();
        assert_eq!(names(outer.path()), ["state"]);
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "two");
        // One that is not finished leaves the old one.
        drop(NewFolder::create_beside(&path).unwrap());
        assert_eq!(names(outer.path()), ["state"]);
    }
}
