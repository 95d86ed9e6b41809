//! The transforms of the minimal filtering algorithm `F(4 x 4, 3 x 3)` (Winograd 1980; Lavin and Gray 2015,
//! arXiv:1509.09308): four outputs of a kernel of three from six products in place of twelve, in each direction.
//!
//! `y = A^T [(G g) . (B^T d)]` for a patch `d` of six inputs, a kernel `g` of three weights and a tile `y` of four
//! outputs, at the points `0, 1, -1, 2, -2` and infinity. The backward passes use the transposes `A` and `G^T`. Images
//! are transformed along their columns, then along their rows.

// blocks of registers are indexed by row and column, as in the formulas
#![allow(clippy::needless_range_loop)]

use pulp::Simd;

use crate::simd::Lanes;

/// Outputs of a tile along one direction.
pub(super) const TILE: usize = 4;
/// Inputs that a tile is computed from, and points at which products are taken, along one direction.
pub(super) const PATCH: usize = 6;
/// Weights of the kernel along one direction.
pub(super) const KERNEL: usize = 3;

type Vector<T, S> = <T as Lanes>::Vector<S>;

/// A square of vectors: one vector of channels for each pixel, tap or point.
pub(super) type Square<T, S, const N: usize> = [[Vector<T, S>; N]; N];

/// A linear map along one direction.
pub(super) trait Transform<const N: usize, const M: usize> {
    fn line<T: Lanes, S: Simd>(simd: S, c: &Constants<T, S>, values: [Vector<T, S>; N]) -> [Vector<T, S>; M];

    /// The map along both directions.
    #[inline(always)]
    fn square<T: Lanes, S: Simd>(simd: S, c: &Constants<T, S>, values: &Square<T, S, N>) -> Square<T, S, M> {
        let zero = T::constant(simd, 0.0);
        let mut half = [[zero; N]; M];
        for x in 0..N {
            let mut column = [zero; N];
            for y in 0..N {
                column[y] = values[y][x];
            }
            let column = Self::line(simd, c, column);
            for y in 0..M {
                half[y][x] = column[y];
            }
        }
        let mut result = [[zero; M]; M];
        for y in 0..M {
            result[y] = Self::line(simd, c, half[y]);
        }
        result
    }
}

/// `B^T d`: inputs to points.
pub(super) struct Input;

impl Transform<PATCH, PATCH> for Input {
    #[inline(always)]
    fn line<T: Lanes, S: Simd>(simd: S, c: &Constants<T, S>, d: [Vector<T, S>; PATCH]) -> [Vector<T, S>; PATCH] {
        let even = T::mul_add(simd, c.minus_four, d[2], d[4]);
        let odd = T::mul_add(simd, c.minus_four, d[1], d[3]);
        let far_even = T::minus(simd, d[4], d[2]);
        let far_odd = T::times(simd, c.two, T::minus(simd, d[3], d[1]));
        [
            T::mul_add(simd, c.four, d[0], T::mul_add(simd, c.minus_five, d[2], d[4])),
            T::plus(simd, even, odd),
            T::minus(simd, even, odd),
            T::plus(simd, far_even, far_odd),
            T::minus(simd, far_even, far_odd),
            T::mul_add(simd, c.four, d[1], T::mul_add(simd, c.minus_five, d[3], d[5])),
        ]
    }
}

/// `G g`: weights to points.
pub(super) struct Weight;

impl Transform<KERNEL, PATCH> for Weight {
    #[inline(always)]
    fn line<T: Lanes, S: Simd>(simd: S, c: &Constants<T, S>, g: [Vector<T, S>; KERNEL]) -> [Vector<T, S>; PATCH] {
        let even = T::times(simd, c.minus_sixth, T::plus(simd, g[0], g[2]));
        let odd = T::times(simd, c.minus_sixth, g[1]);
        let far_even = T::mul_add(simd, c.sixth, g[2], T::times(simd, c.twenty_fourth, g[0]));
        let far_odd = T::times(simd, c.twelfth, g[1]);
        [
            T::times(simd, c.quarter, g[0]),
            T::plus(simd, even, odd),
            T::minus(simd, even, odd),
            T::plus(simd, far_even, far_odd),
            T::minus(simd, far_even, far_odd),
            g[2],
        ]
    }
}

