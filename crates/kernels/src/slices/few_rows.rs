//! Products of a few rows with a large matrix: the weights of one step of generation.
//!
//! Such a product is as fast as memory gives the matrix, so it is read once, in order, without being
//! packed first.

use rayon::prelude::*;

use super::simd::{prefetch, vectorized};

/// Most rows that these loops are for; with more, a general product is faster.
pub const FEW: usize = 4;
/// Columns that one task works on: 2 KiB of each row of the matrix.
const COLUMNS: usize = 512;
/// Rows of the matrix that are added at once.
const DEPTH: usize = 8;
/// Rows of a transposed matrix that one task works on.
const ROWS: usize = 64;
const LANES: usize = 64;
/// How far ahead a row is asked for, in elements: 6 KiB, beyond the page at hand.
const AHEAD: usize = 1536;

/// `out += x × matrix` for `x` `[m, k]`, `matrix` `[k, n]` and `out` `[m, n]`, with `m` at most
/// [`FEW`].
///
/// # Panics
///
/// If the lengths do not fit.
pub fn few_rows(x: &[f32], matrix: &[f32], k: usize, out: &mut [f32]) {
    let (m, n) = (x.len() / k, matrix.len() / k);
    assert!(x.len() == m * k && matrix.len() == k * n && out.len() == m * n, "{m} x {k} times {k} x {n}");
    let blocks: Vec<Vec<f32>> = (0..n.div_ceil(COLUMNS))
        .into_par_iter()
        .with_max_len(1)
        .map(|block| {
            let start = block * COLUMNS;
            let width = COLUMNS.min(n - start);
            let mut sums = vec![0.0; m * width];
            vectorized(
                #[inline(always)]
                || columns(x, matrix, k, n, start, width, &mut sums),
            );
            sums
        })
        .collect();
    for (out, row) in out.chunks_exact_mut(n).zip(0..) {
        for (out, sums) in out.chunks_mut(COLUMNS).zip(&blocks) {
            let width = out.len();
            for (out, sum) in out.iter_mut().zip(&sums[row * width..]) {
                *out += sum;
            }
        }
    }
}

#[inline(always)]
fn columns(x: &[f32], matrix: &[f32], k: usize, n: usize, start: usize, width: usize, sums: &mut [f32]) {
    for depth in (0..k).step_by(DEPTH) {
        if depth + DEPTH <= k {
            let rows: [&[f32]; DEPTH] = std::array::from_fn(|i| &matrix[(depth + i) * n + start..][..width]);
            for i in 0..DEPTH {
                let next = (depth + DEPTH + i) * n + start;
                prefetch(matrix.get(next..(next + width).min(matrix.len())).unwrap_or_default());
            }
            for (sums, x) in sums.chunks_exact_mut(width).zip(x.chunks_exact(k)) {
                let x: [f32; DEPTH] = std::array::from_fn(|i| x[depth + i]);
                for j in 0..width {
                    sums[j] = (0..DEPTH).fold(sums[j], |sum, i| x[i].mul_add(rows[i][j], sum));
                }
            }
        } else {
            for row in depth..k {
                let values = &matrix[row * n + start..][..width];
                for (sums, x) in sums.chunks_exact_mut(width).zip(x.chunks_exact(k)) {
                    for (sum, &value) in sums.iter_mut().zip(values) {
                        *sum = x[row].mul_add(value, *sum);
                    }
                }
            }
        }
    }
}

/// `out = x × matrixᵀ` for `x` `[m, k]`, `matrix` `[n, k]` and `out` `[m, n]`, with `m` at most
/// [`FEW`].
///
/// # Panics
///
/// If the lengths do not fit.
pub fn few_rows_transposed(x: &[f32], matrix: &[f32], k: usize, out: &mut [f32]) {
    let (m, n) = (x.len() / k, matrix.len() / k);
    assert!(x.len() == m * k && matrix.len() == k * n && out.len() == m * n, "{m} x {k} times {k} x {n}");
    let blocks: Vec<Vec<f32>> = matrix
        .par_chunks(ROWS * k)
        .enumerate()
        .map(|(block, rows)| {
            let mut dots = vec![0.0; m * (rows.len() / k)];
            vectorized(
                #[inline(always)]
                || {
                    for (index, (row, dots)) in rows.chunks_exact(k).zip(dots.chunks_exact_mut(m)).enumerate() {
                        let ahead = (block * ROWS + index) * k + AHEAD;
                        prefetch(matrix.get(ahead..(ahead + k).min(matrix.len())).unwrap_or_default());
                        for (dot, x) in dots.iter_mut().zip(x.chunks_exact(k)) {
                            *dot = product(row, x);
                        }
                    }
                },
            );
            dots
        })
        .collect();
    for (row, out) in out.chunks_exact_mut(n).enumerate() {
        for (out, dots) in out.chunks_mut(ROWS).zip(&blocks) {
            for (out, dots) in out.iter_mut().zip(dots.chunks_exact(m)) {
                *out = dots[row];
            }
        }
    }
}

#[inline(always)]
fn product(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}
