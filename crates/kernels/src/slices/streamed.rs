//! Products of some rows with a large matrix that is read once, from memory.
//!
//! With 5 to 64 rows a general product spends its time on rearranging the matrix. Here the rows are
//! rearranged, `[k, m]`, and stay in the cache; the matrix streams by, a few of its columns against all
//! rows at once.

use std::array;

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};
use rayon::prelude::*;

use super::simd::prefetch;

/// Most rows that [`streamed`] is faster for than a general product.
pub const SOME: usize = 64;
/// Columns of the matrix that one task works on, a multiple of the tiles' widths.
const COLUMNS: usize = 480;
/// Rows of the matrix that are worked on at once.
const DEPTH: usize = 64;

/// How the matrix lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// `[k, n]`, as a layer's weight.
    ByRow,
    /// `[n, k]`, as an output head.
    Transposed,
}

/// `out += x × matrix` for `x` `[m, k]`, a `matrix` of `k` rows and `n` columns, and `out` `[m, n]`.
///
/// # Panics
///
/// If the lengths do not fit.
pub fn streamed(x: &[f32], matrix: &[f32], stored: Stored, k: usize, out: &mut [f32]) {
    let (m, n) = (x.len() / k, matrix.len() / k);
    assert!(x.len() == m * k && matrix.len() == k * n && out.len() == m * n, "{m} x {k} times {k} x {n}");
    Arch::new().dispatch(Product { x, matrix, stored, k, m, n, out });
}

struct Product<'a> {
    x: &'a [f32],
    matrix: &'a [f32],
    stored: Stored,
    k: usize,
    m: usize,
    n: usize,
    out: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Tiles that fill the registers.
        match (S::REGISTER_COUNT >= 32, self.stored, self.m <= S::F32_LANES) {
            (true, Stored::ByRow, _) => self.by_row::<S, 12>(simd),
            (false, Stored::ByRow, _) => self.by_row::<S, 6>(simd),
            (true, Stored::Transposed, true) => self.transposed::<S, 12, 1>(simd),
            (true, Stored::Transposed, false) => self.transposed::<S, 12, 2>(simd),
            (false, Stored::Transposed, true) => self.transposed::<S, 6, 1>(simd),
            (false, Stored::Transposed, false) => self.transposed::<S, 6, 2>(simd),
        }
    }
}

impl Product<'_> {
    /// Tiles of `ROWS` rows of `x` by two vectors of columns.
    fn by_row<S: Simd, const ROWS: usize>(self, simd: S) {
        let Self { x, matrix, k, m, n, out, .. } = self;
        let width = 2 * S::F32_LANES;
        let groups = m.div_ceil(ROWS);
        let rows = turned(x, k, ROWS);
        let block = |start: usize| -> Vec<f32> {
            let columns = COLUMNS.min(n - start);
            let padded = columns.next_multiple_of(width);
            // [groups × ROWS, padded]
            let mut sums = vec![0.0; groups * ROWS * padded];
            let mut edge = vec![0.0; DEPTH * width];
            for depth in (0..k).step_by(DEPTH) {
                let count = DEPTH.min(k - depth);
                simd.vectorize(Call(
                    #[inline(always)]
                    || {
                        for column in (0..columns).step_by(width) {
                            let whole = column + width <= columns;
                            let (values, stride) = if whole {
                                (&matrix[depth * n + start + column..], n)
                            } else {
                                for row in 0..count {
                                    let values = &matrix[(depth + row) * n + start..][column..columns];
                                    edge[row * width..][..values.len()].copy_from_slice(values);
                                }
                                (&edge[..], width)
                            };
                            for group in 0..groups {
                                let rows = &rows[(group * k + depth) * ROWS..][..count * ROWS];
                                let rows = rows.as_chunks::<ROWS>().0;
                                let tile = tile_by_row::<S, ROWS>(simd, rows, values, stride);
                                for row in 0..ROWS {
                                    let sums = &mut sums[(group * ROWS + row) * padded + column..][..width];
                                    let sums = S::as_mut_simd_f32s(sums).0;
                                    sums[0] = simd.add_f32s(sums[0], tile[row][0]);
                                    sums[1] = simd.add_f32s(sums[1], tile[row][1]);
                                }
                            }
                            // What the next rows hold of these columns.
                            for row in depth + count..(depth + 2 * count).min(k) {
                                let ahead = row * n + start + column;
                                prefetch(&matrix[ahead..(ahead + width).min(matrix.len())]);
                            }
                        }
                    },
                ));
            }
            sums.chunks_exact(padded).take(m).flat_map(|sums| &sums[..columns]).copied().collect()
        };
        let blocks: Vec<Vec<f32>> = (0..n).into_par_iter().step_by(COLUMNS).with_max_len(1).map(block).collect();
        add_blocks(&blocks, n, out);
    }

    /// Tiles of `COLS` columns of the matrix by vectors of rows of `x`.
    fn transposed<S: Simd, const COLS: usize, const VECTORS: usize>(self, simd: S) {
        let Self { x, matrix, k, m, n, out, .. } = self;
        let height = VECTORS * S::F32_LANES;
        let groups = m.div_ceil(height);
        let rows = turned(x, k, height);
        let block = |start: usize| -> Vec<f32> {
            let columns = COLUMNS.min(n - start);
            // [m, columns]
            let mut block = vec![0.0; m * columns];
            let mut values = vec![0.0; height];
            simd.vectorize(Call(
                #[inline(always)]
                || {
                    for first in (0..columns).step_by(COLS) {
                        // Beyond the last column, the last one again.
                        let tile_columns: [&[f32]; COLS] =
                            array::from_fn(|i| &matrix[(start + (first + i).min(columns - 1)) * k..][..k]);
                        for group in 0..groups {
                            let rows = S::as_simd_f32s(&rows[group * k * height..][..k * height]).0;
                            let tile = tile_transposed::<S, COLS, VECTORS>(simd, tile_columns, rows.as_chunks().0);
                            for column in 0..COLS.min(columns - first) {
                                for (to, from) in S::as_mut_simd_f32s(&mut values).0.iter_mut().zip(tile[column]) {
                                    *to = from;
                                }
                                for (row, &value) in values.iter().enumerate().take(m - group * height) {
                                    block[(group * height + row) * columns + first + column] = value;
                                }
                            }
                        }
                    }
                },
            ));
            block
        };
        let blocks: Vec<Vec<f32>> = (0..n).into_par_iter().step_by(COLUMNS).with_max_len(1).map(block).collect();
        add_blocks(&blocks, n, out);
    }
}