/// `A^T m`: points to outputs.
pub(super) struct Output;

impl Transform<PATCH, TILE> for Output {
    #[inline(always)]
    fn line<T: Lanes, S: Simd>(simd: S, c: &Constants<T, S>, m: [Vector<T, S>; PATCH]) -> [Vector<T, S>; TILE] {
        let (sum, difference) = (T::plus(simd, m[1], m[2]), T::minus(simd, m[1], m[2]));
        let (far_sum, far_difference) = (T::plus(simd, m[3], m[4]), T::minus(simd, m[3], m[4]));
        [
            T::plus(simd, m[0], T::plus(simd, sum, far_sum)),
            T::mul_add(simd, c.two, far_difference, difference),
            T::mul_add(simd, c.four, far_sum, sum),
            T::plus(simd, m[5], T::mul_add(simd, c.eight, far_difference, difference)),
        ]
    }
}

/// `A y`: gradients of outputs to points, the transpose of [`Output`].
pub(super) struct OutputGrad;

impl Transform<TILE, PATCH> for OutputGrad {
    #[inline(always)]
    fn line<T: Lanes, S: Simd>(simd: S, c: &Constants<T, S>, y: [Vector<T, S>; TILE]) -> [Vector<T, S>; PATCH] {
        let (even, odd) = (T::plus(simd, y[0], y[2]), T::plus(simd, y[1], y[3]));
        let far_even = T::mul_add(simd, c.four, y[2], y[0]);
        let far_odd = T::times(simd, c.two, T::mul_add(simd, c.four, y[3], y[1]));
        [
            y[0],
            T::plus(simd, even, odd),
            T::minus(simd, even, odd),
            T::plus(simd, far_even, far_odd),
            T::minus(simd, far_even, far_odd),
            y[3],
        ]
    }
}

/// `G^T u`: points to gradients of weights, the transpose of [`Weight`].
pub(super) struct WeightGrad;

impl Transform<PATCH, KERNEL> for WeightGrad {
    #[inline(always)]
    fn line<T: Lanes, S: Simd>(simd: S, c: &Constants<T, S>, u: [Vector<T, S>; PATCH]) -> [Vector<T, S>; KERNEL] {
        let (sum, difference) = (T::plus(simd, u[1], u[2]), T::minus(simd, u[1], u[2]));
        let (far_sum, far_difference) = (T::plus(simd, u[3], u[4]), T::minus(simd, u[3], u[4]));
        let near = T::times(simd, c.minus_sixth, sum);
        [
            T::mul_add(simd, c.quarter, u[0], T::mul_add(simd, c.twenty_fourth, far_sum, near)),
            T::mul_add(simd, c.twelfth, far_difference, T::times(simd, c.minus_sixth, difference)),
            T::plus(simd, u[5], T::mul_add(simd, c.sixth, far_sum, near)),
        ]
    }
}

/// The numbers of the three matrices.
pub(super) struct Constants<T: Lanes, S: Simd> {
    two: Vector<T, S>,
    four: Vector<T, S>,
    eight: Vector<T, S>,
    minus_four: Vector<T, S>,
    minus_five: Vector<T, S>,
    quarter: Vector<T, S>,
    sixth: Vector<T, S>,
    minus_sixth: Vector<T, S>,
    twelfth: Vector<T, S>,
    twenty_fourth: Vector<T, S>,
}

impl<T: Lanes, S: Simd> Constants<T, S> {
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        Self {
            two: T::constant(simd, 2.0),
            four: T::constant(simd, 4.0),
            eight: T::constant(simd, 8.0),
            minus_four: T::constant(simd, -4.0),
            minus_five: T::constant(simd, -5.0),
            quarter: T::constant(simd, 0.25),
            sixth: T::constant(simd, 1.0 / 6.0),
            minus_sixth: T::constant(simd, -1.0 / 6.0),
            twelfth: T::constant(simd, 1.0 / 12.0),
            twenty_fourth: T::constant(simd, 1.0 / 24.0),
        }
    }
}
