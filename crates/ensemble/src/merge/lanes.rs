//! Arithmetic on the same number of several examples: one lane each.
//!
//! No operation mixes lanes; only [`Lanes::any_less`] reads all of them, and it decides what is computed in addition,
//! not what a lane holds. So an example has the same bits alone and with others. Everything is inlined into the kernel
//! that is compiled for the processor's vectors, which is why loops are `for` loops: an iterator's method may stay a
//! function of its own.

#![expect(clippy::needless_range_loop, reason = "a lane is an index into several arrays")]

use std::ops::{Add, AddAssign, Div, Mul, Sub, SubAssign};

/// Examples that are solved at once: as many f64 as the widest vectors (AVX-512) hold.
pub(super) const LANES: usize = 8;

/// One number of each of [`LANES`] examples.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub(super) struct Lanes(pub(super) [f64; LANES]);

impl Lanes {
    pub(super) const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    pub(super) fn splat(value: f64) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(f64, f64) -> f64) -> Self {
        let mut lanes = self.0;
        for lane in 0..LANES {
            lanes[lane] = op(lanes[lane], other.0[lane]);
        }
        Self(lanes)
    }

    #[inline(always)]
    pub(super) fn map(self, op: impl Fn(f64) -> f64) -> Self {
        self.zip(self, |value, _| op(value))
    }

    #[inline(always)]
    pub(super) fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    pub(super) fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    /// `self` where `a < b`, `other` elsewhere.
    #[inline(always)]
    pub(super) fn where_less(self, a: Self, b: Self, other: Self) -> Self {
        let mut lanes = other.0;
        for lane in 0..LANES {
            lanes[lane] = if a.0[lane] < b.0[lane] { self.0[lane] } else { lanes[lane] };
        }
        Self(lanes)
    }

    /// Whether some lane is smaller than the other's.
    #[inline(always)]
    pub(super) fn any_less(self, other: Self) -> bool {
        let mut any = false;
        for lane in 0..LANES {
            any |= self.0[lane] < other.0[lane];
        }
        any
    }
}

macro_rules! lane_by_lane {
    ($($trait:ident $method:ident $op:tt),*) => {$(
        impl $trait for Lanes {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                self.zip(other, |a, b| a $op b)
            }
        }
    )*};
}
lane_by_lane!(Add add +, Sub sub -, Mul mul *, Div div /);

impl AddAssign for Lanes {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Lanes {
    #[inline(always)]
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
