//! Views of matrices in slices, and their products through the `gemm` crate.
//!
//! `unsafe` is needed because blocks of a matrix that different threads write are not slices, and the
//! `gemm` crate takes pointers.

use std::{
    marker::PhantomData,
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A read-only view of a matrix in a slice.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// Starts with the first element; no element lies beyond its end.
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A row-major matrix `[rows, columns]`.
    ///
    /// # Panics
    ///
    /// If `data` has another number of elements.
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(Some(data.len()), rows.checked_mul(columns), "a {rows} x {columns} matrix");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The transpose, without moving data.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// The part with these rows and columns.
    ///
    /// # Panics
    ///
    /// If they are not within the matrix.
    #[must_use]
    pub fn block(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(columns.start <= columns.end && columns.end <= self.columns, "columns {columns:?} of {}", self.columns);
        let (rows_left, columns_left) = (rows.len(), columns.len());
        let data = if rows_left == 0 || columns_left == 0 {
            &[]
        } else {
            &self.data[rows.start * self.row_stride + columns.start * self.column_stride..]
        };
        Self { data, rows: rows_left, columns: columns_left, ..self }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(self) -> usize {
        self.columns
    }

    /// A row of a matrix that is not transposed.
    ///
    /// # Panics
    ///
    /// If there is no such row or the columns are not side by side.
    #[must_use]
    #[inline(always)]
    pub fn row(self, row: usize) -> &'a [f32] {
        assert!(row < self.rows && self.column_stride == 1, "row {row} of {}", self.rows);
        &self.data[row * self.row_stride..][..self.columns]
    }
}

/// A block of a row-major matrix that nothing else refers to.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    data: *mut f32,
    rows: usize,
    columns: usize,
    row_stride: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: a `MatrixMut` is an exclusive borrow of its elements, as `&mut [f32]` is of its own.
#[allow(unsafe_code)]
unsafe impl Send for MatrixMut<'_> {}

impl<'a> MatrixMut<'a> {
    /// A row-major matrix `[rows, columns]`.
    ///
    /// # Panics
    ///
    /// If `data` has another number of elements.
    #[must_use]
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(Some(data.len()), rows.checked_mul(columns), "a {rows} x {columns} matrix");
        Self { data: data.as_mut_ptr(), rows, columns, row_stride: columns, lifetime: PhantomData }
    }

    /// A row.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        // SAFETY: the row is within the block, and `&mut self` makes the borrow exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(row * self.row_stride), self.columns) }
    }

    /// The part with these rows, borrowed.
    ///
    /// # Panics
    ///
    /// If they are not within the block.
    #[must_use]
    pub fn rows_mut(&mut self, rows: Range<usize>) -> MatrixMut<'_> {
        self.block(rows, 0..self.columns)
    }

    /// The part with these rows and columns, borrowed.
    ///
    /// # Panics
    ///
    /// If they are not within the block.
    #[must_use]
    pub fn block(&mut self, rows: Range<usize>, columns: Range<usize>) -> MatrixMut<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(columns.start <= columns.end && columns.end <= self.columns, "columns {columns:?} of {}", self.columns);
        MatrixMut {
            // An empty block may start one past the end, where only `wrapping_add` may point.
            data: self.data.wrapping_add(rows.start * self.row_stride + columns.start),
            rows: rows.len(),
            columns: columns.len(),
            row_stride: self.row_stride,
            lifetime: PhantomData,
        }
    }

    /// Splits the block into blocks of `width` columns side by side; the last one may be narrower.
    ///
    /// # Panics
    ///
    /// If `width` is 0.
    #[must_use]
    pub fn split_columns(self, width: usize) -> Vec<MatrixMut<'a>> {
        (0..self.columns)
            .step_by(width)
            .map(|start| MatrixMut {
                data: self.data.wrapping_add(start),
                rows: self.rows,
                columns: width.min(self.columns - start),
                row_stride: self.row_stride,
                lifetime: PhantomData,
            })
            .collect()
    }
}

