//! Columns of row-major matrices.

use rayon::prelude::*;

use super::simd::vectorized;

/// Columns that one task sums over the rows.
const COLUMNS: usize = 256;

/// `x` `[m, columns]` as `[columns, m]`, into `out`.
///
/// # Panics
///
/// If the lengths do not fit.
pub fn transpose(x: &[f32], columns: usize, out: &mut [f32]) {
    const SIDE: usize = 16;
    let m = x.len() / columns.max(1);
    assert!(x.len() == m * columns && out.len() == x.len(), "{m} x {columns} numbers");
    out.par_chunks_mut((SIDE * m).max(1)).enumerate().for_each(|(block, out)| {
        let start = block * SIDE;
        // Squares, so that what is read and what is written stay in the cache.
        for first in (0..m).step_by(SIDE) {
            let height = SIDE.min(m - first);
            for (column, out) in out.chunks_exact_mut(m).enumerate() {
                for (row, out) in out[first..first + height].iter_mut().enumerate() {
                    *out = x[(first + row) * columns + start + column];
                }
            }
        }
    });
}

/// Sums of the columns of `x` `[N, C]`: the gradient of a bias.
///
/// # Panics
///
/// If `columns` is 0 or `x` has rows that are not whole.
#[must_use]
pub fn column_sums(x: &[f32], columns: usize) -> Vec<f32> {
    assert!(columns > 0 && x.len().is_multiple_of(columns), "{} numbers in rows of {columns}", x.len());
    let mut sums = vec![0.0; columns];
    sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(block, sums)| {
        vectorized(
            #[inline(always)]
            || {
                for row in x.chunks_exact(columns) {
                    for (sum, &x) in sums.iter_mut().zip(&row[block * COLUMNS..]) {
                        *sum += x;
                    }
                }
            },
        );
    });
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "6 numbers in rows of 0")]
    fn sums_of_no_columns_panic() {
        let _ = column_sums(&[0.0; 6], 0);
    }

    #[test]
    #[should_panic(expected = "7 numbers in rows of 3")]
    fn sums_of_rows_that_are_not_whole_panic() {
        let _ = column_sums(&[0.0; 7], 3);
    }

    #[test]
    #[should_panic(expected = "2 x 3 numbers")]
    fn a_transpose_of_another_length_panics() {
        transpose(&[0.0; 6], 3, &mut [0.0; 5]);
    }

    #[test]
    fn nothing_has_a_transpose() {
        transpose(&[], 0, &mut []);
        transpose(&[], usize::MAX, &mut []);
    }
}
