//! What is written down of a file whose server knows no checksum.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::checksum::{is_checksum, sha256};

/// Length and checksum of what was received, in `<name>.received` beside the file.
///
/// It is written before the file gets its name: if the program ends between the two, the file that is there is the old
/// one or none, and is fetched. A file that has no record came from an earlier version of this program, or from the
/// user. It is used if it can be what it should be, but no record is made of it: that would declare whatever is there
/// to be right. `anew` replaces it by one that has a record.
pub(crate) struct Record {
    pub bytes: u64,
    pub sha256: String,
}

impl Record {
    /// Where the record of a file is.
    pub fn path(target: &Path) -> PathBuf {
        target.with_added_extension("received")
    }

    /// The record of a file, if it has one that can be read.
    pub fn of(target: &Path) -> Option<Self> {
        let record: Value = serde_json::from_slice(&fs::read(Self::path(target)).ok()?).ok()?;
        let sha256 = record.get("sha256")?.as_str().filter(|sum| is_checksum(sum))?.to_owned();
        Some(Self { bytes: record.get("bytes")?.as_u64()?, sha256 })
    }

    /// Reads a file that was received and is going to be `target`.
    pub fn write(file: &mut File, target: &Path, on_bytes: &mut dyn FnMut(u64)) -> io::Result<()> {
        let record = json!({ "bytes": file.metadata()?.len(), "sha256": sha256(file, on_bytes)? });
        gptune_files::write(&Self::path(target), format!("{record}\n").as_bytes())
    }
}
