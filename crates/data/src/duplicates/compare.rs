//! The similarity of two texts by the rarity of n-grams in a whole stream.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::grams::{Counts, Grams, rarity};

/// Places of a table, a power of two.
const PLACES: usize = 1 << 22;
/// So many texts are all counted, and of those after them one of so many, for all of them.
const ALL: usize = 500_000;
const SAMPLED: u32 = 16;

/// How many texts of a stream have an n-gram, in tables of 32 MB whatever the stream.
///
/// N-grams that share a place are counted together, but few share their places in both tables, and the smaller count is
/// taken. Instructions in English have some 50,000 n-grams, of which about ten are then taken for more frequent.
pub(super) struct Frequencies {
    have_it: Vec<[AtomicU32; 2]>,
    texts: u64,
}

impl Frequencies {
    pub(super) fn new() -> Self {
        let mut have_it = Vec::new();
        have_it.resize_with(PLACES, Default::default);
        Self { have_it, texts: 0 }
    }

    /// How many texts the text with a number stands for. Of long streams, most are not counted.
    pub(super) fn times(text: usize) -> u32 {
        match text {
            ..ALL => 1,
            text if text.is_multiple_of(SAMPLED as usize) => SAMPLED,
            _ => 0,
        }
    }

    /// Counts the n-grams of a text as often as it stands for; the caller counts the text. The order of texts is no
    /// matter.
    pub(super) fn add(&self, counts: &Counts, times: u32) {
        for (gram, _) in counts {
            for count in self.counts_of(*gram) {
                count.fetch_add(times, Relaxed);
            }
        }
    }

    /// Where an n-gram is counted.
    #[expect(clippy::cast_possible_truncation, reason = "22 bits are wanted, from either end")]
    fn counts_of(&self, gram: u64) -> [&AtomicU32; 2] {
        let bits = super::min_hash::mix(gram);
        let upper = (bits >> (64 - PLACES.trailing_zeros())) as usize;
        let lower = bits as usize & (PLACES - 1);
        [&self.have_it[upper][0], &self.have_it[lower][1]]
    }

    fn rarity(&self, gram: u64) -> f64 {
        let [a, b] = self.counts_of(gram).map(|count| count.load(Relaxed));
        rarity(self.texts, a.min(b).into())
    }

    /// Counts texts.
    pub(super) fn add_texts(&mut self, texts: usize) {
        self.texts += texts as u64;
    }

    /// The norm of a text's weighted counts.
    pub(super) fn norm(&self, text: &Grams) -> f64 {
        text.counts().iter().map(|(gram, count)| (f64::from(*count) * self.rarity(*gram)).powi(2)).sum::<f64>().sqrt()
    }

    /// The cosine of the weighted counts of two texts; `norm` is that of `a`.
    pub(super) fn similarity(&self, a: &Grams, norm: f64, b: &Grams) -> f64 {
        let (mut dot, mut squares) = (0.0, 0.0);
        for (gram, count) in b.counts() {
            let rarity = self.rarity(*gram);
            let weight = f64::from(*count) * rarity;
            squares += weight * weight;
            dot += weight * f64::from(a.of(*gram)) * rarity;
        }
        if dot == 0.0 { 0.0 } else { (dot / (norm * squares.sqrt())).min(1.0) }
    }
}
