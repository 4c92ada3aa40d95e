//! Products of some rows with a large matrix that is read once, from memory.
//!
//! With 5 to 64 rows a general product spends its time on rearranging the matrix. Here the rows are
//! rearranged, `[k, m]`, and stay in the cache; the matrix streams by, a few of its columns against all
//! rows at once.

use pulp::{Arch, NullaryFnOnce, Simd, WithSimd};
use rayon::prelude::*;

use super::{matrix::MatrixMut, simd::prefetch_line};

/// Most rows that [`streamed`] is faster for than a general product.
pub const SOME: usize = 64;
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
/// If the lengths do not fit or `k` is 0.
pub fn streamed(x: &[f32], matrix: &[f32], stored: Stored, k: usize, out: &mut [f32]) {
    let (m, n) = shape(x, matrix, k, out);
    if out.is_empty() {
        return;
    }
    Arch::new().dispatch(Product { x, matrix, stored, k, m, n, out: MatrixMut::new(out, m, n) });
}

/// The rows of `x`, `[m, k]`, and the columns of a matrix of `k` rows, whose product fills `out`.
pub(super) fn shape(x: &[f32], matrix: &[f32], k: usize, out: &[f32]) -> (usize, usize) {
    assert!(k > 0, "a product of rows of 0 columns");
    let (m, n) = (x.len() / k, matrix.len() / k);
    let fits = x.len() == m * k && matrix.len() == k * n && m.checked_mul(n) == Some(out.len());
    assert!(fits, "{m} x {k} times {k} x {n}");
    (m, n)
}

/// Columns of an output of `n` that one task works on, a multiple of `unit`, at most `most`: as many
/// tasks for each thread as for the next.
pub(super) fn columns_of_a_task(n: usize, unit: usize, most: usize) -> usize {
    let threads = rayon::current_num_threads();
    let tasks = n.div_ceil(most).next_multiple_of(threads);
    n.div_ceil(tasks).next_multiple_of(unit)
}

struct Product<'a> {
    x: &'a [f32],
    matrix: &'a [f32],
    stored: Stored,
    k: usize,
    m: usize,
    n: usize,
    out: MatrixMut<'a>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Tiles that fill the registers.
        match (S::REGISTER_COUNT >= 32, self.stored, self.m <= S::F32_LANES) {
            (true, Stored::ByRow, _) => self.by_row::<S, 8, 3>(simd),
            (false, Stored::ByRow, _) => self.by_row::<S, 4, 3>(simd),
            (true, Stored::Transposed, true) => self.transposed::<S, 8, 1>(simd),
            (true, Stored::Transposed, false) => self.transposed::<S, 8, 2>(simd),
            (false, Stored::Transposed, true) => self.transposed::<S, 6, 1>(simd),
            (false, Stored::Transposed, false) => self.transposed::<S, 6, 2>(simd),
        }
    }
}

