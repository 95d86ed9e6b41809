//! A safe face for the `gemm` crate: matrices as slices with strides, the destination row-major.

use crate::element::Element;
use crate::parallel::gemm_parallelism;

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
    assert_eq!(right.n_rows, left.n_columns, "inner sizes of a matrix product");
    assert_eq!(destination.len(), left.n_rows * right.n_columns, "size of the destination of a matrix product");
    if left.n_columns == 0 && write == Write::Overwrite {
        destination.fill(T::ZERO);
    }
    // SAFETY: the destination is an exclusive row-major slice of M * N elements, and the inner sizes are equal.
    unsafe { run(destination.as_mut_ptr(), left, right, write, parallelism) }
}

/// `left [M, K] right [K, N]` as a new row-major matrix, by all threads of the current pool.
pub(crate) fn product<T: Element>(left: Matrix<'_, T>, right: Matrix<'_, T>) -> Vec<T> {
    assert_eq!(right.n_rows, left.n_columns, "inner sizes of a matrix product");
    let len = left.n_rows * right.n_columns;
    if left.n_columns == 0 {
        return vec![T::ZERO; len];
    }
    let mut values = Vec::with_capacity(len);
    // SAFETY: the capacity is that of an M x N matrix, and the inner sizes are equal. With an inner size above zero
    // `gemm` reads no element of a destination that it overwrites, and writes every one, so `len` elements are set.
    unsafe {
        run(values.as_mut_ptr(), left, right, Write::Overwrite, gemm_parallelism());
        values.set_len(len);
    }
    values
}

/// # Safety
/// `destination` has room for a row-major matrix `[M, N]`, whose elements are set if it is added to. The inner sizes of
/// `left [M, K]` and `right [K, N]` are equal.
unsafe fn run<T: Element>(
    destination: *mut T,
    left: Matrix<'_, T>,
    right: Matrix<'_, T>,
    write: Write,
    parallelism: gemm::Parallelism,
) {
    let (m, k, n) = (left.n_rows, left.n_columns, right.n_columns);
    // SAFETY: the constructors of `Matrix` check that all strided elements lie inside of their slices, the caller vouches
    // for the destination, and `Element` is implemented for f32 and f64 only.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            destination,
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
