//! Products of a few rows with a large matrix: the weights of one step of generation.
//!
//! Such a product is as fast as memory gives the matrix, so it is read once, in order, without being
//! packed first.

use rayon::prelude::*;

use super::{
    matrix::MatrixMut,
    simd::{dot, prefetch, vectorized},
    streamed::{columns_of_a_task, shape},
};

/// Most rows that these loops are for; with more, a general product is faster.
pub const FEW: usize = 4;
/// Most columns that one task works on: 2 KiB of each row of the matrix.
const COLUMNS: usize = 512;
/// Rows of the matrix that are added at once.
const DEPTH: usize = 8;
/// Rows of a transposed matrix that one task works on.
const ROWS: usize = 64;
/// Lanes of a dot product.
const LANES: usize = 64;
/// How far ahead a row is asked for, in elements: 6 KiB, beyond the page at hand.
const AHEAD: usize = 1536;

/// `out += x × matrix` for `x` `[m, k]`, `matrix` `[k, n]` and `out` `[m, n]`, with `m` at most
/// [`FEW`].
///
/// # Panics
///
/// If the lengths do not fit or `k` is 0.
pub fn few_rows(x: &[f32], matrix: &[f32], k: usize, out: &mut [f32]) {
    let (m, n) = shape(x, matrix, k, out);
    if out.is_empty() {
        return;
    }
    let width = columns_of_a_task(n, 16, COLUMNS);
    let tasks = MatrixMut::new(out, m, n).split_columns(width).into_par_iter().enumerate();
    tasks.with_max_len(1).for_each(|(task, mut out)| {
        vectorized(
            #[inline(always)]
            || columns(x, matrix, k, n, task * width, &mut out),
        );
    });
}

#[inline(always)]
fn columns(x: &[f32], matrix: &[f32], k: usize, n: usize, start: usize, out: &mut MatrixMut<'_>) {
    let width = out.row(0).len();
    for depth in (0..k).step_by(DEPTH) {
        if depth + DEPTH <= k {
            let rows: [&[f32]; DEPTH] = std::array::from_fn(|i| &matrix[(depth + i) * n + start..][..width]);
            for i in 0..DEPTH {
                let next = (depth + DEPTH + i) * n + start;
                prefetch(matrix.get(next..(next + width).min(matrix.len())).unwrap_or_default());
            }
            for (row, x) in x.chunks_exact(k).enumerate() {
                add_rows(&mut out.row(row)[..width], std::array::from_fn(|i| x[depth + i]), rows);
            }
        } else {
            for depth in depth..k {
                let values = &matrix[depth * n + start..][..width];
                for (row, x) in x.chunks_exact(k).enumerate() {
                    for (sum, &value) in out.row(row).iter_mut().zip(values) {
                        *sum = x[depth].mul_add(value, *sum);
                    }
                }
            }
        }
    }
}

/// A function of its own, because its signature says that `sums` and `rows` do not overlap.
#[inline(always)]
fn add_rows(sums: &mut [f32], x: [f32; DEPTH], rows: [&[f32]; DEPTH]) {
    let rows = rows.map(|row| &row[..sums.len()]);
    for j in 0..sums.len() {
        sums[j] = (0..DEPTH).fold(sums[j], |sum, i| x[i].mul_add(rows[i][j], sum));
    }
}

/// `out = x × matrixᵀ` for `x` `[m, k]`, `matrix` `[n, k]` and `out` `[m, n]`, with `m` at most
/// [`FEW`].
///
/// # Panics
///
/// If the lengths do not fit or `k` is 0.
pub fn few_rows_transposed(x: &[f32], matrix: &[f32], k: usize, out: &mut [f32]) {
    let (m, n) = shape(x, matrix, k, out);
    if out.is_empty() {
        return;
    }
    let tasks = matrix.par_chunks(ROWS * k).zip(MatrixMut::new(out, m, n).split_columns(ROWS)).enumerate();
    tasks.for_each(|(task, (rows, mut out))| {
        vectorized(
            #[inline(always)]
            || {
                for (index, row) in rows.chunks_exact(k).enumerate() {
                    let ahead = (task * ROWS + index) * k + AHEAD;
                    prefetch(matrix.get(ahead..(ahead + k).min(matrix.len())).unwrap_or_default());
                    for (to, x) in x.chunks_exact(k).enumerate() {
                        out.row(to)[index] = dot::<LANES>(row, x);
                    }
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "rows of 0 columns")]
    fn no_columns_panic() {
        few_rows(&[], &[], 0, &mut []);
    }

    #[test]
    #[should_panic(expected = "rows of 0 columns")]
    fn no_columns_of_a_transposed_matrix_panic() {
        few_rows_transposed(&[], &[], 0, &mut []);
    }

    #[test]
    #[should_panic(expected = "2 x 3 times 3 x 2")]
    fn an_output_of_another_length_panics() {
        few_rows(&[0.0; 6], &[0.0; 6], 3, &mut [0.0; 5]);
    }

    #[test]
    #[should_panic(expected = "2 x 3 times 3 x 2")]
    fn a_transposed_matrix_of_another_length_panics() {
        few_rows_transposed(&[0.0; 6], &[0.0; 7], 3, &mut [0.0; 4]);
    }

    #[test]
    fn no_rows_or_columns_give_nothing() {
        for product in [few_rows, few_rows_transposed] {
            product(&[], &[0.0; 6], 3, &mut []);
            product(&[0.0; 6], &[], 3, &mut []);
            product(&[], &[], usize::MAX, &mut []);
        }
    }
}