impl Product<'_> {
    /// Tiles of `ROWS` rows of `x` by `VECTORS` vectors of columns.
    fn by_row<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S) {
        let Self { x, matrix, k, m, n, out, .. } = self;
        let width = VECTORS * S::F32_LANES;
        let rows = turned(x, k, ROWS);
        let groups = m.div_ceil(ROWS);
        let columns = columns_of_a_task(n, width, 10 * width);
        out.split_columns(columns).into_par_iter().enumerate().with_max_len(1).for_each(|(task, mut out)| {
            let start = task * columns;
            let columns = columns.min(n - start);
            // Rows of the matrix and of the output often lie a multiple of 4 KiB apart, where they push
            // each other out of the cache, so what is used several times is used side by side:
            // [columns / width, groups × ROWS, width] and [DEPTH, width].
            let mut sums = vec![0.0; columns.div_ceil(width) * groups * ROWS * width];
            let mut panel = vec![0.0; DEPTH * width];
            simd.vectorize(Call(
                #[inline(always)]
                || {
                    for depth in (0..k).step_by(DEPTH) {
                        let count = DEPTH.min(k - depth);
                        for (tile, sums) in sums.chunks_exact_mut(groups * ROWS * width).enumerate() {
                            let column = tile * width;
                            let left = width.min(columns - column);
                            if left < width {
                                for (row, panel) in panel.chunks_exact_mut(width).enumerate().take(count) {
                                    let values = &matrix[(depth + row) * n + start + column..][..left];
                                    panel[..left].copy_from_slice(values);
                                }
                            }
                            // What comes next is asked for while these columns are worked on, each
                            // group of rows taking its share.
                            let next = if column + width < columns {
                                depth * n + start + column + width
                            } else {
                                (depth + count) * n + start
                            };
                            let tiles = sums.chunks_exact_mut(ROWS * width).zip(rows.chunks_exact(k * ROWS));
                            for (group, (sums, rows)) in tiles.enumerate() {
                                let rows = rows[depth * ROWS..][..count * ROWS].as_chunks::<ROWS>().0;
                                let mut row = next;
                                let ahead = inlined(
                                    #[inline(always)]
                                    || {
                                        let mut line = group;
                                        while line < VECTORS {
                                            prefetch_line(matrix, row + line * S::F32_LANES);
                                            line += groups;
                                        }
                                        row += n;
                                    },
                                );
                                if left == width && group == 0 {
                                    let values = matrix[depth * n + start + column..].chunks(n);
                                    let panel = panel.chunks_exact_mut(width);
                                    tile_by_row::<S, ROWS, VECTORS>(
                                        simd,
                                        rows,
                                        values.zip(panel).map(copied::<S, VECTORS>),
                                        ahead,
                                        sums,
                                    );
                                } else {
                                    let values = panel.chunks_exact(width).map(vectors::<S, VECTORS>);
                                    tile_by_row::<S, ROWS, VECTORS>(simd, rows, values, ahead, sums);
                                }
                            }
                        }
                    }
                    for (tile, sums) in sums.chunks_exact(groups * ROWS * width).enumerate() {
                        for (row, sums) in sums.chunks_exact(width).enumerate().take(m) {
                            for (out, sum) in out.row(row)[tile * width..].iter_mut().zip(sums) {
                                *out += sum;
                            }
                        }
                    }
                },
            ));
        });
    }

    /// Tiles of `COLS` columns of the matrix by vectors of rows of `x`.
    fn transposed<S: Simd, const COLS: usize, const VECTORS: usize>(self, simd: S) {
        let Self { x, matrix, k, m, n, out, .. } = self;
        let height = VECTORS * S::F32_LANES;
        let rows = turned(x, k, height);
        let columns = columns_of_a_task(n, COLS, 64 * COLS);
        out.split_columns(columns).into_par_iter().enumerate().with_max_len(1).for_each(|(task, mut out)| {
            let mut values = vec![0.0; height];
            simd.vectorize(Call(
                #[inline(always)]
                || {
                    let start = task * columns;
                    let columns = columns.min(n - start);
                    for first in (0..columns).step_by(COLS) {
                        // Beyond the last column, the last one again.
                        let tile_columns: [&[f32]; COLS] =
                            std::array::from_fn(|i| &matrix[(start + (first + i).min(columns - 1)) * k..][..k]);
                        for (group, rows) in rows.chunks_exact(k * height).enumerate() {
                            let rows = S::as_simd_f32s(rows).0;
                            // The next columns, while these are worked on.
                            let next = (start + first + COLS) * k;
                            let tile = tile_transposed::<S, COLS, VECTORS>(
                                simd,
                                tile_columns,
                                rows.as_chunks().0,
                                #[inline(always)]
                                |depth| {
                                    if group == 0 {
                                        prefetch_line(matrix, next + depth * COLS);
                                    }
                                },
                            );
                            for (column, sums) in tile.into_iter().enumerate().take(columns - first) {
                                for (to, from) in S::as_mut_simd_f32s(&mut values).0.iter_mut().zip(sums) {
                                    *to = from;
                                }
                                for (row, &value) in values.iter().enumerate().take(m - group * height) {
                                    out.row(group * height + row)[first + column] += value;
                                }
                            }
                        }
                    }
                },
            ));
        });
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

struct Call<F>(F);

impl<F: FnMut()> NullaryFnOnce for Call<F> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        (self.0)();
    }
}

