//! Matrix products with a packed right-hand side, whose left-hand side lies in pieces: the kernel of all convolutions.
//!
//! Shapes: `left [M, K]`, `right [K, N]`. A row of `left` is made of *segments* of equal length, each a contiguous
//! piece of one slice: the rows under a kernel in an image, or the row of a plain matrix. So no patch is ever copied.

// blocks of registers are indexed by row and column, as in the formulas
#![allow(clippy::needless_range_loop)]

use pulp::Simd;

use crate::scratch::Scratch;
use crate::simd::Lanes;

/// Vectors in a full panel: as many as leave registers for six rows of sums.
#[inline(always)]
pub(crate) const fn panel_vectors<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 4 } else { 2 }
}

/// `right`, cut into panels of some vectors of columns, each `[K, columns]` in itself; the last is filled up with
/// zeros.
pub(crate) struct Panels<T> {
    data: Scratch<T>,
    depth: usize,
    n_columns: usize,
    /// Columns of every panel but the last.
    panel_width: usize,
    lanes: usize,
}

impl<T: Lanes> Panels<T> {
    /// Zeros.
    #[inline(always)]
    pub(crate) fn new<S: Simd>(depth: usize, n_columns: usize) -> Self {
        let lanes = T::count::<S>();
        let mut data = Scratch::default();
        data.take(depth * n_columns.next_multiple_of(lanes));
        Self { data, depth, n_columns, panel_width: panel_vectors::<S>() * lanes, lanes }
    }

    /// Packs a row-major matrix `[K, N]`.
    #[inline(always)]
    pub(crate) fn pack<S: Simd>(matrix: &[T], depth: usize, n_columns: usize) -> Self {
        let mut panels = Self::new::<S>(depth, n_columns);
        for panel in 0..panels.count() {
            let columns = panels.columns(panel);
            let width = panels.width(panel);
            let rows = panels.panel_mut(panel).chunks_exact_mut(width).zip(matrix.chunks_exact(n_columns));
            for (packed, row) in rows {
                packed[..columns.len()].copy_from_slice(&row[columns.clone()]);
            }
        }
        panels
    }

    pub(crate) fn count(&self) -> usize {
        self.n_columns.div_ceil(self.panel_width)
    }

    /// Columns of the matrix that lie in a panel.
    pub(crate) fn columns(&self, panel: usize) -> std::ops::Range<usize> {
        panel * self.panel_width..((panel + 1) * self.panel_width).min(self.n_columns)
    }

    /// Columns of a panel, padding included.
    pub(crate) fn width(&self, panel: usize) -> usize {
        self.columns(panel).len().next_multiple_of(self.lanes)
    }

    #[inline(always)]
    pub(crate) fn panel(&self, panel: usize) -> &[T] {
        &self.data.values()[self.depth * panel * self.panel_width..][..self.depth * self.width(panel)]
    }

    pub(crate) fn panel_mut(&mut self, panel: usize) -> &mut [T] {
        let (start, len) = (self.depth * panel * self.panel_width, self.depth * self.width(panel));
        &mut self.data.take(start + len)[start..]
    }
}

/// The left-hand side: row `r` is the concatenation of `source[row_starts[r] + segment..][..segment_len]` over
/// `segments`.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a, T> {
    pub(crate) source: &'a [T],
    pub(crate) row_starts: &'a [usize],
    pub(crate) segments: &'a [usize],
    pub(crate) segment_len: usize,
}

/// Where the product goes: row `r` starts at `row_starts[r]`.
pub(crate) struct Destination<'a, T> {
    pub(crate) values: &'a mut [T],
    pub(crate) row_starts: &'a [usize],
}

/// `destination [M, N] = left [M, K] right [K, N]`.
#[inline(always)]
pub(crate) fn multiply<T: Lanes, S: Simd>(
    simd: S,
    left: Left<'_, T>,
    right: &Panels<T>,
    destination: &mut Destination<'_, T>,
) {
    for panel in 0..right.count() {
        multiply_panel(simd, left, right.panel(panel), right.columns(panel), destination);
    }
}

/// The same for the columns of one panel.
#[inline(always)]
pub(crate) fn multiply_panel<T: Lanes, S: Simd>(
    simd: S,
    left: Left<'_, T>,
    panel: &[T],
    columns: std::ops::Range<usize>,
    destination: &mut Destination<'_, T>,
) {
    let (panel, _) = T::vectors::<S>(panel);
    // rows times vectors: the sums, one row of the panel and one number of the left side fill the registers
    match (columns.len().div_ceil(T::count::<S>()), S::REGISTER_COUNT >= 32) {
        (4, true) => rows_by_vectors::<T, S, 6, 4>(simd, left, panel, columns, destination),
        (3, true) => rows_by_vectors::<T, S, 8, 3>(simd, left, panel, columns, destination),
        (2, true) => rows_by_vectors::<T, S, 12, 2>(simd, left, panel, columns, destination),
        (2, false) => rows_by_vectors::<T, S, 6, 2>(simd, left, panel, columns, destination),
        _ => rows_by_vectors::<T, S, 12, 1>(simd, left, panel, columns, destination),
    }
}

#[inline(always)]
fn rows_by_vectors<T: Lanes, S: Simd, const R: usize, const V: usize>(
    simd: S,
    left: Left<'_, T>,
    panel: &[T::Vector<S>],
    columns: std::ops::Range<usize>,
    destination: &mut Destination<'_, T>,
) {
    let (panel, _) = panel.as_chunks::<V>();
    for (row_starts, targets) in left.row_starts.chunks(R).zip(destination.row_starts.chunks(R)) {
        let mut sums = [[T::splat(simd, T::default()); V]; R];
        for (nth, segment) in left.segments.iter().enumerate() {
            let panel = &panel[nth * left.segment_len..][..left.segment_len];
            let mut rows = [&left.source[..0]; R];
            for (r, row) in rows.iter_mut().enumerate() {
                // a block with fewer rows computes its last one more than once
                let start = row_starts[r.min(row_starts.len() - 1)];
                *row = &left.source[start + segment..][..left.segment_len];
            }
            add_products(simd, rows, panel, &mut sums);
        }
        for (sums, start) in sums.iter().zip(targets) {
            write_row(simd, sums, &mut destination.values[start + columns.start..start + columns.end]);
        }
    }
}

#[inline(always)]
fn add_products<T: Lanes, S: Simd, const R: usize, const V: usize>(
    simd: S,
    rows: [&[T]; R],
    panel: &[[T::Vector<S>; V]],
    sums: &mut [[T::Vector<S>; V]; R],
) {
    let mut local = *sums;
    for (k, right) in panel.iter().enumerate() {
        for r in 0..R {
            let left = T::splat(simd, rows[r][k]);
            for v in 0..V {
                local[r][v] = T::mul_add(simd, left, right[v], local[r][v]);
            }
        }
    }
    *sums = local;
}

#[inline(always)]
fn write_row<T: Lanes, S: Simd, const V: usize>(simd: S, sums: &[T::Vector<S>; V], row: &mut [T]) {
    for (sum, target) in sums.iter().zip(row.chunks_mut(T::count::<S>())) {
        T::store(simd, target, *sum);
    }
}
