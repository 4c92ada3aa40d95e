//! Every pair of vectors above a cosine, without looking at every pair.
//!
//! The method is that of Bayardo's All-Pairs with the bounds of Anastasiu and Karypis. Two vectors of norm 1 have at
//! most the product of the norms of what they share as their cosine. Elements are in one order, the rarest first. If the
//! norm of a vector after its first `p` elements is below the threshold, a pair above it has its rarest common element
//! among those `p`, in both vectors. So only these are in the index, and only they are looked up; the common n-grams,
//! which nearly all texts have, are in no list. What was found so far plus the product of the norms of what comes after
//! bounds the cosine, which rules out most of the rest.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::vectors::{Element, Vectors};

/// Bounds are kept this far from the threshold: far more than the rounding of a sum, and far less than matters.
const SLACK: f64 = 1e-9;

/// An element of a text in the list of its n-gram.
struct Posting {
    text: u32,
    /// Not below the weight.
    weight: f32,
    /// Not below the norm of what comes after.
    after: f32,
}

/// Pairs `(other, similarity)` of one text with later ones, in order.
pub(super) type Later = Vec<(u32, f64)>;

/// For each text, the later ones that are more similar than `threshold`.
///
/// Nothing comes back if there are more than `most` pairs. `progress` hears each text's number when it was looked up.
pub(super) fn search(
    vectors: &Vectors,
    threshold: f64,
    most: u64,
    progress: impl Fn(usize) + Sync,
) -> Option<Vec<Later>> {
    let floor = threshold - SLACK;
    let index = index(vectors, floor);
    let found = AtomicU64::new(0);
    let pairs = (0..vectors.len())
        .into_par_iter()
        .map_init(
            || Sums::new(vectors.len()),
            |sums, text| {
                let mut later = Later::new();
                if found.load(Relaxed) <= most {
                    sums.add(vectors, &index, text, floor);
                    sums.drain(|other| {
                        let similarity = vectors.similarity(text, other as usize);
                        if similarity > threshold {
                            later.push((other, similarity));
                        }
                    });
                    later.sort_unstable_by_key(|(other, _)| *other);
                    found.fetch_add(later.len() as u64, Relaxed);
                }
                progress(text);
                later
            },
        )
        .collect();
    (found.into_inner() <= most).then_some(pairs)
}

/// The elements of a text that may be the rarest ones of a pair, each with its weight and the norm of what comes after.
fn leading(vectors: &Vectors, text: usize, floor: f64) -> Vec<(Element, f64, f64)> {
    let row = vectors.row(text);
    let mut rest = 0.0_f64;
    let mut leading: Vec<_> = row
        .iter()
        .rev()
        .map(|element| {
            let weight = vectors.weight(text, *element);
            let after = rest.sqrt();
            rest += weight * weight;
            (*element, weight, after)
        })
        .collect();
    leading.reverse();
    // The last element that matters is the first after which too little is left.
    let length = leading.iter().position(|(_, _, after)| *after < floor).map_or(row.len(), |at| at + 1);
    leading.truncate(length);
    leading
}

/// The lists of all n-grams, each in the order of texts.
fn index(vectors: &Vectors, floor: f64) -> Vec<Vec<Posting>> {
    let mut lists: Vec<Vec<Posting>> = Vec::new();
    lists.resize_with(vectors.grams(), Vec::new);
    // In blocks, so that only a few texts' elements are there twice.
    let texts: Vec<usize> = (0..vectors.len()).collect();
    for block in texts.chunks(4096) {
        let rows: Vec<_> = block.par_iter().map(|text| leading(vectors, *text, floor)).collect();
        for (text, row) in block.iter().zip(rows) {
            let text = u32::try_from(*text).unwrap_or(u32::MAX);
            for (element, weight, after) in row {
                lists[element.gram as usize].push(Posting { text, weight: above(weight), after: above(after) });
            }
        }
    }
    lists
}

/// The nearest `f32` that is not below a number.
#[expect(clippy::cast_possible_truncation, reason = "rounded up afterwards")]
fn above(number: f64) -> f32 {
    let near = number as f32;
    if f64::from(near) < number { near.next_up() } else { near }
}

/// What one text shares with the others, so far.
struct Sums {
    /// By text: not below the sum of products; 0 for one that shares nothing, negative for one that was ruled out.
    of: Vec<f64>,
    /// The texts whose sum is not 0.
    touched: Vec<u32>,
}

impl Sums {
    fn new(texts: usize) -> Self {
        Self { of: vec![0.0; texts], touched: Vec::new() }
    }

    /// Looks a text up, and keeps the later texts that may reach `floor`.
    fn add(&mut self, vectors: &Vectors, index: &[Vec<Posting>], text: usize, floor: f64) {
        for (element, weight, after) in leading(vectors, text, floor) {
            let list = &index[element.gram as usize];
            let later = list.partition_point(|posting| posting.text as usize <= text);
            for posting in &list[later..] {
                let sum = &mut self.of[posting.text as usize];
                if *sum < 0.0 {
                    continue;
                }
                if *sum == 0.0 {
                    self.touched.push(posting.text);
                }
                *sum += weight * f64::from(posting.weight);
                if *sum + after * f64::from(posting.after) < floor {
                    *sum = -1.0;
                }
            }
        }
    }

    /// Hands over the texts that are left, and forgets all.
    fn drain(&mut self, mut left: impl FnMut(u32)) {
        for text in self.touched.drain(..) {
            if std::mem::take(&mut self.of[text as usize]) > 0.0 {
                left(text);
            }
        }
    }
}
