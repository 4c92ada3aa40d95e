//! A position in the bytes of a file.

use std::path::Path;

use super::PickleError;

pub(super) struct Cursor<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at byte `at` of a file and stops where `bytes` ends.
    pub(super) fn new(path: &'a Path, bytes: &'a [u8], at: usize) -> Self {
        Self { path, bytes, at }
    }

    /// Offset of the next byte in the file.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn path(&self) -> &'a Path {
        self.path
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..length) else {
            return Err(self.damaged(format!("{length} bytes are due, and {} are left", rest.len())));
        };
        self.at += length;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        // Taken as a slice of just that length.
        self.take(N).map(|taken| *taken.first_chunk().expect("N bytes"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, PickleError> {
        self.array().map(|[byte]| byte)
    }

    /// What follows a length of `N` bytes.
    pub(super) fn prefixed<const N: usize>(&mut self) -> Result<&'a [u8], PickleError> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(&self.array::<N>()?);
        // A length beyond `usize` is beyond the file too.
        self.take(usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX))
    }

    /// Up to the next line feed, which is passed over.
    pub(super) fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.damaged("a name has no end"));
        };
        self.at += length + 1;
        Ok(&rest[..length])
    }

    pub(super) fn damaged(&self, problem: impl Into<String>) -> PickleError {
        PickleError::Damaged { path: self.path.to_owned(), offset: self.at, problem: problem.into() }
    }
}
