//! Near duplicates of more texts than memory has room for.

use rayon::prelude::*;

use super::{
    DuplicateError, NearDuplicate,
    candidates::{self, Key, Keys},
    check_threshold,
    compare::Frequencies,
    grams::{Grams, bare, is_compared},
    stream::{self, Block},
};

/// Searches near duplicates by `MinHash`: texts that share most of their character n-grams likely agree in the smallest
/// hashes of these. Texts that agree in all hashes of a band are compared, and no others.
///
/// At a similarity of 0.9, one or two of a hundred texts that have an earlier one like them are missed; the lower the
/// similarity, the more: at 0.75, a fifth of short texts and most of long ones.
///
/// Memory for each text, at 12 bands: 48 bytes of bands, 8 while a band is sorted and 8 for the texts to compare it with,
/// 64 in all, so 640 MB for 10 million, and 32 MB of frequencies whatever the texts. When bands are done with, their room
/// is for the texts that wait, as many as `waiting` says, and for 24 bytes for each pair that is found.
///
/// Results depend on the texts and these numbers alone, not on threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinHash {
    /// How many bands there are, 1 to 64: 4 bytes of each text.
    pub bands: usize,
    /// How many hashes a band has, 1 to 16. More of them bring fewer texts together.
    pub rows: usize,
    /// Characters of an n-gram, at least 1.
    pub characters: usize,
    /// How many bytes of texts can wait for a later one that they are compared with. What there is no room for costs
    /// another pass, and results are the same.
    pub waiting: usize,
}

impl Default for MinHash {
    fn default() -> Self {
        Self { bands: 12, rows: 4, characters: 4, waiting: 128 << 20 }
    }
}

impl MinHash {
    /// Pairs of texts that are more similar than `threshold`, each later text with at most two earlier ones. What is said
    /// to be a pair is one, by the similarity of the whole texts; some pairs are missed. How rare an n-gram is says each
    /// of the first 500,000 texts, and of later ones every 16th.
    ///
    /// `source` hands each text to the function that it is given, and all of them again whenever it is called: twice, and
    /// once more whenever some had no room to wait. `progress` hears which pass it is, from 1, and how many texts it has
    /// read.
    ///
    /// # Errors
    ///
    /// What the source answers; for a threshold out of range, more than 4,294,967,294 texts, and another number of texts
    /// than at first.
    pub fn search<E>(
        &self,
        threshold: f64,
        mut source: impl FnMut(&mut dyn FnMut(&str)) -> Result<(), E>,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Vec<NearDuplicate>, DuplicateError<E>> {
        check_threshold(threshold)?;
        let mut frequencies = Frequencies::new();
        let mut keys = Keys::new(self.bands());
        let texts = stream::read(&mut source, |block| {
            let (block_keys, counted) = self.keys(block, &frequencies);
            keys.push(block_keys);
            frequencies.add_texts(counted);
            progress(1, block.start + block.len());
        })?;
        let mut candidates = candidates::find(&keys);
        drop(keys);
        candidates.compare(texts, threshold, self.waiting, &frequencies, &mut source, progress)
    }

    fn bands(&self) -> usize {
        self.bands.clamp(1, 64)
    }

    /// The keys of a block's texts, band by band for each, and how many texts were counted in the frequencies.
    fn keys(&self, block: &Block, frequencies: &Frequencies) -> (Vec<Key>, usize) {
        let mut keys = vec![Key::default(); block.len() * self.bands()];
        let counted = keys
            .par_chunks_mut(self.bands())
            .enumerate()
            .map_init(
                || (Grams::default(), Signer::new(self)),
                |(grams, signer), (at, keys)| {
                    let text = block.get(at);
                    if text.is_empty() {
                        return 0;
                    }
                    bare(text, &mut grams.chars);
                    let times = Frequencies::times(block.start + at);
                    if times > 0 {
                        frequencies.add(grams.count_chars(), times);
                    }
                    if is_compared(text) && !grams.chars.is_empty() {
                        signer.sign(&grams.chars, keys);
                    }
                    times as usize
                },
            )
            .sum();
        (keys, counted)
    }
}

/// An odd number without a pattern: 2^64 by the golden ratio.
pub(super) const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads the bits of a number, as `SplitMix64` does.
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// Makes the keys of texts.
struct Signer {
    rows: usize,
    characters: usize,
    /// For each row of each band, what is mixed into a hash and what it is multiplied by.
    orders: Vec<(u32, u32)>,
    smallest: Vec<u32>,
    hashes: Vec<u32>,
}

impl Signer {
    #[expect(clippy::cast_possible_truncation, reason = "halves of 64 bits")]
    fn new(settings: &MinHash) -> Self {
        let rows = settings.rows.clamp(1, 16);
        let count = settings.bands() * rows;
        // Always the same numbers.
        let order = |n: u64| mix(n.wrapping_mul(FACTOR));
        let orders: Vec<_> = (1..=count as u64).map(order).map(|n| ((n >> 32) as u32, n as u32 | 1)).collect();
        Self {
            rows,
            characters: settings.characters.max(1),
            smallest: vec![0; orders.len()],
            orders,
            hashes: Vec::new(),
        }
    }

    fn sign(&mut self, chars: &[char], keys: &mut [Key]) {
        // A text that is too short for one n-gram is one.
        let length = self.characters.min(chars.len());
        let hash = |gram: &[char]| {
            let all = gram.iter().fold(0, |all: u64, c| (all ^ u64::from(*c)).wrapping_mul(FACTOR).rotate_left(29));
            (mix(all) >> 32) as u32
        };
        self.hashes.clear();
        self.hashes.extend(chars.windows(length).map(hash));
        self.smallest.fill(u32::MAX);
        for hash in &self.hashes {
            for ((flip, factor), smallest) in self.orders.iter().zip(&mut self.smallest) {
                *smallest = (*smallest).min((hash ^ flip).wrapping_mul(*factor));
            }
        }
        for (rows, key) in self.smallest.chunks(self.rows).zip(keys) {
            let all = rows.iter().fold(0, |all: u64, row| mix(all.wrapping_add(u64::from(*row) + 1)));
            *key = Key::new((all >> 32) as u32);
        }
    }
}
