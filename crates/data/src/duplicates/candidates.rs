//! Which texts to compare: those that agree in a band, and of these the ones that agree in most.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use ahash::RandomState;
use rayon::prelude::*;

use super::{
    DuplicateError, NearDuplicate,
    compare::Frequencies,
    grams::Grams,
    stream::{self, Block},
};

/// How many earlier texts each text is compared with.
const BEST: usize = 2;
/// How many texts before it in a band a text may be compared with, next to the first.
const BEFORE: usize = 3;
/// No text.
const NONE: u32 = u32::MAX;

/// What texts have to agree in to be compared; 0 for a text that is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Key(u32);

impl Key {
    pub(super) fn new(hash: u32) -> Self {
        Self(hash.max(1))
    }
}

/// The keys of all texts, in pieces, so that a longer list is never copied.
pub(super) struct Keys {
    bands: usize,
    pieces: Vec<Piece>,
}

struct Piece {
    start: usize,
    keys: Box<[Key]>,
}

impl Keys {
    pub(super) fn new(bands: usize) -> Self {
        Self { bands, pieces: Vec::new() }
    }

    /// Takes the keys of the next texts.
    pub(super) fn push(&mut self, keys: Vec<Key>) {
        if !keys.is_empty() {
            self.pieces.push(Piece { start: self.len(), keys: keys.into() });
        }
    }

    fn len(&self) -> usize {
        self.pieces.last().map_or(0, |piece| piece.start + piece.keys.len() / self.bands)
    }

    fn of(&self, text: u32) -> &[Key] {
        let text = text as usize;
        let piece = &self.pieces[self.pieces.partition_point(|piece| piece.start <= text) - 1];
        &piece.keys[(text - piece.start) * self.bands..][..self.bands]
    }

    /// In how many bands two texts agree.
    fn agree(&self, a: u32, b: u32) -> usize {
        self.of(a).iter().zip(self.of(b)).filter(|(a, b)| a == b).count()
    }

    /// Fills in the keys of a band with their texts, in order of both.
    fn sort(&self, band: usize, sorted: &mut Vec<u64>) {
        sorted.clear();
        for piece in &self.pieces {
            let keys = piece.keys[band..].iter().step_by(self.bands);
            let entry = |(key, text): (&Key, u64)| (key.0 != 0).then_some(u64::from(key.0) << 32 | text);
            sorted.extend(keys.zip(piece.start as u64..).filter_map(entry));
        }
        sorted.par_sort_unstable();
    }
}

/// For each text, the earlier ones that it is compared with.
pub(super) struct Candidates {
    of: Vec<[u32; BEST]>,
}

/// Goes through the bands one by one.
#[expect(clippy::cast_possible_truncation, reason = "halves of 64 bits")]
pub(super) fn find(keys: &Keys) -> Candidates {
    let mut candidates = Candidates { of: vec![[NONE; BEST]; keys.len()] };
    let mut sorted = Vec::with_capacity(keys.len());
    for band in 0..keys.bands {
        keys.sort(band, &mut sorted);
        for same in sorted.chunk_by(|a, b| a >> 32 == b >> 32) {
            for at in 1..same.len() {
                let before = same[at.saturating_sub(BEFORE)..at].iter().skip(usize::from(at <= BEFORE));
                for other in before.chain(&same[..1]) {
                    candidates.offer(keys, same[at] as u32, *other as u32);
                }
            }
        }
    }
    candidates
}

impl Candidates {
    /// Keeps a candidate if it is better than another: agrees in more bands, or in as many and is earlier.
    fn offer(&mut self, keys: &Keys, text: u32, other: u32) {
        let kept = &mut self.of[text as usize];
        if kept.contains(&other) {
            return;
        }
        let mut new = other;
        for place in kept {
            let is_better = |old: u32| (Reverse(keys.agree(text, new)), new) < (Reverse(keys.agree(text, old)), old);
            if *place == NONE || is_better(*place) {
                std::mem::swap(place, &mut new);
            }
            if new == NONE {
                break;
            }
        }
    }

