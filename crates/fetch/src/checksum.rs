//! Checksums, as the Hub's `ETag` headers give them.

use std::{
    fmt::LowerHex,
    fs::File,
    io::{self, BufRead, BufReader, Seek},
};

use sha1::Sha1;
use sha2::{Digest, Sha256, digest::Output};

/// Whether a tag is a checksum that can be compared, and no mere name: SHA-256 or git's SHA-1, in hexadecimal.
pub(crate) fn is_checksum(tag: &str) -> bool {
    matches!(tag.len(), 40 | 64) && tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The checksum of a file in hexadecimal, of the kind that `etag` is: SHA-256 for large files, for
/// small ones the SHA-1 that git knows a file of this `length` by. None for a tag that is no checksum.
/// `on_bytes` is told now and then how many bytes were read.
pub(crate) fn checksum(
    etag: &str,
    file: &mut File,
    length: u64,
    on_bytes: &mut dyn FnMut(u64),
) -> io::Result<Option<String>> {
    if !is_checksum(etag) {
        return Ok(None);
    }
    if etag.len() == 64 {
        return sha256(file, on_bytes).map(Some);
    }
    file.rewind()?;
    digest(Sha1::new_with_prefix(format!("blob {length}\0")), file, on_bytes).map(Some)
}

/// The SHA-256 of a whole file in hexadecimal.
pub(crate) fn sha256(file: &mut File, on_bytes: &mut dyn FnMut(u64)) -> io::Result<String> {
    file.rewind()?;
    digest(Sha256::new(), file, on_bytes)
}

fn digest<D: Digest>(mut digest: D, file: &File, on_bytes: &mut dyn FnMut(u64)) -> io::Result<String>
where
    Output<D>: LowerHex,
{
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut read = 0;
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(format!("{:x}", digest.finalize()));
        }
        digest.update(bytes);
        let length = bytes.len();
        reader.consume(length);
        read += length as u64;
        on_bytes(read);
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
        let mut sum = |etag: String| checksum(&etag, &mut file, 16, &mut |bytes| assert_eq!(bytes, 16)).unwrap();
        // The example of the Pro Git book, and sha256sum.
        assert_eq!(sum("0".repeat(40)).unwrap(), "bd9dbf5aae1a3862dd1526723246b20206e5fc37");
        let sha256 = "af4e812d13b4eae6da91024f15f7679dae49d40aee3fb4c7216b56d04193f46c";
        assert_eq!(sum("0".repeat(64)).unwrap(), sha256);
        assert_eq!(sum("0".repeat(32)), None);
        assert_eq!(sum("z".repeat(40)), None);
    }
}
