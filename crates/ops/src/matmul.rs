//! Matrix products: a safe interface to the `gemm` crate, whose matrices are slices with strides.
//!
//! The destination is row-major and is cut into pieces, one for each of this crate's threads. The threads of `gemm`
//! itself share their packed blocks and wait for each other, which costs more than packing twice when a batch has some
//! hundred rows.
//!
//! Shapes: `M` rows and `N` columns of the destination, `K` terms of each sum.

use std::ops::Range;

use rayon::prelude::*;

use crate::element::Element;
use crate::parallel::is_serial;

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

    fn rows(self, rows: &Range<usize>) -> Self {
        Self { data: &self.data[rows.start * self.row_stride..], n_rows: rows.len(), ..self }
    }

    fn columns(self, columns: &Range<usize>) -> Self {
        self.transposed().rows(columns).transposed()
    }
}

/// `destination [M, N] = left [M, K] right [K, N]`, by one thread.
pub(crate) fn multiply<T: Element>(destination: &mut [T], left: Matrix<'_, T>, right: Matrix<'_, T>) {
    assert_eq!(right.n_rows, left.n_columns, "inner sizes of a matrix product");
    assert_eq!(destination.len(), left.n_rows * right.n_columns, "size of the destination of a matrix product");
    // SAFETY: the destination is an exclusive row-major slice of M * N elements, and the inner sizes are equal.
    unsafe { run(destination.as_mut_ptr(), right.n_columns, left, right) }
}

/// `left [M, K] right [K, N]` as a new row-major matrix, by all threads of the current pool.
///
/// Every element is summed over `K` in an order that depends on the sizes but not on the pieces (see [`MIN_PIECE`]).
pub(crate) fn product<T: Element>(left: Matrix<'_, T>, right: Matrix<'_, T>) -> Vec<T> {
    assert_eq!(right.n_rows, left.n_columns, "inner sizes of a matrix product");
    let (n_rows, n_columns) = (left.n_rows, right.n_columns);
    let len = n_rows * n_columns;
    let mut values = Vec::with_capacity(len);
    let destination = Shared(values.as_mut_ptr());
    // the longer side is cut, so that less is packed twice
    let is_cut_in_rows = n_rows >= n_columns;
    let work = |piece: Range<usize>| {
        let (offset, left, right) = match is_cut_in_rows {
            true => (piece.start * n_columns, left.rows(&piece), right),
            false => (piece.start, left, right.columns(&piece)),
        };
        // SAFETY: the pieces are disjoint rows or columns of a row-major matrix for which memory is reserved at the
        // pointer, and the inner sizes are equal.
        unsafe { run(destination.at(offset), n_columns, left, right) }
    };
    let pieces = pieces(n_rows.max(n_columns), n_rows.min(n_columns), left.n_columns);
    if is_serial(pieces.len()) {
        pieces.into_iter().for_each(work);
    } else {
        pieces.into_par_iter().for_each(work);
    }
    // SAFETY: the pieces cover the matrix, and `run` writes every element of a piece.
    unsafe { values.set_len(len) };
    values
}

/// Multiplications for which a second thread pays.
const MIN_SHARED_WORK: usize = 1 << 20;
/// Pieces begin at multiples of this, the longest vector, so that only the last one has an odd edge.
const PIECE_UNIT: usize = 16;
/// Units of the smallest piece. The library sums in another order where both sides are at most 64, or the whole has at
/// most 256 elements. A piece must not be so small where the whole product is not, or its sums would have other bits.
const MIN_PIECE: usize = 5;
/// The shorter side from which on pieces are cut, for the same reason.
const MIN_SHORT_SIDE: usize = 4;
/// Units of a piece that is long enough to be halved: a thread that is held up then leaves something to the others.
const LONG_PIECE: usize = 32;

/// Cuts the longer side of a product for the threads of the current pool.
fn pieces(side: usize, short_side: usize, depth: usize) -> Vec<Range<usize>> {
    let n_threads = rayon::current_num_threads();
    let n_units = side.div_ceil(PIECE_UNIT);
    let is_shared = short_side >= MIN_SHORT_SIDE && side * short_side * depth >= MIN_SHARED_WORK;
    let n_pieces = match is_shared {
        false => 1,
        true if n_units >= n_threads * LONG_PIECE => 2 * n_threads,
        true => n_threads.min(n_units / MIN_PIECE).max(1),
    };
    let start = |nth: usize| (n_units * nth / n_pieces * PIECE_UNIT).min(side);
    (0..n_pieces).map(|nth| start(nth)..start(nth + 1)).collect()
}

/// A destination that threads write to at disjoint positions.
struct Shared<T>(*mut T);

// SAFETY: the callers of `at` write to disjoint positions only.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// # Safety
    /// The allocation holds at least `offset` elements.
    unsafe fn at(&self, offset: usize) -> *mut T {
        // SAFETY: the caller vouches for the offset
        unsafe { self.0.add(offset) }
    }
}

/// Sets `destination [M, N]`, whose rows start every `row_stride` elements, to `left [M, K] right [K, N]`.
///
/// # Safety
/// `destination` points to memory for such a matrix, and no other thread reads or writes its elements. The inner sizes
/// are equal.
unsafe fn run<T: Element>(destination: *mut T, row_stride: usize, left: Matrix<'_, T>, right: Matrix<'_, T>) {
    let (m, k, n) = (left.n_rows, left.n_columns, right.n_columns);
    if k == 0 {
        for row in 0..m {
            // SAFETY: the caller vouches for `M` rows of `N` elements; zeros are numbers of both element types
            unsafe { destination.add(row * row_stride).write_bytes(0, n) };
        }
        return;
    }
    // SAFETY: the constructors of `Matrix` check that all strided elements lie inside of their slices, the caller vouches
    // for the destination, and `Element` is implemented for f32 and f64 only. With an inner size above zero `gemm` reads an
    // element of a destination that it overwrites only after it has written it, and writes every one.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            destination,
            1,
            row_stride as isize,
            false,
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
            gemm::Parallelism::None,
        );
    }
}
