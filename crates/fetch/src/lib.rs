#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! - [`Hub`]: repositories of models and data sets, in the cache that `huggingface_hub`, `transformers` and `datasets`
//!   share;
//! - [`DataSetName`], [`DataSet`]: which files of a repository are the data;
//! - [`PlainFiles`]: files from a list of base addresses into a folder;
//! - [`Checks`]: which of these files were found to be what was downloaded;
//! - [`gpt2_repository`], [`OpenAi`]: where GPT-2's released weights are.
//!
//! A file is received as `<name>.incomplete` next to where it belongs, is checked, and only then gets
//! its name. What a broken download has left is the beginning of the next one. Of several processes
//! that want the same file, one fetches it and the others wait.
//!
//! A file that is there is checked again when it is used: against the name of its blob, which the Hub makes of the
//! contents, or against the record that was made when it was received.

mod cache;
mod checks;
mod checksum;
mod client;
mod damage;
mod data_set;
mod download;
mod error;
mod gpt2;
mod hub;
mod lock;
mod plain;
mod record;

pub use checks::Checks;
pub use client::Patience;
pub use damage::{Damage, Damaged};
pub use data_set::{DataSet, DataSetError, DataSetName};
pub use error::FetchError;
pub use gpt2::{GPT2_NAMES, OpenAi, gpt2_repository};
pub use hub::{Check, Hub, Kind, Listing};
pub use plain::PlainFiles;

/// What is being done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It comes from a server, here or in a process that is waited for.
    Receiving,
    /// It is on this machine, and is read for its checksum.
    Checking,
}

/// How far the download or the check of a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// What is being done with it.
    pub activity: Activity,
    /// When it is received, bytes on disk, including those of an earlier, broken download. Fewer than before if the
    /// server could only begin again. When it is checked, bytes that were read.
    pub bytes: u64,
    /// Bytes of the whole file, if the server says.
    pub total: Option<u64>,
}

/// Whether a path of `/`-separated names stays in its folder, on every system.
fn is_safe(path: &str) -> bool {
    let unsafe_character = |c: char| c.is_control() || ['\\', ':'].contains(&c);
    !path.contains(unsafe_character) && path.split('/').all(|name| !["", ".", ".."].contains(&name))
}

/// A path as it stands in an address.
fn percent_encode(path: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        for good in ["config.json", "onnx/model.onnx", "a b", "..a", "ü.txt"] {
            assert!(is_safe(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "a/../b", "..", "a//b", "a\\b", "C:x", "a\0", "./a", "a/"] {
            assert!(!is_safe(bad), "{bad}");
        }
        assert_eq!(percent_encode("a b/ü?#%.txt"), "a%20b/%C3%BC%3F%23%25.txt");
    }
}