/// `x` `[m, k]` as `[m / height, k, height]`, with zeros beyond the last row.
fn turned(x: &[f32], k: usize, height: usize) -> Vec<f32> {
    let groups = (x.len() / k).div_ceil(height);
    let mut turned = vec![0.0; groups * k * height];
    for (row, values) in x.chunks_exact(k).enumerate() {
        let group = &mut turned[row / height * k * height..][..k * height];
        for (to, &value) in group.chunks_exact_mut(height).zip(values) {
            to[row % height] = value;
        }
    }
    turned
}

/// Adds blocks `[m, COLUMNS]` side by side to `out` `[m, n]`.
fn add_blocks(blocks: &[Vec<f32>], n: usize, out: &mut [f32]) {
    for (row, out) in out.chunks_exact_mut(n).enumerate() {
        for (out, sums) in out.chunks_mut(COLUMNS).zip(blocks) {
            let width = out.len();
            for (out, sum) in out.iter_mut().zip(&sums[row * width..]) {
                *out += sum;
            }
        }
    }
}

struct Call<F>(F);

impl<F: FnMut()> NullaryFnOnce for Call<F> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        (self.0)();
    }
}

#[inline(always)]
fn tile_by_row<S: Simd, const ROWS: usize>(
    simd: S,
    rows: &[[f32; ROWS]],
    values: &[f32],
    stride: usize,
) -> [[S::f32s; 2]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
    for (rows, values) in rows.iter().zip(values.chunks(stride)) {
        let values = S::as_simd_f32s(&values[..2 * S::F32_LANES]).0;
        let (left, right) = (values[0], values[1]);
        for i in 0..ROWS {
            let row = simd.splat_f32s(rows[i]);
            sums[i][0] = simd.mul_add_e_f32s(row, left, sums[i][0]);
            sums[i][1] = simd.mul_add_e_f32s(row, right, sums[i][1]);
        }
    }
    sums
}

#[inline(always)]
fn tile_transposed<S: Simd, const COLS: usize, const VECTORS: usize>(
    simd: S,
    columns: [&[f32]; COLS],
    rows: &[[S::f32s; VECTORS]],
) -> [[S::f32s; VECTORS]; COLS] {
    let columns = columns.map(|column| &column[..rows.len()]);
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; COLS];
    for (depth, rows) in rows.iter().enumerate() {
        for i in 0..COLS {
            let column = simd.splat_f32s(columns[i][depth]);
            for j in 0..VECTORS {
                sums[i][j] = simd.mul_add_e_f32s(column, rows[j], sums[i][j]);
            }
        }
    }
    sums
}
