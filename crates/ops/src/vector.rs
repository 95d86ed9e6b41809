//! Loops at the full width of the processor's vectors, and sums whose order does not depend on that width.

use crate::element::Element;

/// Partial sums of a reduction: one AVX-512 vector of `f32`. It is part of the arithmetic: with another number of
/// lanes, sums have other bits.
const LANES: usize = 16;

/// Runs `work` compiled for the widest vectors that the processor has (AVX-512, AVX2, or the target's baseline).
///
/// The bits are the same in each: nothing is reordered and no multiplication is fused with an addition. `work` has to
/// be [`inlined`], and functions that it calls `#[inline(always)]`, or they stay at the baseline. The same holds for
/// `for_each` with a long body: a `for` loop is part of its function, an iterator's method may not be.
#[inline(always)]
pub(crate) fn at_full_width<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Rows between the one that is being read and the one that is prefetched.
pub(crate) const PREFETCH_DISTANCE: usize = 8;

/// Prefetches a row of a table that will be read soon. Rows that a text names lie apart from each other: without the
/// hint, a pass over them mostly waits for memory.
#[inline(always)]
pub(crate) fn prefetch<T>(row: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(64 / size_of::<T>().clamp(1, 64)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that changes nothing; every x86-64 has the instruction
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

/// A closure that is compiled into every function that calls it, with the vectors of that function: see
/// [`at_full_width`].
macro_rules! inlined {
    ($($closure:tt)*) => {{
        #[inline(always)]
        $($closure)*
    }};
}

pub(crate) use inlined;

/// The sum of `term` over all elements.
#[inline(always)]
pub(crate) fn sum<T: Copy>(values: &[T], term: impl Fn(T) -> f64) -> f64 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += term(*value));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| term(*value)).sum::<f64>()
}

/// The sum of `term` over all pairs of elements.
#[inline(always)]
pub(crate) fn sum_pairs<T: Copy>(a: &[T], b: &[T], term: impl Fn(T, T) -> f64) -> f64 {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += term(*a, *b));
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| term(*a, *b)).sum::<f64>()
}

/// The largest element; NaN is passed over, and of nothing it is minus infinity.
#[inline(always)]
pub(crate) fn largest<T: Element>(values: &[T]) -> T {
    let larger = |largest: T, value: T| if value > largest { value } else { largest };
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [T::NEG_INFINITY; LANES];
    for block in blocks {
        lanes.iter_mut().zip(block).for_each(|(lane, value)| *lane = larger(*lane, *value));
    }
    lanes.iter().chain(rest).fold(T::NEG_INFINITY, |largest, value| larger(largest, *value))
}

/// `e^x` for `f32` within 2 units in the last place, without branches and calls, so that loops over it vectorise.
///
/// Results below `1.2e-38` are zero, results that are too large are infinite. The argument is split as `x = n ln 2 + r`
/// with `|r| <= ln 2 / 2` (Cody and Waite 1980), and `e^r` is the minimax polynomial of the Cephes library (Moshier
/// 1989).
#[inline(always)]
pub(crate) fn exp_f32(x: f32) -> f32 {
    /// Above it `f32` holds whole numbers only: adding it rounds, and leaves the rounded number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// `ln 2` in two parts, of which the first has few bits, so that its multiples are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    /// In between `e^x` is a normal number.
    const RANGE: [f32; 2] = [-87.33, 88.722_83];
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let mut sum = POLYNOMIAL[0];
    for coefficient in &POLYNOMIAL[1..] {
        sum = sum * r + *coefficient;
    }
    let mantissa = sum * r * r + r + 1.0;
    // 2^n by its exponent; with n = 128 the mantissa is below 1, so the product is finite
    let value = f32::from_bits(mantissa.to_bits().wrapping_add(rounded.to_bits() << 23));
    let value = if x < RANGE[0] { 0.0 } else { value };
    let value = if x > RANGE[1] { f32::INFINITY } else { value };
    if x.is_nan() { x } else { value }
}
