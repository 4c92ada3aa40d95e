//! The layout of Hugging Face's cache.
//!
//! ```text
//! .locks/models--owner--name/<etag>.lock
//! models--owner--name/refs/main                    the commit that was the newest when last asked
//! models--owner--name/blobs/<etag>                 contents
//! models--owner--name/snapshots/<commit>/<file>    links to ../../blobs/<etag>
//! models--owner--name/.no_exist/<commit>/<file>    empty, for a file that the commit is known not to have
//! datasets--owner--name/...                        the same for a data set
//! datasets--owner--name/trees/<commit>.json        all files of a commit, where huggingface_hub asked for them
//! datasets--owner--name/listings/<commit>.json     the same where this crate did; no other tool knows of it
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{FetchError, Kind, download::incomplete, lock};

/// The folder of a repository in the cache.
pub(crate) struct RepositoryFolder {
    root: PathBuf,
    locks: PathBuf,
    /// A branch or tag, or a commit itself.
    revision: String,
}

impl RepositoryFolder {
    /// The folder of a repository whose name was checked, for a revision whose name was too.
    pub fn new(cache: &Path, kind: Kind, repository: &str, revision: &str) -> Self {
        let name = format!("{}--{}", kind.plural(), repository.replace('/', "--"));
        Self { root: cache.join(&name), locks: cache.join(".locks").join(name), revision: revision.to_owned() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    pub fn lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// Whether a commit is known not to have a file.
    pub fn is_absent(&self, commit: &str, file: &str) -> bool {
        self.absence(commit, file).is_file()
    }

    /// Notes that a commit does not have a file. If that fails, the Hub is asked again.
    pub fn note_absent(&self, commit: &str, file: &str) {
        let path = self.absence(commit, file);
        if let Some(folder) = path.parent().filter(|_| !path.exists()) {
            _ = fs::create_dir_all(folder).and_then(|()| gptune_files::write(&path, b""));
        }
    }

    fn absence(&self, commit: &str, file: &str) -> PathBuf {
        self.root.join(".no_exist").join(commit).join(file)
    }

    /// The newest snapshot of the revision that is known of.
    pub fn newest(&self) -> Option<PathBuf> {
        Some(self.snapshot(&self.commit()?)).filter(|snapshot| snapshot.is_dir())
    }

    /// The newest commit of the revision that is known of, whether or not anything of it is here.
    pub fn commit(&self) -> Option<String> {
        if is_commit(&self.revision) {
            return Some(self.revision.clone());
        }
        let commit = fs::read_to_string(self.root.join("refs").join(&self.revision)).ok()?;
        Some(commit.trim()).filter(|commit| is_commit(commit)).map(str::to_owned)
    }

    /// Makes the snapshot of `commit` the newest of the revision.
    pub fn set_newest(&self, commit: &str) -> Result<(), FetchError> {
        let path = self.root.join("refs").join(&self.revision);
        // What a commit's newest commit is needs no note.
        if is_commit(&self.revision) || fs::read_to_string(&path).is_ok_and(|newest| newest.trim() == commit) {
            return Ok(());
        }
        let at = FetchError::at(&path);
        let _lock = lock::acquire(&self.lock(&format!("refs-{}", self.revision.replace('/', "--"))), || {})?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(&at)?;
        }
        gptune_files::write(&path, commit.as_bytes()).map_err(&at)
    }

    /// All files that a commit has, whether or not they are here, if that was noted by this crate or `huggingface_hub`.
    pub fn listed(&self, commit: &str) -> Option<Vec<String>> {
        let read = |folder: &str| -> Option<Vec<String>> {
            let bytes = fs::read(self.root.join(folder).join(format!("{commit}.json"))).ok()?;
            match serde_json::from_slice::<Value>(&bytes).ok()?.get_mut("files")?.take() {
                Value::Array(files) => files.iter().map(|file| Some(file.as_str()?.to_owned())).collect(),
                Value::Object(files) => Some(files.into_iter().map(|(file, _)| file).collect()),
                _ => None,
            }
        };
        read("listings").or_else(|| read("trees"))
    }

    /// Notes which files a commit has. If that fails, the Hub is asked again.
    pub fn note_listed(&self, commit: &str, files: &[String]) {
        let path = self.root.join("listings").join(format!("{commit}.json"));
        if let Some(folder) = path.parent().filter(|_| !path.exists()) {
            let listing = json!({ "files": files }).to_string();
            _ = fs::create_dir_all(folder).and_then(|()| gptune_files::write(&path, listing.as_bytes()));
        }
    }

    /// Puts a blob into a snapshot: as a symbolic link, or where there are none, as a hard link or copy.
    pub fn link(&self, etag: &str, commit: &str, file: &str, symlinks: bool) -> Result<(), FetchError> {
        let pointer = self.snapshot(commit).join(file);
        let at = FetchError::at(&pointer);
        if let Some(folder) = pointer.parent() {
            fs::create_dir_all(folder).map_err(&at)?;
        }
        // Under another name first, so that what may be there is replaced in one step.
        let temporary = incomplete(&pointer);
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
            _ => {}
        }
        // Relative, so that the cache can be moved.
        let up = "../".repeat(2 + file.matches('/').count());
        let linked = if symlinks {
            symlink(&format!("{up}blobs/{etag}"), &temporary)
        } else {
            Err(io::ErrorKind::Unsupported.into())
        };
        let blob = self.blob(etag);
        linked
            .or_else(|_| fs::hard_link(&blob, &temporary))
            .or_else(|_| {
                fs::copy(&blob, &temporary)?;
                fs::File::options().write(true).open(&temporary)?.sync_all()
            })
            .map_err(FetchError::at(&temporary))?;
        fs::rename(&temporary, &pointer).map_err(at)
    }
}

/// The tag that the contents of a file in a snapshot have: the name of the blob that it is a link to. None if it is a
/// file of its own, as where there are no symbolic links.
pub(crate) fn tag_of(pointer: &Path) -> Option<String> {
    let blob = pointer.is_symlink().then(|| pointer.canonicalize().ok())??;
    let is_blob = blob.parent()?.ends_with("blobs");
    is_blob.then(|| Some(blob.file_name()?.to_str()?.to_owned()))?
}

/// Whether this can be the name of a commit.
pub(crate) fn is_commit(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target.replace('/', "\\"), link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &str, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
