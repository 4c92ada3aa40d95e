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
/// If the lengths do not fit, `heads` is 0 or does not divide `C`, or a range is outside the rows.
pub fn cached_attention(qkv: &[f32], cached: CachedRows<'_>, heads: usize, out: &mut [f32]) {
    let b = cached.used.len();
    let c = out.len() / b.max(1);
    let fits = out.len() == b * c && qkv.len() == 3 * b * c && heads > 0 && c.is_multiple_of(heads);
    assert!(fits, "{b} rows of 3 x {c} columns, {heads} heads");
    if out.is_empty() {
        return;
    }
    let d = c / heads;
    let own_rows = cached.own.len() / (b * 2 * c);
    let whole = cached.own.len() == own_rows * b * 2 * c && cached.prefix.len().is_multiple_of(2 * c);
    assert!(whole, "cached rows of 2 x {c} columns, as many for each of {b} sequences");
    let inside = |range: &Range<usize>| range.start <= range.end && range.end <= own_rows;
    assert!(cached.used.iter().flatten().all(inside), "ranges within {own_rows} rows");
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One sequence with two rows of two heads of one column each.
    fn attend(used: &[[Range<usize>; 2]], own: usize, heads: usize, columns: usize) {
        let own = vec![0.0; own];
        let cached = CachedRows { prefix: &[], own: &own, used };
        cached_attention(&[0.0; 6], cached, heads, &mut vec![0.0; columns]);
    }

    #[test]
    fn ranges_within_the_rows_are_read() {
        attend(&[[0..1, 1..2]], 8, 2, 2);
    }

    #[test]
    #[should_panic(expected = "ranges within 2 rows")]
    fn a_range_whose_place_wraps_panics() {
        // Times the 4 columns of a row, this is 0 where it wraps.
        let start = 1 << (usize::BITS - 2);
        attend(&[[0..1, start..start + 1]], 8, 2, 2);
    }

    #[test]
    #[should_panic(expected = "ranges within 2 rows")]
    fn a_range_beyond_the_rows_panics() {
        attend(&[[0..1, 1..3]], 8, 2, 2);
    }

    #[test]
    #[should_panic(expected = "cached rows of 2 x 2 columns")]
    fn rows_that_are_not_whole_panic() {
        attend(&[[0..1, 1..2]], 9, 2, 2);
    }

    #[test]
    #[should_panic(expected = "1 rows of 3 x 2 columns, 0 heads")]
    fn no_heads_panic() {
        attend(&[[0..1, 1..2]], 8, 0, 2);
    }

    #[test]
    #[should_panic(expected = "1 rows of 3 x 3 columns")]
    fn an_output_of_another_length_panics() {
        attend(&[[0..1, 1..2]], 8, 1, 3);
    }
}
