//! `LevelDB`'s tables, in which TensorFlow keeps the index of a bundle.
//!
//! A table is a sequence of blocks and a footer. A block holds records whose keys are sorted and
//! share their beginnings, and is followed by its compression and its checksum. The footer gives the
//! place of the index block, whose values are the places of the blocks with the records.

use std::{borrow::Cow, ops::Range, path::Path};

use super::BundleError;

const FOOTER: usize = 48;
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
/// One byte of compression and four of checksum.
const TRAILER: usize = 5;
/// The most that Snappy makes of a byte, rounded up: three bytes stand for at most 64.
const MAX_EXPANSION: usize = 22;

/// A checksum as TensorFlow and `LevelDB` store it: made different from a CRC32C of the same bytes, so
/// that bytes that hold checksums can have one.
pub(super) fn unmask(crc: u32) -> u32 {
    crc.wrapping_sub(0xa282_ead8).rotate_left(15)
}

pub(super) struct Table<'a> {
    path: &'a Path,
    bytes: &'a [u8],
}

impl<'a> Table<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        Self { path, bytes }
    }

    pub(super) fn damaged(&self, offset: usize, problem: &str) -> BundleError {
        BundleError::Damaged { path: self.path.to_owned(), offset, problem: problem.to_owned() }
    }

    pub(super) fn unsupported(&self, problem: &str) -> BundleError {
        BundleError::Unsupported { path: self.path.to_owned(), problem: problem.to_owned() }
    }

    /// Calls `visit` with every record: the place of its block, its key and its value.
    pub(super) fn for_each(
        &self,
        mut visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), BundleError>,
    ) -> Result<(), BundleError> {
        let index = self.index().ok_or_else(|| BundleError::NotAnIndex { path: self.path.to_owned() })?;
        let mut end = 0;
        self.walk(index, |offset, _, mut value| {
            let block = handle(&mut value).ok_or_else(|| self.damaged(offset, "a block has no place"))?;
            // Or a small file could ask for the same bytes any number of times.
            if block.start < end {
                return Err(self.damaged(offset, "two blocks overlap"));
            }
            end = block.end;
            self.walk(block, &mut visit)
        })
    }

    /// The place of the index block, if there is a footer.
    fn index(&self) -> Option<Range<usize>> {
        let (mut handles, magic) = self.bytes.last_chunk::<FOOTER>()?.split_last_chunk::<8>()?;
        if u64::from_le_bytes(*magic) != MAGIC {
            return None;
        }
        let _filters = handle(&mut handles)?;
        handle(&mut handles)
    }

    fn walk(
        &self,
        place: Range<usize>,
        mut visit: impl FnMut(usize, &[u8], &[u8]) -> Result<(), BundleError>,
    ) -> Result<(), BundleError> {
        let offset = place.start;
        let block = self.block(place)?;
        let mut rest = records(&block).ok_or_else(|| self.damaged(offset, "it is too short"))?;
        let mut key = Vec::new();
        while !rest.is_empty() {
            let value = record(&mut rest, &mut key).ok_or_else(|| self.damaged(offset, "a record is cut"))?;
            visit(offset, &key, value)?;
        }
        Ok(())
    }

    /// The content of a block, checked and decompressed.
    fn block(&self, place: Range<usize>) -> Result<Cow<'a, [u8]>, BundleError> {
        let offset = place.start;
        let bytes = place.end.checked_add(TRAILER).and_then(|end| self.bytes.get(offset..end));
        let (checked, crc) = bytes
            .and_then(|bytes| bytes.split_last_chunk::<4>())
            .ok_or_else(|| self.damaged(offset, "it runs past the end of the file"))?;
        if crc32c::crc32c(checked) != unmask(u32::from_le_bytes(*crc)) {
            return Err(self.damaged(offset, "its checksum does not match"));
        }
        match checked.split_last() {
            Some((0, content)) => Ok(Cow::Borrowed(content)),
            Some((1, content)) => {
                let snappy = |error| self.damaged(offset, &format!("it cannot be decompressed ({error})"));
                let length = snap::raw::decompress_len(content).map_err(snappy)?;
                if length / MAX_EXPANSION > content.len() {
                    return Err(self.damaged(offset, "it claims to expand more than Snappy can"));
                }
                snap::raw::Decoder::new().decompress_vec(content).map(Cow::Owned).map_err(snappy)
            }
            _ => Err(self.damaged(offset, "its compression is neither none nor Snappy")),
        }
    }
}

/// `LevelDB`'s variable-length integers are those of protobuf.
fn varint(bytes: &mut &[u8]) -> Option<usize> {
    prost::decode_length_delimiter(bytes).ok()
}

/// The place of a block, without its trailer.
fn handle(bytes: &mut &[u8]) -> Option<Range<usize>> {
    let (offset, size) = (varint(bytes)?, varint(bytes)?);
    Some(offset..offset.checked_add(size)?)
}

/// A block without the array at its end of the places where keys start anew, which serves to search.
fn records(block: &[u8]) -> Option<&[u8]> {
    let (rest, count) = block.split_last_chunk::<4>()?;
    let restarts = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(4)?;
    rest.get(..rest.len().checked_sub(restarts)?)
}

/// Takes a record off `rest` and gives its value; `key` goes from the key before it to its own.
fn record<'a>(rest: &mut &'a [u8], key: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (shared, own, value) = (varint(rest)?, varint(rest)?, varint(rest)?);
    if shared > key.len() {
        return None;
    }
    key.truncate(shared);
    key.extend_from_slice(rest.split_off(..own)?);
    rest.split_off(..value)
}
