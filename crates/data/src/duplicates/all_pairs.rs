//! Every pair of vectors above a cosine, with most pairs ruled out early.
//!
//! N-grams are in two parts. The few that most texts have, the head, are kept as rows of numbers; the many rare ones, the
//! tail, as lists of the texts that have them. A text's products with all others in the tail are summed up from the
//! lists. By the inequality of Cauchy and Schwarz, the product of two heads is at most that of their norms: texts whose
//! tails have little in common are out. For the others the heads are multiplied piece by piece, the most frequent n-grams
//! first, and the norms of what is left bound the rest. What remains is computed in full, so bounds decide about speed
//! only. They are in `f32`, and the threshold is lowered by all that rounding can do.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::vectors::Vectors;

/// N-grams of the head, and of one piece of it.
const HEAD: usize = 512;
const PIECE: usize = 64;
/// Texts that are compared with others at once, so that a head is fetched from memory once for all of them.
const TILE: usize = 16;
/// Others that they are compared with at once, whose heads stay near the processor.
const OTHERS: usize = 128;

/// An n-gram of the tail in a text.
struct Posting {
    text: u32,
    weight: f32,
}

/// Pairs `(other, similarity)` of one text with later ones, in order.
pub(super) type Later = Vec<(u32, f64)>;

/// For each text, the later ones that are more similar than `threshold`.
///
/// Nothing comes back if there are more than `most` pairs. `progress` hears each text's number when it is done.
pub(super) fn search(
    vectors: &Vectors,
    threshold: f64,
    most: u64,
    progress: impl Fn(usize) + Sync,
) -> Option<Vec<Later>> {
    let index = Index::new(vectors);
    let found = AtomicU64::new(0);
    let mut pairs: Vec<Later> = Vec::new();
    pairs.resize_with(vectors.len(), Later::new);
    pairs.par_chunks_mut(TILE).enumerate().for_each_init(Vec::new, |sums, (tile, pairs)| {
        let start = tile * TILE;
        if found.load(Relaxed) <= most {
            index.compare(start, pairs.len(), threshold, sums, |text, other| {
                let similarity = vectors.similarity(text, other);
                if similarity > threshold {
                    pairs[text - start].push((u32::try_from(other).unwrap_or(u32::MAX), similarity));
                }
            });
            found.fetch_add(pairs.iter().map(|later| later.len() as u64).sum(), Relaxed);
        }
        (start..start + pairs.len()).for_each(&progress);
    });
    (found.into_inner() <= most).then_some(pairs)
}

/// All texts, ready to be compared.
struct Index<'a> {
    vectors: &'a Vectors,
    /// The lists of the tail's n-grams, each in the order of texts.
    tail: Vec<Vec<Posting>>,
    /// The head of each text, the most frequent n-gram first.
    heads: Vec<f32>,
    /// For each piece of the head and each text, the norm of the head from this piece on.
    rests: Vec<Vec<f32>>,
}

impl<'a> Index<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is allowed for")]
    fn new(vectors: &'a Vectors) -> Self {
        let mut tail: Vec<Vec<Posting>> = Vec::new();
        tail.resize_with(vectors.grams().saturating_sub(HEAD), Vec::new);
        let mut heads = vec![0.0_f32; vectors.len() * HEAD];
        let mut rests = vec![vec![0.0_f32; vectors.len()]; HEAD / PIECE + 1];
        for (text, head) in heads.chunks_mut(HEAD).enumerate() {
            let mut squares = [0.0_f64; HEAD / PIECE];
            for element in vectors.row(text) {
                let (gram, weight) = (element.gram as usize, vectors.weight(text, *element));
                if let Some(list) = tail.get_mut(gram) {
                    list.push(Posting { text: u32::try_from(text).unwrap_or(u32::MAX), weight: weight as f32 });
                } else {
                    let at = vectors.grams() - 1 - gram;
                    head[at] = weight as f32;
                    squares[at / PIECE] += weight * weight;
                }
            }
            let mut rest = 0.0;
            for (square, rests) in squares.iter().zip(&mut rests).rev() {
                rest += square;
                rests[text] = rest.sqrt() as f32;
            }
        }
        Self { vectors, tail, heads, rests }
    }

    fn head(&self, text: usize) -> &[f32] {
        &self.heads[text * HEAD..][..HEAD]
    }

    /// What a sum of a text's products has to reach: the threshold but for rounding. Every weight and every sum is off by
    /// at most 2^-24 of itself, and all products together are at most 1; this allows for twice as much.
    #[expect(clippy::cast_possible_truncation, reason = "rounding is allowed for")]
    fn floor(&self, text: usize, threshold: f64) -> f32 {
        let sums = (self.vectors.row(text).len() + HEAD + 16) as f64;
        (threshold - sums * f64::from(f32::EPSILON)) as f32
    }

    /// Hands over those of the next `count` texts from `start`, each with a later one, that may be above the threshold,
    /// for each text in order. `sums` is room that is used again.
    fn compare(
        &self,
        start: usize,
        count: usize,
        threshold: f64,
        sums: &mut Vec<f32>,
        mut candidate: impl FnMut(usize, usize),
    ) {
        let others = self.vectors.len() - start;
        sums.clear();
        sums.resize(count * others, 0.0);
        for (text, sums) in (start..).zip(sums.chunks_mut(others)) {
            self.add_tail(text, start, sums);
        }
        let floors: Vec<f32> = (start..start + count).map(|text| self.floor(text, threshold)).collect();
        for block in (0..others).step_by(OTHERS) {
            let block = block..others.min(block + OTHERS);
            for ((text, sums), floor) in (start..).zip(sums.chunks(others)).zip(&floors) {
                let own = self.rests[0][text];
                let rests = &self.rests[0][start + block.start..start + block.end];
                // In groups, for which the processor has wide instructions; hardly any has a text that is left.
                for (group, (sums, rests)) in sums[block.clone()].chunks(16).zip(rests.chunks(16)).enumerate() {
                    let bounds = sums.iter().zip(rests).map(|(sum, rest)| sum + own * rest);
                    if bounds.clone().map(|bound| u8::from(bound >= *floor)).sum::<u8>() == 0 {
                        continue;
                    }
                    for (at, (bound, sum)) in bounds.zip(sums).enumerate() {
                        let other = start + block.start + group * 16 + at;
                        if bound >= *floor && other > text && self.may_reach(*floor, *sum, text, other) {
                            candidate(text, other);
                        }
                    }
                }
            }
        }
    }

    /// Adds a text's products with the others in the tail; `sums` begins with the text `start`.
    fn add_tail(&self, text: usize, start: usize, sums: &mut [f32]) {
        for element in self.vectors.row(text) {
            let Some(list) = self.tail.get(element.gram as usize) else { break };
            let from = list.partition_point(|posting| posting.text as usize <= text);
            // The text's own weight is the one before the later ones.
            let Some(own) = from.checked_sub(1).map(|at| list[at].weight) else { continue };
            for posting in &list[from..] {
                sums[posting.text as usize - start] += own * posting.weight;
            }
        }
    }

    /// Whether two texts whose tails give `sum` can reach `floor` with their heads.
    fn may_reach(&self, floor: f32, mut sum: f32, a: usize, b: usize) -> bool {
        let pieces = self.head(a).chunks(PIECE).zip(self.head(b).chunks(PIECE));
        for ((a_piece, b_piece), rests) in pieces.zip(&self.rests[1..]) {
            sum += dot(a_piece, b_piece);
            if sum + rests[a] * rests[b] < floor {
                return false;
            }
        }
        true
    }
}

/// The product of two pieces, as eight sums side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
