//! Checksums, as the Hub's `ETag` headers give them.

use std::{
    fmt::LowerHex,
    fs::File,
    io::{self, BufRead, BufReader, Seek},
};

use sha1::Sha1;
use sha2::{Digest, Sha256, digest::Output};

/// The checksum of a file in hexadecimal, of the kind that `etag` is: SHA-256 for large files, for
/// small ones the SHA-1 that git knows a file of this `length` by. None for a tag that is no checksum.
pub(crate) fn checksum(etag: &str, file: &mut File, length: u64) -> io::Result<Option<String>> {
    if !etag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(None);
    }
    file.rewind()?;
    Ok(match etag.len() {
        64 => Some(digest(Sha256::new(), file)?),
        40 => Some(digest(Sha1::new_with_prefix(format!("blob {length}\0")), file)?),
        _ => None,
    })
}

fn digest<D: Digest>(mut digest: D, file: &File) -> io::Result<String>
where
    Output<D>: LowerHex,
{
    let mut reader = BufReader::with_capacity(1 << 20, file);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(format!("{:x}", digest.finalize()));
        }
        digest.update(bytes);
        let length = bytes.len();
        reader.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn kinds_follow_the_tag() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"what is up, doc?").unwrap();
        let mut sum = |etag: String| checksum(&etag, &mut file, 16).unwrap();
        // The example of the Pro Git book, and sha256sum.
        assert_eq!(sum("0".repeat(40)).unwrap(), "bd9dbf5aae1a3862dd1526723246b20206e5fc37");
        let sha256 = "af4e812d13b4eae6da91024f15f7679dae49d40aee3fb4c7216b56d04193f46c";
        assert_eq!(sum("0".repeat(64)).unwrap(), sha256);
        assert_eq!(sum("0".repeat(32)), None);
        assert_eq!(sum("z".repeat(40)), None);
    }
}
