//! The similarity of two texts by the rarity of n-grams in a whole stream.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::grams::{Counts, Grams, rarity};

/// Places of a table, a power of two.
const PLACES: usize = 1 << 22;

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

    /// Counts the n-grams of one text; the caller counts the text. The order of texts is no matter.
    pub(super) fn add(&self, counts: &Counts) {
        for (gram, _) in counts {
            for count in self.counts_of(*gram) {
                count.fetch_add(1, Relaxed);
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

    /// The cosine of the weighted counts of two texts.
    pub(super) fn similarity(&self, a: &Counts, b: &Counts) -> f64 {
        let weight = |gram: u64, count: u32| f64::from(count) * self.rarity(gram);
        let norm =
            |counts: &Counts| counts.iter().map(|(gram, count)| weight(*gram, *count).powi(2)).sum::<f64>().sqrt();
        let (mut left, mut right) = (&a[..], &b[..]);
        let mut dot = 0.0;
        while let ([x, ..], [y, ..]) = (left, right) {
            if x.0 == y.0 {
                dot += weight(x.0, x.1) * weight(y.0, y.1);
            }
            let (from_left, from_right) = (usize::from(x.0 <= y.0), usize::from(y.0 <= x.0));
            (left, right) = (&left[from_left..], &right[from_right..]);
        }
        if dot == 0.0 { 0.0 } else { (dot / (norm(a) * norm(b))).min(1.0) }
    }
}

/// Counts of a text, made anew.
pub(super) fn counts(grams: &mut Grams, text: &str) -> Counts {
    let mut counts = Counts::new();
    grams.count(text, &mut counts);
    counts
}
