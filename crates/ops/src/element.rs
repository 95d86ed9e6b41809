//! The two element types of the CPU operations: `f32` to train in; and in the tests of this crate `f64`, to check
//! gradients by finite differences. The program would take a minute longer to build with both.

use candle_core::WithDType;

use crate::simd::Lanes;
use crate::{normal, vector};

/// A floating point number that the matrix product and the losses can work in.
pub(crate) trait Element: WithDType + Default + Lanes {
    const ZERO: Self;
    const ONE: Self;
    const NEG_INFINITY: Self;

    /// The number nearest to `value`. As [`WithDType::from_f64`], but compiled into the loop that calls it.
    fn rounded(value: f64) -> Self;
    fn widened(self) -> f64;
    /// `e^self`; within a few units in the last place, and vectorisable for `f32`.
    fn exp(self) -> Self;
    fn sqrt(self) -> Self;
    /// Distribution function and density of the standard normal.
    fn normal(self) -> (Self, Self);
}

macro_rules! element {
    ($t:ident, $exp:path, $normal:path) => {
        impl Element for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;

            #[inline(always)]
            fn rounded(value: f64) -> Self {
                value as $t
            }

            #[inline(always)]
            fn widened(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }

            #[inline(always)]
            fn normal(self) -> (Self, Self) {
                $normal(self)
            }
        }
    };
}

element!(f32, vector::exp_f32, normal::normal_f32);
element!(f64, f64::exp, normal::normal_f64);

/// `value` where `keep` holds, else zero. Both are values and not places, so loops over it have no branch.
#[inline(always)]
pub(crate) fn value_or_zero<T: Element>(keep: bool, value: T) -> T {
    if keep { value } else { T::ZERO }
}

/// Runs `$body` with the type `$t` bound to the element type of `$dtype`; any other type is an error of operation
/// `$op`.
macro_rules! with_element {
    ($dtype:expr, $op:expr, $t:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $t = f32;
                $body
            }
            #[cfg(test)]
            candle_core::DType::F64 => {
                type $t = f64;
                $body
            }
            other => Err(candle_core::Error::msg(format!("{}: expected f32, got {other:?}", $op))),
        }
    };
}

pub(crate) use with_element;
