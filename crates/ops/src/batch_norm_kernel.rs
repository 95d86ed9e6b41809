//! Loops of batch normalisation over slices `[M, C]`: `M` positions, `C` channels.
//!
//! Sums are taken in the element type over short blocks of positions, and in `f64` over the blocks.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::channel_moments::ChannelMoments;
use crate::channel_sums::{Terms, at_channel, channel_sums, whole_vectors};
use crate::element::Element;
use crate::parallel::{filled, map_chunks, rows_per_chunk};
use crate::simd::run;

/// Mean and biased variance of every channel.
pub(crate) fn moments<T: Element>(input: &[T], n_channels: usize) -> ChannelMoments {
    let chunk_len = rows_per_chunk(n_channels) * n_channels;
    let chunks = map_chunks(input.len().div_ceil(chunk_len), |chunk| {
        let end = ((chunk + 1) * chunk_len).min(input.len());
        ChannelMoments::of(&input[chunk * chunk_len..end], n_channels)
    });
    ChannelMoments::combine(chunks)
}

/// What one channel is shifted and scaled by; each vector is filled up to whole SIMD vectors.
pub(crate) struct Channels<T> {
    n_channels: usize,
    mean: Vec<T>,
    inverse_std: Vec<T>,
    /// `gamma / sqrt(var + eps)`.
    scale: Vec<T>,
    shift: Vec<T>,
}

impl<T: Element> Channels<T> {
    pub(crate) fn new(moments: &ChannelMoments, eps: f64, gamma: &[T], beta: &[T]) -> Self {
        let inverse_std: Vec<f64> = moments.var.iter().map(|var| 1.0 / (var + eps).sqrt()).collect();
        let scale = gamma.iter().zip(&inverse_std).map(|(gamma, inverse_std)| gamma.widened() * inverse_std);
        Self {
            n_channels: gamma.len(),
            mean: whole_vectors(moments.mean.iter().copied()),
            scale: whole_vectors(scale),
            shift: whole_vectors(beta.iter().map(|beta| beta.widened())),
            inverse_std: whole_vectors(inverse_std),
        }
    }

    fn chunk_len(&self) -> usize {
        rows_per_chunk(self.n_channels) * self.n_channels
    }

    /// The normalised vector at a channel.
    #[inline(always)]
    fn normalised<S: Simd>(&self, simd: S, channel: usize, input: T::Vector<S>) -> T::Vector<S> {
        let centred = T::minus(simd, input, at_channel(simd, &self.mean, channel));
        T::mul_add(simd, centred, at_channel(simd, &self.scale, channel), at_channel(simd, &self.shift, channel))
    }
}

/// `scale (input - mean) + beta`, plus `residual`, rectified if `relu`.
pub(crate) fn normalise<T: Element>(input: &[T], residual: Option<&[T]>, channels: &Channels<T>, relu: bool) -> Vec<T> {
    filled(input.len(), channels.chunk_len(), |start, output| {
        let input = &input[start..start + output.len()];
        let residual = residual.map(|residual| &residual[start..start + output.len()]);
        run(Normalise { input, residual, channels, relu, output });
    })
}

struct Normalise<'a, T> {
    input: &'a [T],
    residual: Option<&'a [T]>,
    channels: &'a Channels<T>,
    relu: bool,
    output: &'a mut [T],
}

impl<T: Element> WithSimd for Normalise<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (lanes, n_channels) = (T::count::<S>(), self.channels.n_channels);
        for start in (0..self.output.len()).step_by(n_channels) {
            for channel in (0..n_channels).step_by(lanes) {
                let range = start + channel..start + (channel + lanes).min(n_channels);
                let mut values = self.channels.normalised(simd, channel, T::load(simd, &self.input[range.clone()]));
                if let Some(residual) = self.residual {
                    values = T::plus(simd, values, T::load(simd, &residual[range.clone()]));
                }
                if self.relu {
                    values = T::positive_part(simd, values);
                }
                T::store(simd, &mut self.output[range], values);
            }
        }
    }
}

/// The gradient of the output of a batch normalisation, and what its backward needs of the forward.
#[derive(Clone, Copy)]
pub(crate) struct Upstream<'a, T> {
    pub(crate) grad: &'a [T],
    pub(crate) input: &'a [T],
    /// A rectifier follows the normalisation; which elements it passed is computed again.
    pub(crate) relu: bool,
    pub(crate) channels: &'a Channels<T>,
}

