//! Sums over the positions of a slice `[M, C]`, for each of `C` channels.
//!
//! Shapes: `M` positions, `C` channels.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::element::Element;
use crate::simd::{Lanes, run};

/// Positions that are summed up in the element type before the sum goes to `f64`.
const BLOCK: usize = 64;

/// Two numbers for every element.
pub(crate) trait Terms<T: Lanes>: Copy {
    /// The terms of the elements in `range`, which belong to the channels from `channel` on.
    fn at<S: Simd>(self, simd: S, channel: usize, range: Range<usize>) -> [T::Vector<S>; 2];
}

/// The sums of both terms over all positions in `len` elements, each `[C]`.
pub(crate) fn channel_sums<T: Element>(terms: impl Terms<T>, len: usize, n_channels: usize) -> [Vec<f64>; 2] {
    run(ChannelSums { terms, len, n_channels, element: std::marker::PhantomData::<T> })
}

struct ChannelSums<T, F> {
    terms: F,
    len: usize,
    n_channels: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Element, F: Terms<T>> WithSimd for ChannelSums<T, F> {
    type Output = [Vec<f64>; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [Vec<f64>; 2] {
        let (lanes, n_channels) = (T::count::<S>(), self.n_channels);
        let mut totals = [vec![0.0; n_channels], vec![0.0; n_channels]];
        for block in (0..self.len).step_by(BLOCK * n_channels) {
            let end = (block + BLOCK * n_channels).min(self.len);
            for channel in (0..n_channels).step_by(lanes) {
                let channels = channel..(channel + lanes).min(n_channels);
                let mut sums = [T::constant(simd, 0.0); 2];
                for start in (block..end).step_by(n_channels) {
                    let terms = self.terms.at(simd, channel, start + channels.start..start + channels.end);
                    sums = [T::plus(simd, sums[0], terms[0]), T::plus(simd, sums[1], terms[1])];
                }
                for (total, sum) in totals.iter_mut().zip(sums) {
                    add_lanes::<T, S>(simd, &mut total[channels.clone()], sum);
                }
            }
        }
        totals
    }
}

#[inline(always)]
fn add_lanes<T: Element, S: Simd>(simd: S, totals: &mut [f64], sums: T::Vector<S>) {
    let mut lanes = [T::ZERO; MAX_LANES];
    let lanes = &mut lanes[..totals.len()];
    T::store(simd, lanes, sums);
    for (total, sum) in totals.iter_mut().zip(lanes) {
        *total += sum.widened();
    }
}

/// No vector has more lanes.
const MAX_LANES: usize = 16;

/// Per-channel numbers, filled up with zeros so that a whole vector can be read at every channel.
pub(crate) fn whole_vectors<T: Element>(values: impl IntoIterator<Item = f64>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().map(T::rounded).collect();
    values.resize(values.len() + MAX_LANES, T::ZERO);
    values
}

/// The vector of numbers from a channel on.
#[inline(always)]
pub(crate) fn at_channel<T: Lanes, S: Simd>(simd: S, values: &[T], channel: usize) -> T::Vector<S> {
    T::load(simd, &values[channel..channel + T::count::<S>()])
}
