//! Loops that are compiled for each vector unit there is, and run on the widest one of this machine; sums over slices in
//! a fixed number of lanes, which the compiler could not reorder by itself.

use crate::element::Element;

/// Runs `work` with the widest vector instructions that the processor has. The loops in it must be inlined: whatever it
/// calls is marked `#[inline(always)]`.
#[inline(always)]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Partial sums side by side: two registers of the widest unit.
const N_LANES: usize = 32;

/// The sum of `term` over a slice.
#[inline(always)]
pub(crate) fn sum_of<T: Element>(values: &[T], term: impl Fn(T) -> T) -> T {
    let (chunks, rest) = values.as_chunks::<N_LANES>();
    let mut lanes = [T::ZERO; N_LANES];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += term(*value));
    }
    rest.iter().fold(total(lanes), |sum, value| sum + term(*value))
}

/// The sum of `term` over two slices of equal length.
#[inline(always)]
pub(crate) fn sum_of_two<T: Element>(left: &[T], right: &[T], term: impl Fn(T, T) -> T) -> T {
    let ((chunks, rest), (right_chunks, right_rest)) = (left.as_chunks::<N_LANES>(), right.as_chunks::<N_LANES>());
    let mut lanes = [T::ZERO; N_LANES];
    for (chunk, right) in chunks.iter().zip(right_chunks) {
        lanes.iter_mut().zip(chunk).zip(right).for_each(|((sum, left), right)| *sum += term(*left, *right));
    }
    rest.iter().zip(right_rest).fold(total(lanes), |sum, (left, right)| sum + term(*left, *right))
}

/// The sum of the products of three slices of equal length.
#[inline(always)]
pub(crate) fn product_sum<T: Element>(first: &[T], second: &[T], third: &[T]) -> T {
    let (chunks, rest) = first.as_chunks::<N_LANES>();
    let (second_chunks, second_rest) = second.as_chunks::<N_LANES>();
    let (third_chunks, third_rest) = third.as_chunks::<N_LANES>();
    let mut lanes = [T::ZERO; N_LANES];
    for ((first, second), third) in chunks.iter().zip(second_chunks).zip(third_chunks) {
        let products = first.iter().zip(second).zip(third).map(|((a, b), c)| *a * *b * *c);
        lanes.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
    }
    let products = rest.iter().zip(second_rest).zip(third_rest).map(|((a, b), c)| *a * *b * *c);
    products.fold(total(lanes), |sum, product| sum + product)
}

/// The largest element; a NaN may be passed over.
#[inline(always)]
pub(crate) fn largest_of<T: Element>(values: &[T]) -> T {
    let larger = |a: T, b: T| if a > b { a } else { b };
    let (chunks, rest) = values.as_chunks::<N_LANES>();
    let mut lanes = [T::NEG_INFINITY; N_LANES];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(largest, value)| *largest = larger(*largest, *value));
    }
    rest.iter().chain(&lanes).fold(T::NEG_INFINITY, |largest, value| larger(largest, *value))
}

/// The sum of all lanes, halves onto halves.
#[inline(always)]
fn total<T: Element>(mut lanes: [T; N_LANES]) -> T {
    let mut n_lanes = N_LANES;
    while n_lanes > 1 {
        n_lanes /= 2;
        let (low, high) = lanes.split_at_mut(n_lanes);
        low.iter_mut().zip(high).for_each(|(low, high)| *low += *high);
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_maxima_have_every_element_once() {
        for len in [0, 1, 31, 32, 33, 64, 100] {
            let values: Vec<f64> = (0..len).map(|i| ((i * 7) % 101) as f64).collect();
            assert_eq!(vectorised(|| sum_of(&values, |value| 2.0 * value)), 2.0 * values.iter().sum::<f64>());
            let squares: f64 = values.iter().map(|value| value * value).sum();
            assert_eq!(vectorised(|| sum_of_two(&values, &values, |a, b| a * b)), squares);
            let cubes: f64 = values.iter().map(|value| value * value * value).sum();
            assert_eq!(vectorised(|| product_sum(&values, &values, &values)), cubes);
            let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_eq!(vectorised(|| largest_of(&values)), largest);
        }
    }
}
