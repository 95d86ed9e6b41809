//! Sums over slices in the slices' own type and in a fixed number of lanes, for rows that are short enough for it.

use crate::element::Element;

/// Number of partial sums: two of the widest vectors of `f32`. It is part of the arithmetic: with another number of
/// lanes, sums have other bits.
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
    use crate::vector::{at_full_width, inlined};

    #[test]
    fn sums_have_every_element_once() {
        for len in [0, 1, 31, 32, 33, 64, 100] {
            let values: Vec<f64> = (0..len).map(|i| ((i * 7) % 101) as f64).collect();
            assert_eq!(
                at_full_width(inlined!(|| sum_of(&values, |value| 2.0 * value))),
                2.0 * values.iter().sum::<f64>()
            );
            let squares: f64 = values.iter().map(|value| value * value).sum();
            assert_eq!(at_full_width(inlined!(|| sum_of_two(&values, &values, |a, b| a * b))), squares);
            let cubes: f64 = values.iter().map(|value| value * value * value).sum();
            assert_eq!(at_full_width(inlined!(|| product_sum(&values, &values, &values))), cubes);
        }
    }
}