impl<T: Element> Upstream<'_, T> {
    /// The parts of one chunk.
    fn narrow(&self, start: usize, len: usize) -> Self {
        Self { grad: &self.grad[start..start + len], input: &self.input[start..start + len], ..*self }
    }

    /// The gradient of the rectifier's input, and the input of the normalisation, at a range of elements.
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, channel: usize, range: Range<usize>) -> (T::Vector<S>, T::Vector<S>) {
        let grad = T::load(simd, &self.grad[range.clone()]);
        let input = T::load(simd, &self.input[range]);
        if !self.relu {
            return (grad, input);
        }
        let normalised = self.channels.normalised(simd, channel, input);
        (T::keep_where_positive(simd, grad, normalised), input)
    }
}

/// Gradients of one batch normalisation; that of the input only where the caller wants it.
pub(crate) struct Gradients<T> {
    pub(crate) input: Option<Vec<T>>,
    pub(crate) gamma: Vec<T>,
    pub(crate) beta: Vec<T>,
}

/// With `x^ = (x - mean) / std`: `dbeta = sum dy`, `dgamma = sum dy x^`, and
/// `dx = gamma / std (dy - dbeta / M - x^ dgamma / M)`, where the two means are absent if the statistics are constants.
/// `dy` is what the rectifier lets through.
pub(crate) fn backward<T: Element>(upstream: Upstream<'_, T>, of_batch: bool, wants_input: bool) -> Gradients<T> {
    let channels = upstream.channels;
    let [beta, gamma] = gradient_sums(upstream);
    let weight = if of_batch { channels.n_channels as f64 / upstream.input.len() as f64 } else { 0.0 };
    let input = wants_input.then(|| {
        // dx = scale dy - slope (x - mean) - offset
        let scale = channels.scale.iter().map(|scale| scale.widened() * weight);
        let slope = scale.clone().zip(&gamma).zip(&channels.inverse_std);
        let minus_slope =
            whole_vectors::<T>(slope.map(|((scale, gamma), inverse_std)| -scale * gamma * inverse_std.widened()));
        let offset = whole_vectors::<T>(scale.zip(&beta).map(|(scale, beta)| scale * beta));
        filled(upstream.grad.len(), channels.chunk_len(), |start, output| {
            let upstream = upstream.narrow(start, output.len());
            run(InputGrad { upstream, minus_slope: &minus_slope, offset: &offset, output });
        })
    });
    let convert = |values: Vec<f64>| values.into_iter().map(T::rounded).collect();
    Gradients { input, gamma: convert(gamma), beta: convert(beta) }
}

/// `[sum dy, sum dy x^]` of every channel, added up in the order of the chunks.
fn gradient_sums<T: Element>(upstream: Upstream<'_, T>) -> [Vec<f64>; 2] {
    let (len, n_channels, chunk_len) =
        (upstream.grad.len(), upstream.channels.n_channels, upstream.channels.chunk_len());
    let parts = map_chunks(len.div_ceil(chunk_len), |chunk| {
        let start = chunk * chunk_len;
        let len = chunk_len.min(len - start);
        channel_sums(upstream.narrow(start, len), len, n_channels)
    });
    let mut totals = [vec![0.0; n_channels], vec![0.0; n_channels]];
    for part in &parts {
        for (totals, part) in totals.iter_mut().zip(part) {
            totals.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
    }
    totals
}

impl<T: Element> Terms<T> for Upstream<'_, T> {
    /// `dy` and `dy x^`.
    #[inline(always)]
    fn at<S: Simd>(self, simd: S, channel: usize, range: Range<usize>) -> [T::Vector<S>; 2] {
        let (grad, input) = self.load(simd, channel, range);
        let centred = T::minus(simd, input, at_channel(simd, &self.channels.mean, channel));
        let scaled = T::times(simd, grad, at_channel(simd, &self.channels.inverse_std, channel));
        [grad, T::times(simd, centred, scaled)]
    }
}

struct InputGrad<'a, T> {
    upstream: Upstream<'a, T>,
    minus_slope: &'a [T],
    offset: &'a [T],
    output: &'a mut [T],
}

impl<T: Element> WithSimd for InputGrad<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.upstream.channels;
        let (lanes, n_channels) = (T::count::<S>(), channels.n_channels);
        for start in (0..self.output.len()).step_by(n_channels) {
            for channel in (0..n_channels).step_by(lanes) {
                let range = start + channel..start + (channel + lanes).min(n_channels);
                let (grad, input) = self.upstream.load(simd, channel, range.clone());
                let scaled = T::times(simd, grad, at_channel(simd, &channels.scale, channel));
                let centred = T::minus(simd, input, at_channel(simd, &channels.mean, channel));
                let value = T::mul_add(simd, centred, at_channel(simd, self.minus_slope, channel), scaled);
                let value = T::minus(simd, value, at_channel(simd, self.offset, channel));
                T::store(simd, &mut self.output[range], value);
            }
        }
    }
}