/// What a product is added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// Nothing: the output is overwritten.
    Zero,
    /// What the output holds.
    Output,
}

/// `out = left × right`, or `out += left × right`; runs on all of Rayon's threads.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn matmul(out: MatrixMut<'_>, left: Matrix<'_>, right: Matrix<'_>, onto: Onto) {
    let started = Instant::now();
    // The sizes of a matrix without elements, which costs nothing, can be as large as they like.
    let operations = left.rows.saturating_mul(left.columns).saturating_mul(right.columns).saturating_mul(2);
    product(out, left, right, onto, gemm::Parallelism::Rayon(0));
    let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    NANOSECONDS.fetch_add(nanoseconds, Ordering::Relaxed);
    OPERATIONS.fetch_add(operations as u64, Ordering::Relaxed);
}

static NANOSECONDS: AtomicU64 = AtomicU64::new(0);
static OPERATIONS: AtomicU64 = AtomicU64::new(0);

/// Time that this process has spent in [`matmul`] so far, and the additions and multiplications done
/// in it: what a benchmark needs to say how much of a step is not matrix products.
#[must_use]
pub fn matmul_totals() -> (Duration, u64) {
    (Duration::from_nanos(NANOSECONDS.load(Ordering::Relaxed)), OPERATIONS.load(Ordering::Relaxed))
}

/// [`matmul`] on the calling thread, for small blocks inside parallel loops.
///
/// # Panics
///
/// If the shapes do not fit.
pub fn matmul_serial(out: MatrixMut<'_>, left: Matrix<'_>, right: Matrix<'_>, onto: Onto) {
    product(out, left, right, onto, gemm::Parallelism::None);
}

