//! Byte-pair encoding with GPT-2's table.

use std::{cell::RefCell, cmp::Reverse, collections::BinaryHeap, hash::BuildHasher, hash::Hasher};

use hashbrown::HashTable;

use super::words::words;

/// A vocabulary whose ids are its ranks: of two merges, the one with the smaller id goes first.
pub(super) struct Table {
    /// The bytes of all tokens, one after another.
    bytes: Vec<u8>,
    /// Where each token begins in them, and the end.
    starts: Vec<u32>,
    /// The ids, found by the bytes.
    ids: HashTable<u16>,
    hasher: ahash::RandomState,
    /// Bytes of the longest token.
    longest: usize,
}

impl Table {
    /// A table of tokens by id, at most 65,536.
    pub(super) fn new(tokens: &[Vec<u8>]) -> Self {
        let mut table = Self {
            bytes: tokens.concat(),
            starts: vec![0],
            ids: HashTable::with_capacity(tokens.len()),
            // Any seeds will do: who chooses a text does not choose the table.
            hasher: ahash::RandomState::with_seeds(1, 2, 3, 4),
            longest: tokens.iter().map(Vec::len).max().unwrap_or(0),
        };
        let mut end = 0;
        for token in tokens {
            end += u32::try_from(token.len()).unwrap_or(u32::MAX);
            table.starts.push(end);
        }
        let Self { bytes, starts, ids, hasher, .. } = &mut table;
        let bytes_of = |id: u16| &bytes[starts[usize::from(id)] as usize..starts[usize::from(id) + 1] as usize];
        for id in (0..=u16::MAX).take(tokens.len()) {
            ids.insert_unique(hash(hasher, bytes_of(id)), id, |&id| hash(hasher, bytes_of(id)));
        }
        table
    }

    /// The bytes of a token.
    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        &self.bytes[self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize]
    }

    /// The token of just these bytes.
    #[inline]
    pub(super) fn id(&self, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > self.longest {
            return None;
        }
        self.ids.find(hash(&self.hasher, bytes), |&id| self.bytes(u32::from(id)) == bytes).copied().map(u32::from)
    }

    /// Appends the ids of a text.
    pub(super) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        SCRATCH.with_borrow_mut(|scratch| {
            for word in words(text) {
                match self.id(word) {
                    Some(id) => ids.push(id),
                    None if word.len() <= SHORT => self.merge_short(word, ids),
                    None => self.merge(word, scratch, ids),
                }
            }
        });
    }

    /// Appends the ids of a short word that is no token itself: the best of all pairs is merged again and again.
    fn merge_short(&self, word: &[u8], ids: &mut Vec<u32>) {
        // Where pieces begin, the end of the word included, and what each becomes with the next.
        let mut starts: [usize; SHORT + 1] = std::array::from_fn(|at| at);
        let mut pairs = [NONE; SHORT + 1];
        let mut pieces = word.len();
        let pair = |start: usize, end: usize| self.id(&word[start..end]).unwrap_or(NONE);
        for at in 1..pieces {
            pairs[at - 1] = pair(at - 1, at + 1);
        }
        while let Some((best, &id)) = pairs[..pieces].iter().enumerate().min_by_key(|(_, id)| **id)
            && id != NONE
        {
            starts.copy_within(best + 2..=pieces, best + 1);
            pairs.copy_within(best + 2..=pieces, best + 1);
            pieces -= 1;
            pairs[best] = if best + 2 <= pieces { pair(starts[best], starts[best + 2]) } else { NONE };
            if let Some(before) = best.checked_sub(1) {
                pairs[before] = pair(starts[before], starts[best + 1]);
            }
        }
        // Every byte is a token, and what was merged too.
        ids.extend(starts[..=pieces].windows(2).filter_map(|piece| self.id(&word[piece[0]..piece[1]])));
    }

    /// Appends the ids of a word that is no token itself. The work grows as n log n with its length.
    fn merge(&self, word: &[u8], scratch: &mut Scratch, ids: &mut Vec<u32>) {
        let Scratch { ends, previous, merges } = scratch;
        let length = word.len();
        ends.clear();
        ends.extend(1..=length);
        previous.clear();
        previous.extend((0..length).map(|at| at.wrapping_sub(1)));
        merges.clear();
        let pair = |start: usize, end: usize| Some(Reverse((self.id(word.get(start..end)?)?, start, end)));
        merges.extend((0..length).filter_map(|start| pair(start, start + 2)));
        while let Some(Reverse((_, start, end))) = merges.pop() {
            // One of the two has become part of another token since.
            let middle = ends[start];
            if middle == GONE || middle >= end || ends[middle] != end {
                continue;
            }
            ends[start] = end;
            ends[middle] = GONE;
            if end < length {
                previous[end] = start;
                merges.extend(pair(start, ends[end]));
            }
            if start > 0 {
                merges.extend(pair(previous[start], end));
            }
        }
        let mut start = 0;
        while start < length {
            let end = ends[start];
            // Every byte is a token, and what was merged too.
            ids.extend(self.id(&word[start..end]));
            start = end;
        }
    }
}

fn hash(hasher: &ahash::RandomState, bytes: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Bytes of a word for which no heap pays.
const SHORT: usize = 32;
/// Stands for a pair that is no token.
const NONE: u32 = u32::MAX;
/// Stands for the end of a piece that has become part of another one.
const GONE: usize = 0;

/// Memory for one word at a time.
#[derive(Default)]
struct Scratch {
    /// Where the piece ends that begins at a byte.
    ends: Vec<usize>,
    /// Where the piece before it begins.
    previous: Vec<usize>,
    /// Pairs that may be merged: the id, and where it begins and ends.
    merges: BinaryHeap<Reverse<(u32, usize, usize)>>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}
