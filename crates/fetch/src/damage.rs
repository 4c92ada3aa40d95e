//! What a file that was downloaded may have become since.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek},
    path::PathBuf,
};

/// Why a file is not the one that was downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// It is longer or shorter.
    Length {
        /// Its bytes.
        found: u64,
        /// Bytes of the one that was downloaded.
        expected: u64,
    },
    /// Its checksum is another one, and it may have had another length too, which nothing tells.
    Checksum {
        /// Its bytes.
        found: u64,
    },
    /// It has no bytes.
    Empty,
    /// It is what Git leaves in place of a file that Git LFS has not fetched.
    Pointer,
    /// It is a page for people, such as a proxy or a login sends.
    WebPage,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, expected } => write!(f, "{found} bytes, should be {expected}"),
            Self::Checksum { found } => write!(f, "{found} bytes with another checksum than the file's"),
            Self::Empty => write!(f, "it is empty"),
            Self::Pointer => write!(f, "a Git LFS pointer, not the file"),
            Self::WebPage => write!(f, "a web page, not the file"),
        }
    }
}

/// A file that is not the one that was downloaded. Displayed as a clause: `PATH is damaged (WHY)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Its name in the repository or on the server.
    pub file: String,
    /// Where it is on this machine.
    pub path: PathBuf,
    /// Why it is not the one.
    pub damage: Damage,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged ({})", self.path.display(), self.damage)
    }
}

/// What a file looks like that came in place of another one: no model and no data begin so.
pub(crate) fn stand_in(file: &mut File) -> io::Result<Option<Damage>> {
    file.rewind()?;
    let mut head = Vec::new();
    file.by_ref().take(512).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    Ok(if head.starts_with("version https://git-lfs.github.com/spec/") {
        Some(Damage::Pointer)
    } else if head.starts_with("<!doctype html") || head.starts_with("<html") {
        Some(Damage::WebPage)
    } else {
        None
    })
}