// The output is taken by value because it is an exclusive borrow.
#[allow(unsafe_code, clippy::cast_possible_wrap, clippy::needless_pass_by_value)]
fn product(out: MatrixMut<'_>, left: Matrix<'_>, right: Matrix<'_>, onto: Onto, parallelism: gemm::Parallelism) {
    assert_eq!(left.columns, right.rows, "inner dimensions of a product");
    assert_eq!((out.rows, out.columns), (left.rows, right.columns), "output of a product");
    if out.rows == 0 || out.columns == 0 {
        return;
    }
    // SAFETY: the constructors of the views checked that every element lies within their slices,
    // and blocks and transposes reach no others; the dimensions fit, as checked above. `out` is an
    // exclusive borrow and so disjoint from the operands. Strides are at most the slices' lengths, and so
    // not negative; only those of operands without elements can be anything, and these are not read.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            out.data,
            1,
            out.row_stride as isize,
            onto == Onto::Output,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice this is 0 where it wraps.
    const HALF: usize = 1 << (usize::BITS - 1);

    #[test]
    #[should_panic(expected = "x 2 matrix")]
    fn a_matrix_whose_size_wraps_panics() {
        let _ = Matrix::new(&[], HALF, 2);
    }

    #[test]
    #[should_panic(expected = "a 2 x ")]
    fn a_matrix_to_write_whose_size_wraps_panics() {
        let _ = MatrixMut::new(&mut [], 2, HALF);
    }

    #[test]
    #[should_panic(expected = "rows 0..4 of 3")]
    fn a_block_outside_panics() {
        let _ = Matrix::new(&[0.0; 6], 3, 2).block(0..4, 0..2);
    }

    #[test]
    #[should_panic(expected = "columns 1..3 of 2")]
    fn a_block_to_write_outside_panics() {
        let _ = MatrixMut::new(&mut [0.0; 6], 3, 2).block(0..3, 1..3);
    }

    #[test]
    #[should_panic(expected = "row 3 of 3")]
    fn a_row_outside_panics() {
        let _ = MatrixMut::new(&mut [0.0; 6], 3, 2).row(3);
    }

    #[test]
    #[should_panic(expected = "row 0 of 2")]
    fn a_row_of_columns_that_are_apart_panics() {
        let _ = Matrix::new(&[0.0; 6], 3, 2).transposed().row(0);
    }

    #[test]
    #[should_panic(expected = "step != 0")]
    fn columns_split_into_nothing_panic() {
        let _ = MatrixMut::new(&mut [0.0; 6], 3, 2).split_columns(0);
    }

    #[test]
    #[should_panic(expected = "inner dimensions of a product")]
    fn a_product_of_other_shapes_panics() {
        let x = [0.0; 6];
        matmul(MatrixMut::new(&mut [0.0; 4], 2, 2), Matrix::new(&x, 2, 3), Matrix::new(&x[..4], 2, 2), Onto::Zero);
    }

    #[test]
    #[should_panic(expected = "output of a product")]
    fn a_product_into_another_shape_panics() {
        let x = [0.0; 6];
        matmul(MatrixMut::new(&mut [0.0; 6], 2, 3), Matrix::new(&x, 2, 3), Matrix::new(&x, 3, 2), Onto::Zero);
    }

    #[test]
    fn matrices_without_elements_multiply() {
        let none = Matrix::new(&[], usize::MAX, 0);
        matmul(MatrixMut::new(&mut [], usize::MAX, 0), none, Matrix::new(&[], 0, 0), Onto::Zero);
        matmul(MatrixMut::new(&mut [], 0, usize::MAX), Matrix::new(&[], 0, 0), none.transposed(), Onto::Zero);
        let mut out = [1.0; 2];
        let narrow = none.transposed().block(0..0, 0..2);
        matmul(MatrixMut::new(&mut out, 1, 2), Matrix::new(&[], 1, 0), narrow, Onto::Output);
        assert_eq!(out, [1.0; 2]);
        matmul_serial(MatrixMut::new(&mut out, 1, 2), Matrix::new(&[], 1, 0), narrow, Onto::Zero);
        assert_eq!(out, [0.0; 2]);
    }

    #[test]
    fn blocks_without_elements_have_empty_rows() {
        let mut data = [0.0; 6];
        let mut matrix = MatrixMut::new(&mut data, 3, 2);
        for column in 0..=2 {
            let mut none = matrix.block(0..3, column..column);
            assert!((0..3).all(|row| none.row(row).is_empty()));
        }
        assert!(MatrixMut::new(&mut [], usize::MAX, 0).row(usize::MAX - 1).is_empty());
        assert!(Matrix::new(&[], usize::MAX, 0).row(usize::MAX - 1).is_empty());
    }

    #[test]
    fn products_and_transposes() {
        let (a, b) = ([1., 2., 3., 4., 5., 6.], [1., 0., 2., 1., 0., 3.]);
        let mut out = [0.; 4];
        matmul(MatrixMut::new(&mut out, 2, 2), Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 2), Onto::Zero);
        assert_eq!(out, [5., 11., 14., 23.]);
        let right = Matrix::new(&b, 2, 3).transposed();
        matmul_serial(MatrixMut::new(&mut out, 2, 2), Matrix::new(&a, 2, 3), right, Onto::Output);
        assert_eq!(out, [12., 21., 30., 45.]);
    }

    #[test]
    fn blocks_are_disjoint_and_in_place() {
        let mut data = [0.0; 3 * 5];
        let blocks = MatrixMut::new(&mut data, 3, 5).split_columns(2);
        std::thread::scope(|scope| {
            for (mut block, value) in blocks.into_iter().zip([1.0, 2.0, 3.0]) {
                scope.spawn(move || (0..3).for_each(|row| block.row(row).fill(value)));
            }
        });
        assert_eq!(data, [1., 1., 2., 2., 3.].repeat(3)[..]);
        let mut matrix = MatrixMut::new(&mut data, 3, 5);
        matrix.block(1..3, 1..4).row(1).fill(9.0);
        assert!(matrix.block(3..3, 5..5).rows_mut(0..0).split_columns(1).is_empty());
        assert_eq!(Matrix::new(&data, 3, 5).block(2..3, 0..5).row(0), [1., 9., 9., 9., 3.]);
        assert_eq!(Matrix::new(&data, 3, 5).transposed().block(4..5, 2..3).transposed().row(0), [3.]);
    }
}
