//! Texts as vectors of weighted counts, the rarest n-gram first.

use std::{collections::HashMap, ops::Range};

use ahash::RandomState;
use rayon::prelude::*;

use super::grams::{Grams, rarity};

/// How many texts have an n-gram, and later its place in the order.
type Table = HashMap<u64, u32, RandomState>;

/// One n-gram of a text.
#[derive(Clone, Copy)]
pub(super) struct Element {
    /// The place of the n-gram among all: 0 is the rarest.
    pub gram: u32,
    count: u32,
}

/// The vectors of texts that differ. Their elements take 8 bytes each, and a text has about one and a half for each of
/// its characters.
pub(super) struct Vectors {
    elements: Vec<Element>,
    /// Where each text's elements end.
    ends: Vec<usize>,
    /// By an n-gram's place.
    rarities: Vec<f64>,
    /// Before the division, the Euclidean norms.
    norms: Vec<f64>,
}

impl Vectors {
    /// `times` says how often each text is there, which makes its n-grams less rare.
    pub(super) fn new(texts: &[&str], times: &[u32]) -> Self {
        let mut have_it = tables(texts, times);
        let total = times.iter().map(|n| u64::from(*n)).sum();
        let mut order: Vec<(u32, u64)> = have_it.iter().map(|(gram, texts)| (*texts, *gram)).collect();
        order.par_sort_unstable();
        let rarities = order.iter().map(|(texts, _)| rarity(total, u64::from(*texts))).collect();
        for ((_, gram), place) in order.iter().zip(0..) {
            have_it.insert(*gram, place);
        }

        let rows: Vec<Vec<Element>> = texts
            .par_iter()
            .map_init(Grams::default, |grams, text| {
                let mut row: Vec<_> =
                    grams.count(text).iter().map(|&(gram, count)| Element { gram: have_it[&gram], count }).collect();
                row.sort_unstable_by_key(|element| element.gram);
                row
            })
            .collect();
        let mut vectors = Self { elements: Vec::new(), ends: Vec::with_capacity(rows.len()), rarities, norms: vec![] };
        vectors.elements.reserve_exact(rows.iter().map(Vec::len).sum());
        for row in rows {
            vectors.elements.extend(row);
            vectors.ends.push(vectors.elements.len());
        }
        vectors.norms =
            (0..texts.len()).into_par_iter().map(|text| vectors.squares(text).sum::<f64>().sqrt()).collect();
        vectors
    }

    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many n-grams the texts have.
    pub(super) fn grams(&self) -> usize {
        self.rarities.len()
    }

    fn range(&self, text: usize) -> Range<usize> {
        let start = if text == 0 { 0 } else { self.ends[text - 1] };
        start..self.ends[text]
    }

    /// The elements of a text, the rarest first.
    pub(super) fn row(&self, text: usize) -> &[Element] {
        &self.elements[self.range(text)]
    }

    /// The weight of an element in its text's vector, whose norm is 1.
    pub(super) fn weight(&self, text: usize, element: Element) -> f64 {
        self.raw(element) / self.norms[text]
    }

    fn raw(&self, element: Element) -> f64 {
        f64::from(element.count) * self.rarities[element.gram as usize]
    }

    fn squares(&self, text: usize) -> impl Iterator<Item = f64> {
        self.row(text).iter().map(|element| self.raw(*element).powi(2))
    }

    /// The cosine of two texts. What is equal but for punctuation gives 1.
    pub(super) fn similarity(&self, a: usize, b: usize) -> f64 {
        let (mut left, mut right) = (self.row(a), self.row(b));
        let mut dot = 0.0;
        while let ([x, ..], [y, ..]) = (left, right) {
            if x.gram == y.gram {
                dot += self.raw(*x) * self.raw(*y);
            }
            let (from_left, from_right) = (usize::from(x.gram <= y.gram), usize::from(y.gram <= x.gram));
            (left, right) = (&left[from_left..], &right[from_right..]);
        }
        if dot == 0.0 { 0.0 } else { (dot / (self.norms[a] * self.norms[b])).min(1.0) }
    }
}

/// How many texts have each n-gram.
fn tables(texts: &[&str], times: &[u32]) -> Table {
    let count = |(mut table, mut grams): (Table, Grams), (text, times): (&&str, &u32)| {
        for (gram, _) in grams.count(text) {
            *table.entry(*gram).or_default() += times;
        }
        (table, grams)
    };
    texts.par_iter().zip(times).with_min_len(1024).fold(Default::default, count).map(|(table, ..)| table).reduce(
        Default::default,
        |mut a, mut b| {
            if a.len() < b.len() {
                (a, b) = (b, a);
            }
            for (gram, texts) in b {
                *a.entry(gram).or_default() += texts;
            }
            a
        },
    )
}
