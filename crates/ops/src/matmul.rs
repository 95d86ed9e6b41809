//! A safe face for the `gemm` crate: matrices as slices with strides, the destination row-major.

use crate::element::Element;

/// A matrix inside of a slice; strides are in elements.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    data: &'a [T],
    n_rows: usize,
    n_columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    pub(crate) fn row_major(data: &'a [T], n_rows: usize, n_columns: usize) -> Self {
        Self::with_row_stride(data, n_rows, n_columns, n_columns)
    }

    /// Rows may overlap: a convolution reads windows of one image row this way.
    pub(crate) fn with_row_stride(data: &'a [T], n_rows: usize, n_columns: usize, row_stride: usize) -> Self {
        if n_rows > 0 && n_columns > 0 {
            assert!(data.len() >= (n_rows - 1) * row_stride + n_columns, "a matrix larger than its slice");
        }
        Self { data, n_rows, n_columns, row_stride, column_stride: 1 }
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            n_rows: self.n_columns,
            n_columns: self.n_rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// What a product does with the old content of its destination.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Write {
    Overwrite,
    Add,
}

/// `destination [M, N] = left [M, K] right [K, N]`, or `+=`.
///
/// Every element of the destination is summed over `K` in an order that depends on the sizes only, so the bits do not
/// depend on `parallelism`.
pub(crate) fn multiply<T: Element>(
    destination: &mut [T],
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    write: Write,
    parallelism: gemm::Parallelism,
) {
    let (m, k, n) = (left.n_rows, left.n_columns, right.n_columns);
    assert_eq!(right.n_rows, k, "inner sizes of a matrix product");
    assert_eq!(destination.len(), m * n, "size of the destination of a matrix product");
    // SAFETY: the constructors of `Matrix` check that all strided elements lie inside of their slices, the destination
    // is an exclusive row-major slice of m * n elements, and `Element` is implemented for f32 and f64 only.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            destination.as_mut_ptr(),
            1,
            n as isize,
            write == Write::Add,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            parallelism,
        );
    }
}
