//! Which files a repository has.

use std::{fs, path::Path};

use serde_json::Value;

use crate::cache::is_commit;

/// The files of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub(super) repository: String,
    /// None if it is of the cache, and not of the Hub.
    pub(super) commit: Option<String>,
    pub(super) files: Vec<String>,
}

impl Listing {
    /// Names of the files, with `/` between folders.
    #[must_use]
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Whether it is of the cache, because the Hub could not be asked: the repository may have more.
    #[must_use]
    pub fn is_of_cache(&self) -> bool {
        self.commit.is_none()
    }

    pub(super) fn parse(repository: &str, answer: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let commit = answer.get("sha")?.as_str().filter(|commit| is_commit(commit))?.to_owned();
        let files = answer.get("siblings")?.as_array()?.iter();
        let files = files.map(|file| Some(file.get("rfilename")?.as_str()?.to_owned())).collect::<Option<_>>()?;
        Some(Self { repository: repository.to_owned(), commit: Some(commit), files })
    }
}

/// The files in a folder and those within it, as paths with `/`.
pub(super) fn files_in(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = format!("{prefix}{name}");
            // A link to a folder could lead in circles, and the cache has none.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push((entry.path(), format!("{path}/")));
            } else if entry.path().is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
