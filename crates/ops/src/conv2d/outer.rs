//! Sums of outer products, `destination [M, N] += left^T right`, where the rows of `left` lie anywhere in a slice: the
//! kernel of all weight gradients.
//!
//! Shapes: `left [K, M]`, `right [K, N]`, with `N` a whole number of vectors.

// blocks of registers are indexed by row and column, as in the formulas
#![allow(clippy::needless_range_loop)]

use pulp::Simd;

use crate::simd::Lanes;

/// Row `k` of `left` is `left[left_starts[k]..][..n_rows]`, row `k` of `right` is `right[k *
/// n_columns..][..n_columns]`.
#[derive(Clone, Copy)]
pub(crate) struct OuterProducts<'a, T> {
    pub(crate) left: &'a [T],
    pub(crate) left_starts: &'a [usize],
    pub(crate) n_rows: usize,
    pub(crate) right: &'a [T],
    pub(crate) n_columns: usize,
}

impl<T: Lanes> OuterProducts<'_, T> {
    /// Adds the sum to `destination`, row-major `[n_rows, n_columns]`.
    #[inline(always)]
    pub(crate) fn add_to<S: Simd>(self, simd: S, destination: &mut [T]) {
        let lanes = T::count::<S>();
        let mut column = 0;
        while column < self.n_columns {
            let n_vectors = (self.n_columns - column) / lanes;
            // rows times vectors fill the registers, see `panels`
            let n_vectors = match (n_vectors, S::REGISTER_COUNT >= 32) {
                (4.., true) => self.add_columns::<S, 6, 4>(simd, column, destination),
                (3, true) => self.add_columns::<S, 8, 3>(simd, column, destination),
                (2, true) => self.add_columns::<S, 12, 2>(simd, column, destination),
                (2.., false) => self.add_columns::<S, 6, 2>(simd, column, destination),
                _ => self.add_columns::<S, 12, 1>(simd, column, destination),
            };
            column += n_vectors * lanes;
        }
    }

    /// Adds `V` vectors of columns and returns `V`.
    #[inline(always)]
    fn add_columns<S: Simd, const R: usize, const V: usize>(
        self,
        simd: S,
        column: usize,
        destination: &mut [T],
    ) -> usize {
        let mut row = 0;
        while row < self.n_rows {
            if self.n_rows >= R {
                // the last block starts early and leaves out the rows that are done
                let start = row.min(self.n_rows - R);
                let sums = self.sums::<S, R, V>(simd, start, column);
                self.add_block(simd, &sums[row - start..], row, column, destination);
                row = start + R;
            } else if self.n_rows - row >= 3 {
                let sums = self.sums::<S, 3, V>(simd, row, column);
                self.add_block(simd, &sums, row, column, destination);
                row += 3;
            } else {
                let sums = self.sums::<S, 1, V>(simd, row, column);
                self.add_block(simd, &sums, row, column, destination);
                row += 1;
            }
        }
        V
    }

    #[inline(always)]
    fn sums<S: Simd, const R: usize, const V: usize>(
        self,
        simd: S,
        row: usize,
        column: usize,
    ) -> [[T::Vector<S>; V]; R] {
        let mut sums = [[T::splat(simd, T::default()); V]; R];
        let width = V * T::count::<S>();
        for (start, right) in self.left_starts.iter().zip(self.right.chunks_exact(self.n_columns)) {
            let (left, _) = self.left[start + row..].as_chunks::<R>();
            let (right, _) = T::vectors::<S>(&right[column..column + width]);
            let (right, _) = right.as_chunks::<V>();
            let (left, right) = (&left[0], &right[0]);
            for r in 0..R {
                let left = T::splat(simd, left[r]);
                for v in 0..V {
                    sums[r][v] = T::mul_add(simd, left, right[v], sums[r][v]);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn add_block<S: Simd, const V: usize>(
        self,
        simd: S,
        sums: &[[T::Vector<S>; V]],
        row: usize,
        column: usize,
        destination: &mut [T],
    ) {
        let rows = destination[row * self.n_columns..].chunks_mut(self.n_columns);
        for (sums, target) in sums.iter().zip(rows) {
            let (target, _) = T::vectors_mut::<S>(&mut target[column..column + V * T::count::<S>()]);
            for (target, sum) in target.iter_mut().zip(sums) {
                *target = T::plus(simd, *target, *sum);
            }
        }
    }
}
