//! Attention of one new position a sequence to what is cached.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    attention::softmax,
    simd::{dot, vectorized},
};

/// Keys and values of several sequences, side by side in rows of `2C`.
#[derive(Debug, Clone, Copy)]
pub struct CachedRows<'a> {
    /// Of the positions that all sequences share, `[P, 2C]`.
    pub prefix: &'a [f32],
    /// Of each sequence's own positions, `[B, S, 2C]`.
    pub own: &'a [f32],
    /// Which own positions of each sequence hold something, two ranges each.
    pub used: &'a [[Range<usize>; 2]],
}

/// Attention of one query a sequence, `qkv` `[B, 3C]`, to its cached positions, into `out` `[B, C]`.
///
/// # Panics
///
/// If the lengths do not fit or a range is outside the rows.
pub fn cached_attention(qkv: &[f32], cached: CachedRows<'_>, heads: usize, out: &mut [f32]) {
    let b = cached.used.len();
    let c = out.len() / b.max(1);
    let d = c / heads;
    assert!(qkv.len() == 3 * b * c && d * heads == c, "{b} rows of 3 x {c} columns, {heads} heads");
    let own_rows = cached.own.len() / (b * 2 * c).max(1);
    let scale = 1.0 / (d as f32).sqrt();
    out.par_chunks_mut(d).enumerate().with_min_len(4).for_each_init(Vec::new, |scores, (index, out)| {
        let (sequence, head) = (index / heads, index % heads);
        let query = &qkv[sequence * 3 * c + head * d..][..d];
        let own = &cached.own[sequence * own_rows * 2 * c..][..own_rows * 2 * c];
        let rows = || {
            let used =
                cached.used[sequence].iter().flat_map(|used| own[used.start * 2 * c..used.end * 2 * c].chunks(2 * c));
            cached.prefix.chunks(2 * c).chain(used)
        };
        vectorized(
            #[inline(always)]
            || {
                scores.clear();
                for row in rows() {
                    scores.push(dot::<LANES>(query, &row[head * d..][..d]));
                }
                let visible = scores.len();
                softmax(scores, visible, scale);
                out.fill(0.0);
                for (row, &weight) in rows().zip(scores.iter()) {
                    for (out, &value) in out.iter_mut().zip(&row[c + head * d..][..d]) {
                        *out = weight.mul_add(value, *out);
                    }
                }
            },
        );
    });
}

/// Lanes of a dot product: heads are seldom wider than 64.
const LANES: usize = 16;