    /// Compares all candidates, in as many passes as are needed when texts of `room` bytes can wait for later ones.
    pub(super) fn compare<E>(
        &mut self,
        texts: usize,
        threshold: f64,
        room: usize,
        frequencies: &Frequencies,
        source: &mut impl FnMut(&mut dyn FnMut(&str)) -> Result<(), E>,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Vec<NearDuplicate>, DuplicateError<E>> {
        let mut found = Vec::new();
        let mut pass = 1;
        while self.of.iter().any(|kept| *kept != [NONE; BEST]) {
            pass += 1;
            let mut waiting = Waiting::new(self.last_uses(), room);
            let now = stream::read(source, |block| {
                // A source that has grown is an error below.
                if block.start + block.len() <= texts {
                    let at = block.start..block.start + block.len();
                    let compared = compare_block(block, &self.of[at.clone()], &waiting, frequencies);
                    for (kept, (number, similarities)) in self.of[at.clone()].iter_mut().zip(at.zip(compared)) {
                        for (other, similarity) in kept.iter_mut().zip(similarities) {
                            let Some(similarity) = similarity else { continue };
                            if similarity > threshold {
                                found.push(NearDuplicate { first: *other as usize, second: number, similarity });
                            }
                            *other = NONE;
                        }
                    }
                    waiting.take(block);
                }
                progress(pass, block.start + block.len());
            })?;
            if now != texts {
                return Err(DuplicateError::Changed { before: texts, now });
            }
        }
        found.par_sort_unstable_by_key(|pair| (pair.first, pair.second));
        Ok(found)
    }

    /// By text, the last one that is compared with it, or 0.
    fn last_uses(&self) -> Vec<u32> {
        let mut last = vec![0; self.of.len()];
        for (kept, text) in self.of.iter().zip(0..) {
            for other in kept.iter().filter(|other| **other != NONE) {
                last[*other as usize] = text;
            }
        }
        last
    }
}

/// The similarities of a block's texts with their candidates, as far as these are at hand.
fn compare_block(
    block: &Block,
    candidates: &[[u32; BEST]],
    waiting: &Waiting,
    frequencies: &Frequencies,
) -> Vec<[Option<f64>; BEST]> {
    let at_hand = |number: u32| match (number as usize).checked_sub(block.start) {
        Some(at) => (number != NONE).then(|| block.get(at)),
        None => waiting.texts.get(&number).map(AsRef::as_ref),
    };
    candidates
        .par_iter()
        .enumerate()
        .map_init(Default::default, |(own, other): &mut (Grams, Grams), (at, kept)| {
            let others = kept.map(at_hand);
            if others == [None; BEST] {
                return [None; BEST];
            }
            own.count(block.get(at));
            let norm = frequencies.norm(own);
            others.map(|text| {
                other.count(text?);
                Some(frequencies.similarity(own, norm, other))
            })
        })
        .collect()
}

/// Texts that a later one is compared with.
struct Waiting {
    last_uses: Vec<u32>,
    texts: HashMap<u32, Box<str>, RandomState>,
    /// Texts by their last use, the earliest first.
    until: BinaryHeap<Reverse<(u32, u32)>>,
    bytes: usize,
    room: usize,
}

impl Waiting {
    fn new(last_uses: Vec<u32>, room: usize) -> Self {
        Self { last_uses, texts: HashMap::default(), until: BinaryHeap::new(), bytes: 0, room }
    }

    /// Forgets what nobody waits for any more, and keeps texts of this block while there is room. A text that there is no
    /// room for waits for the next pass.
    fn take(&mut self, block: &Block) {
        let end = block.start + block.len();
        while let Some(Reverse((until, text))) = self.until.peek().copied()
            && (until as usize) < end
        {
            self.until.pop();
            self.bytes -= self.texts.remove(&text).map_or(0, |text| Self::size(&text));
        }
        for (number, at) in (block.start..end).zip(0..) {
            let (until, text) = (self.last_uses[number], block.get(at));
            if (until as usize) >= end && (self.texts.is_empty() || self.bytes + Self::size(text) <= self.room) {
                let number = u32::try_from(number).unwrap_or(NONE);
                self.bytes += Self::size(text);
                self.until.push(Reverse((until, number)));
                self.texts.insert(number, text.into());
            }
        }
    }

    /// What a text costs, with its places in the map and the heap.
    fn size(text: &str) -> usize {
        text.len() + 64
    }
}
