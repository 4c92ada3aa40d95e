//! Text of a stream, as much of it as is needed at a time.

use super::{foreign, input::Input};
use crate::DataError;

/// Bytes that are read at a time. As much of the records is parsed at a time. The tests of the crate have borders everywhere.
pub(super) const BLOCK: usize = if cfg!(test) { 61 } else { 4 << 20 };

/// Bytes that a record may have.
pub(super) const LONGEST: usize = 64 << 20;

/// Records that are given at a time.
pub(super) const MANY: usize = 8192;

/// A window on the text of a file.
pub(super) struct Text {
    pub input: Input,
    buffer: Vec<u8>,
    /// What of the buffer was used.
    start: usize,
    /// What of the buffer is known to be UTF-8.
    checked: usize,
    ended: bool,
    /// Where the buffer's unused part starts in the file: bytes, the line from 1, and bytes of that line before it.
    offset: u64,
    line: usize,
    column: usize,
}

impl Text {
    /// The start of a text, unless it is none.
    pub fn open(input: Input) -> Result<Self, DataError> {
        let (buffer, start, checked) = (Vec::new(), 0, 0);
        let mut text = Self { input, buffer, start, checked, ended: false, offset: 0, line: 1, column: 0 };
        text.fill(BLOCK)?;
        // Within a compressed file the same.
        if let Some(kind) = foreign::kind(&text.buffer, text.input.packing, &text.input.origin) {
            return Err(DataError::NotText { origin: text.input.origin, kind });
        }
        if text.buffer.starts_with(b"\xef\xbb\xbf") {
            text.buffer.drain(..3);
        }
        text.check()?;
        if let Some(kind) = foreign::page(&text.buffer) {
            return Err(DataError::NotText { origin: text.input.origin, kind });
        }
        Ok(text)
    }

    pub fn origin(&self) -> &str {
        &self.input.origin
    }

    /// What was read and not used.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Whether the file has no more than the rest.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Makes the rest longer, or ends.
    pub fn more(&mut self) -> Result<(), DataError> {
        self.buffer.drain(..self.start);
        self.checked -= self.start;
        self.start = 0;
        self.fill(BLOCK)?;
        self.check()
    }

    fn fill(&mut self, count: usize) -> Result<(), DataError> {
        self.ended = self.input.read(count, &mut self.buffer)? < count;
        Ok(())
    }

    /// Refuses what is no UTF-8. A character that the block cuts is looked at with the next.
    fn check(&mut self) -> Result<(), DataError> {
        let Err(error) = std::str::from_utf8(&self.buffer[self.checked..]) else {
            self.checked = self.buffer.len();
            return Ok(());
        };
        self.checked += error.valid_up_to();
        if error.error_len().is_none() && !self.ended {
            return Ok(());
        }
        let (line, _) = self.position(self.checked - self.start);
        let at = self.offset + (self.checked - self.start) as u64;
        Err(DataError::NotText { origin: self.input.origin.clone(), kind: foreign::not_utf8(at, line) })
    }

    /// Leaves the first bytes of the rest behind.
    pub fn consume(&mut self, count: usize) {
        (self.line, self.column) = self.position(count);
        self.offset += count as u64;
        self.start += count;
    }

    /// The line, counting from 1, of a place in the rest, and the bytes before it on that line.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.rest()[..at];
        let lines = memchr::memchr_iter(b'\n', before).count();
        match memchr::memrchr(b'\n', before) {
            Some(last) => (self.line + lines, at - last - 1),
            None => (self.line, self.column + at),
        }
    }

    /// The first byte that is no blank, and its place in the rest; none in a file of blanks.
    pub fn first(&mut self) -> Result<Option<(usize, u8)>, DataError> {
        loop {
            match self.rest().iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(at) => return Ok(Some((at, self.rest()[at]))),
                None if self.ended => return Ok(None),
                None => {
                    self.consume(self.rest().len());
                    self.more()?;
                }
            }
        }
    }

    /// That a record of the rest is longer than what is kept.
    pub fn too_long(&self, index: usize, at: usize) -> DataError {
        let blank = self.rest()[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let (line, _) = self.position(at + blank);
        let problem = format!(
            "entry {index}, which starts in line {line}, is longer than {} MB; no example is, so that a bracket or quote \
             is likely to be missing there",
            LONGEST >> 20
        );
        DataError::OtherShape { origin: self.input.origin.clone(), problem }
    }
}
