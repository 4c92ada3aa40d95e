//! Downloads: models from the Hugging Face Hub into Hugging Face's own cache, and plain files.
//!
//! - [`Hub`]: repositories of models, in the cache that `huggingface_hub` and `transformers` share;
//! - [`fetch_files`]: files from a list of base addresses into a folder;
//! - [`gpt2_repository`], [`OpenAi`]: where GPT-2's released weights are.
//!
//! A file is received as `<name>.incomplete` next to where it belongs, is checked, and only then gets
//! its name. What a broken download has left is the beginning of the next one. Of several processes
//! that want the same file, one fetches it and the others wait.

mod cache;
mod checksum;
mod client;
mod download;
mod error;
mod gpt2;
mod hub;
mod lock;
mod plain;

pub use client::Patience;
pub use error::FetchError;
pub use gpt2::{GPT2_NAMES, OpenAi, gpt2_repository};
pub use hub::{Hub, Listing};
pub use plain::fetch_files;

/// How far the download of a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Bytes on disk, including those of an earlier, broken download. Fewer than before if the server
    /// could only begin again.
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
