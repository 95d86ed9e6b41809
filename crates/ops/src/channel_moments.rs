//! Mean and variance of the channels of a slice `[M, C]`, in pieces.
//!
//! Shapes: `M` positions, `C` channels.

use std::ops::Range;

use candle_core::{DType, Result, Tensor};
use pulp::Simd;

use crate::channel_sums::{Terms, at_channel, channel_sums, whole_vectors};
use crate::element::Element;

/// Mean and biased variance of every channel over some positions.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChannelMoments {
    n_positions: usize,
    pub(crate) mean: Vec<f64>,
    pub(crate) var: Vec<f64>,
}

impl ChannelMoments {
    /// Of a whole number of positions.
    ///
    /// Sums are taken of differences to the first position, so that a large common offset does not cancel digits.
    pub(crate) fn of<T: Element>(values: &[T], n_channels: usize) -> Self {
        let n_positions = values.len() / n_channels;
        if n_positions == 0 {
            return Self::default();
        }
        let offset = whole_vectors(values[..n_channels].iter().map(|value| value.widened()));
        let terms = Differences { values, offset: &offset };
        let [sums, square_sums] = channel_sums(terms, values.len(), n_channels);
        let shifts = sums.iter().map(|sum| sum / n_positions as f64);
        let mean = shifts.clone().zip(&offset).map(|(shift, offset)| shift + offset.widened()).collect();
        let var = shifts.zip(square_sums).map(|(shift, square_sum)| {
            let value = square_sum / n_positions as f64 - shift * shift;
            // keeps a NaN, which `f64::max` would hide
            if value < 0.0 { 0.0 } else { value }
        });
        Self { n_positions, mean, var: var.collect() }
    }

    /// Given ones, `[C]` each.
    pub(crate) fn of_tensors(mean: &Tensor, var: &Tensor) -> Result<Self> {
        let values = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.to_vec1::<f64>();
        Ok(Self { n_positions: 0, mean: values(mean)?, var: values(var)? })
    }

    /// Mean and variance as tensors `[C]`, of the dtype and on the device of `like`.
    pub(crate) fn tensors(&self, like: &Tensor) -> Result<[Tensor; 2]> {
        let tensor = |values: &[f64]| Tensor::from_slice(values, values.len(), like.device())?.to_dtype(like.dtype());
        Ok([tensor(&self.mean)?, tensor(&self.var)?])
    }

    /// Of all positions of the parts together, which are combined in their order (Chan, Golub and LeVeque 1979).
    pub(crate) fn combine(parts: impl IntoIterator<Item = Self>) -> Self {
        parts.into_iter().filter(|part| part.n_positions > 0).reduce(|all, part| all.joined(&part)).unwrap_or_default()
    }

    fn joined(mut self, other: &Self) -> Self {
        let n_positions = self.n_positions + other.n_positions;
        let weight = other.n_positions as f64 / n_positions as f64;
        let values = self.mean.iter_mut().zip(&mut self.var);
        for ((mean, var), (other_mean, other_var)) in values.zip(other.mean.iter().zip(&other.var)) {
            let difference = other_mean - *mean;
            *mean += weight * difference;
            *var += weight * (other_var - *var) + weight * (1.0 - weight) * difference * difference;
        }
        self.n_positions = n_positions;
        self
    }
}

/// Differences to an offset, and their squares.
#[derive(Clone, Copy)]
struct Differences<'a, T> {
    values: &'a [T],
    offset: &'a [T],
}

impl<T: Element> Terms<T> for Differences<'_, T> {
    #[inline(always)]
    fn at<S: Simd>(self, simd: S, channel: usize, range: Range<usize>) -> [T::Vector<S>; 2] {
        let difference = T::minus(simd, T::load(simd, &self.values[range]), at_channel(simd, self.offset, channel));
        [difference, T::times(simd, difference, difference)]
    }
}
