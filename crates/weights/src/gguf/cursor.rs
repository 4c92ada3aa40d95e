use std::path::Path;

use super::GgufError;

/// A place in the bytes of a file. Whatever is read is checked against their end.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8], at: usize) -> Self {
        Self { path, bytes, at }
    }

    /// Bytes from the start of the file.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length and as many bytes of text.
    pub(super) fn string(&mut self) -> Result<&'a str, GgufError> {
        let start = self.at;
        let length = self.u64()?;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        str::from_utf8(bytes).map_err(|_| self.damaged(start, "a text is not UTF-8"))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let start = self.at;
        self.take(N)?.try_into().map_err(|_| self.ended(start))
    }

    pub(super) fn damaged(&self, offset: usize, problem: impl Into<String>) -> GgufError {
        GgufError::Damaged { path: self.path.to_owned(), offset, problem: problem.into() }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], GgufError> {
        let (start, end) = (self.at, self.at.checked_add(length));
        let bytes = end.and_then(|end| self.bytes.get(start..end)).ok_or_else(|| self.ended(start))?;
        self.at += length;
        Ok(bytes)
    }

    fn ended(&self, offset: usize) -> GgufError {
        self.damaged(offset, "what starts here goes beyond the end of the file")
    }
}
