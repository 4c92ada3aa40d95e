//! Matrix products through the `gemm` crate.

/// A view of a matrix in a slice.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
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
        assert_eq!(data.len(), rows * columns, "a {rows} x {columns} matrix");
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
}

/// `out = left × right`, or `out += left × right` if `accumulate`; `out` is row-major
/// `[left.rows, right.columns]`. Runs on all of Rayon's threads.
///
/// # Panics
///
/// If the shapes do not fit.
#[allow(unsafe_code, clippy::cast_possible_wrap)]
pub fn matmul(out: &mut [f32], left: Matrix<'_>, right: Matrix<'_>, accumulate: bool) {
    assert_eq!(left.columns, right.rows, "inner dimensions of a product");
    assert_eq!(out.len(), left.rows * right.columns, "output of a product");
    // SAFETY: `Matrix::new` checked that each operand's slice holds rows × columns elements, and a
    // transposed view reaches the same ones; the output's length is checked above and `&mut`
    // makes it disjoint from the operands. All strides are non-negative and below these lengths.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            out.as_mut_ptr(),
            1,
            right.columns as isize,
            accumulate,
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
            gemm::Parallelism::Rayon(0),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_transposes() {
        let (a, b) = ([1., 2., 3., 4., 5., 6.], [1., 0., 2., 1., 0., 3.]);
        let mut out = [0.; 4];
        matmul(&mut out, Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 2), false);
        assert_eq!(out, [5., 11., 14., 23.]);
        matmul(&mut out, Matrix::new(&a, 2, 3), Matrix::new(&b, 2, 3).transposed(), true);
        assert_eq!(out, [12., 21., 30., 45.]);
    }
}
