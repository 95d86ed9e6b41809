//! Vectors of the widest kind that the machine has, with one trait for `f32` and `f64`.
//!
//! The workspace is compiled for any x86-64, where plain loops get four lanes. A [`WithSimd`] job is compiled once for
//! each instruction set, and [`run`] takes the one that fits. Whatever a job calls has to be `#[inline(always)]`, or it
//! is compiled without the instruction set.

use pulp::{Arch, Simd, WithSimd};

/// Runs a job with the widest vectors of this machine.
pub(crate) fn run<J: WithSimd>(job: J) -> J::Output {
    Arch::new().dispatch(job)
}

/// The widest vectors of this machine, by a name for people. Sums have other bits with other vectors: a fused multiply-add
/// rounds once, and products of matrices are cut by the vectors' width.
pub fn vector_unit() -> &'static str {
    match Arch::new() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => WIDEST_VECTOR_UNIT,
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "avx2",
        #[cfg(target_arch = "x86_64")]
        _ => "sse2",
        #[cfg(not(target_arch = "x86_64"))]
        _ => std::env::consts::ARCH,
    }
}

/// The vectors that [`vector_unit`] names on the machines where all published numbers of this program were computed.
pub const WIDEST_VECTOR_UNIT: &str = "avx512";

/// Numbers that come in vectors of [`Lanes::count`] lanes.
pub(crate) trait Lanes: Copy + Default + Send + Sync + 'static {
    type Vector<S: Simd>: Copy + Send + Sync;

    fn count<S: Simd>() -> usize;
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    /// The number nearest to `value`, in every lane.
    fn constant<S: Simd>(simd: S, value: f64) -> Self::Vector<S>;
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn times<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a b + c`, rounded once.
    fn mul_add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;
    /// The lanes that are not above zero become zero; a NaN stays, so that a diverged run is seen.
    fn positive_part<S: Simd>(simd: S, values: Self::Vector<S>) -> Self::Vector<S>;
    /// Zero in the lanes where `reference` is not above zero.
    fn keep_where_positive<S: Simd>(simd: S, values: Self::Vector<S>, reference: Self::Vector<S>) -> Self::Vector<S>;
    /// Whole vectors, and the rest.
    fn vectors<S: Simd>(values: &[Self]) -> (&[Self::Vector<S>], &[Self]);
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> (&mut [Self::Vector<S>], &mut [Self]);
    /// At most one vector; lanes beyond the slice are zero.
    fn load<S: Simd>(simd: S, values: &[Self]) -> Self::Vector<S>;
    /// At most one vector; lanes beyond the slice are dropped.
    fn store<S: Simd>(simd: S, values: &mut [Self], vector: Self::Vector<S>);
}

macro_rules! lanes {
    ($t:ident, $vector:ident, $count:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident, $mul_add:ident,
     $less_or_equal:ident, $greater:ident, $select:ident, $vectors:ident, $vectors_mut:ident, $load:ident, $store:ident) => {
        impl Lanes for $t {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn count<S: Simd>() -> usize {
                S::$count
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }
            #[inline(always)]
            fn constant<S: Simd>(simd: S, value: f64) -> S::$vector {
                simd.$splat(value as $t)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$sub(a, b)
            }
            #[inline(always)]
            fn times<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$mul_add(a, b, c)
            }
            #[inline(always)]
            fn positive_part<S: Simd>(simd: S, values: S::$vector) -> S::$vector {
                let zero = simd.$splat(0.0);
                simd.$select(simd.$less_or_equal(values, zero), zero, values)
            }
            #[inline(always)]
            fn keep_where_positive<S: Simd>(simd: S, values: S::$vector, reference: S::$vector) -> S::$vector {
                let zero = simd.$splat(0.0);
                simd.$select(simd.$greater(reference, zero), values, zero)
            }
            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> (&[S::$vector], &[Self]) {
                S::$vectors(values)
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> (&mut [S::$vector], &mut [Self]) {
                S::$vectors_mut(values)
            }
            #[inline(always)]
            fn load<S: Simd>(simd: S, values: &[Self]) -> S::$vector {
                match S::$vectors(values) {
                    ([vector], []) => *vector,
                    _ => simd.$load(values),
                }
            }
            #[inline(always)]
            fn store<S: Simd>(simd: S, values: &mut [Self], vector: S::$vector) {
                match S::$vectors_mut(values) {
                    ([target], []) => *target = vector,
                    (_, _) => simd.$store(values, vector),
                }
            }
        }
    };
}

lanes!(
    f32,
    f32s,
    F32_LANES,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    mul_add_f32s,
    less_than_or_equal_f32s,
    greater_than_f32s,
    select_f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    partial_load_f32s,
    partial_store_f32s
);
lanes!(
    f64,
    f64s,
    F64_LANES,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    mul_add_f64s,
    less_than_or_equal_f64s,
    greater_than_f64s,
    select_f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    partial_load_f64s,
    partial_store_f64s
);
