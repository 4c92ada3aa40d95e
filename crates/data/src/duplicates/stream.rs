//! Texts that come one after another, worked on in blocks by all threads.

use super::DuplicateError;

/// How many texts there can be: their numbers have 32 bits, and one number stands for none.
pub(super) const MOST: usize = u32::MAX as usize - 1;

/// Texts and bytes that end a block.
const TEXTS: usize = 4096;
const BYTES: usize = 8 << 20;

/// Some texts of a stream.
#[derive(Default)]
pub(super) struct Block {
    /// The number of the first one.
    pub start: usize,
    text: String,
    ends: Vec<usize>,
}

impl Block {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A text by its place in the block.
    pub(super) fn get(&self, at: usize) -> &str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    fn next(&mut self) {
        self.start += self.ends.len();
        self.text.clear();
        self.ends.clear();
    }
}

/// Reads all texts of a source once, and hands them over in blocks. Returns how many there were.
pub(super) fn read<E>(
    source: &mut impl FnMut(&mut dyn FnMut(&str)) -> Result<(), E>,
    mut work: impl FnMut(&Block),
) -> Result<usize, DuplicateError<E>> {
    let mut block = Block::default();
    let mut is_too_long = false;
    source(&mut |text| {
        is_too_long |= block.start + block.len() == MOST;
        if is_too_long {
            return;
        }
        block.push(text);
        if block.len() == TEXTS || block.text.len() >= BYTES {
            work(&block);
            block.next();
        }
    })
    .map_err(DuplicateError::Source)?;
    if is_too_long {
        return Err(DuplicateError::TooLong);
    }
    work(&block);
    Ok(block.start + block.len())
}