/// A closure as it is: an attribute on one needs it to be an argument.
#[inline(always)]
fn inlined<F: FnMut()>(closure: F) -> F {
    closure
}

/// Vectors of a row.
#[inline(always)]
fn vectors<S: Simd, const VECTORS: usize>(values: &[f32]) -> [S::f32s; VECTORS] {
    let values = S::as_simd_f32s(&values[..VECTORS * S::F32_LANES]).0;
    std::array::from_fn(|j| values[j])
}

/// Vectors of a row, written to another place too.
#[inline(always)]
fn copied<S: Simd, const VECTORS: usize>((values, copy): (&[f32], &mut [f32])) -> [S::f32s; VECTORS] {
    let values = vectors::<S, VECTORS>(values);
    S::as_mut_simd_f32s(copy).0[..VECTORS].copy_from_slice(&values);
    values
}

/// Adds the products of rows of `x`, `[depth, ROWS]`, with vectors of the matrix to `sums`
/// `[ROWS, VECTORS × lanes]`.
#[inline(always)]
fn tile_by_row<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: &[[f32; ROWS]],
    values: impl Iterator<Item = [S::f32s; VECTORS]>,
    mut ahead: impl FnMut(),
    sums: &mut [f32],
) {
    let mut tile = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (rows, values) in rows.iter().zip(values) {
        ahead();
        for i in 0..ROWS {
            let row = simd.splat_f32s(rows[i]);
            for j in 0..VECTORS {
                tile[i][j] = simd.mul_add_e_f32s(row, values[j], tile[i][j]);
            }
        }
    }
    let sums = &mut S::as_mut_simd_f32s(sums).0[..ROWS * VECTORS];
    for i in 0..ROWS {
        for j in 0..VECTORS {
            sums[i * VECTORS + j] = simd.add_f32s(sums[i * VECTORS + j], tile[i][j]);
        }
    }
}

#[inline(always)]
fn tile_transposed<S: Simd, const COLS: usize, const VECTORS: usize>(
    simd: S,
    columns: [&[f32]; COLS],
    rows: &[[S::f32s; VECTORS]],
    ahead: impl Fn(usize),
) -> [[S::f32s; VECTORS]; COLS] {
    let columns = columns.map(|column| &column[..rows.len()]);
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; COLS];
    for (depth, rows) in rows.iter().enumerate() {
        ahead(depth);
        for i in 0..COLS {
            let column = simd.splat_f32s(columns[i][depth]);
            for j in 0..VECTORS {
                sums[i][j] = simd.mul_add_e_f32s(column, rows[j], sums[i][j]);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "rows of 0 columns")]
    fn no_columns_panic() {
        streamed(&[], &[], Stored::ByRow, 0, &mut []);
    }

    #[test]
    #[should_panic(expected = "2 x 3 times 3 x 2")]
    fn an_output_of_another_length_panics() {
        streamed(&[0.0; 6], &[0.0; 6], Stored::ByRow, 3, &mut [0.0; 5]);
    }

    #[test]
    #[should_panic(expected = "2 x 3 times 3 x 2")]
    fn rows_that_are_not_whole_panic() {
        streamed(&[0.0; 7], &[0.0; 6], Stored::Transposed, 3, &mut [0.0; 4]);
    }

    #[test]
    fn no_rows_or_columns_give_nothing() {
        for stored in [Stored::ByRow, Stored::Transposed] {
            streamed(&[], &[0.0; 6], stored, 3, &mut []);
            streamed(&[0.0; 6], &[], stored, 3, &mut []);
        }
    }
}
