//! Loops of batch normalisation over slices `[M, C]`: `M` positions, `C` channels. Sums are taken in `f64`.

use std::ops::Range;

use crate::element::{Element, value_or_zero};
use crate::parallel::{filled, rows_per_chunk, sum_over_rows};

/// Mean and biased variance of every channel.
///
/// Sums are taken of differences to the first position, so that a large common offset does not cancel digits.
pub(crate) fn statistics<T: Element>(input: &[T], n_channels: usize) -> (Vec<f64>, Vec<f64>) {
    let n_positions = input.len() / n_channels;
    let offset: Vec<f64> = input[..n_channels].iter().map(|value| value.to_f64()).collect();
    let sums = sum_over_rows(n_positions, n_channels, 2 * n_channels, |rows, sums| {
        let (sum, square_sum) = sums.split_at_mut(n_channels);
        for row in input[rows.start * n_channels..rows.end * n_channels].chunks_exact(n_channels) {
            for (((value, offset), sum), square_sum) in row.iter().zip(&offset).zip(&mut *sum).zip(&mut *square_sum) {
                let difference = value.to_f64() - offset;
                *sum += difference;
                *square_sum += difference * difference;
            }
        }
    });
    let (sum, square_sum) = sums.split_at(n_channels);
    let shift = |channel: usize| sum[channel] / n_positions as f64;
    let mean = (0..n_channels).map(|channel| offset[channel] + shift(channel)).collect();
    let var = (0..n_channels)
        .map(|channel| {
            let value = square_sum[channel] / n_positions as f64 - shift(channel) * shift(channel);
            // keeps a NaN, which `f64::max` would hide
            if value < 0.0 { 0.0 } else { value }
        })
        .collect();
    (mean, var)
}

/// `1 / sqrt(var + eps)` of every channel.
pub(crate) fn inverse_std(var: &[f64], eps: f64) -> Vec<f64> {
    var.iter().map(|var| 1.0 / (var + eps).sqrt()).collect()
}

/// What one channel is shifted and scaled by.
pub(crate) struct Affine<T> {
    mean: Vec<T>,
    inverse_std: Vec<T>,
    /// `gamma / sqrt(var + eps)`.
    scale: Vec<T>,
}

impl<T: Element> Affine<T> {
    pub(crate) fn new(mean: &[f64], inverse_std: &[f64], gamma: &[T]) -> Self {
        let scale = gamma.iter().zip(inverse_std).map(|(gamma, inverse_std)| T::from_f64(gamma.to_f64() * inverse_std));
        Self {
            mean: mean.iter().map(|mean| T::from_f64(*mean)).collect(),
            inverse_std: inverse_std.iter().map(|inverse_std| T::from_f64(*inverse_std)).collect(),
            scale: scale.collect(),
        }
    }
}

/// `scale (input - mean) + beta`, rectified if `relu`.
pub(crate) fn normalise<T: Element>(input: &[T], affine: &Affine<T>, beta: &[T], relu: bool) -> Vec<T> {
    let n_channels = beta.len();
    filled(input.len(), rows_per_chunk(n_channels) * n_channels, |start, chunk| {
        let rows = chunk.chunks_exact_mut(n_channels).zip(input[start..].chunks_exact(n_channels));
        for (row, input) in rows {
            let channels = input.iter().zip(&affine.mean).zip(&affine.scale).zip(beta);
            for (value, (((input, mean), scale), beta)) in row.iter_mut().zip(channels) {
                let normalised = (*input - *mean) * *scale + *beta;
                *value = if relu { crate::activation::positive_part(normalised) } else { normalised };
            }
        }
    })
}

/// Gradients of one batch normalisation; `input` only where it is asked for.
pub(crate) struct Gradients<T> {
    pub(crate) input: Option<Vec<T>>,
    pub(crate) gamma: Vec<T>,
    pub(crate) beta: Vec<T>,
}

/// With `x^ = (x - mean) / std`: `dbeta = sum dy`, `dgamma = sum dy x^`, and
/// `dx = gamma / std (dy - dbeta / M - x^ dgamma / M)`, where the two means are absent if the statistics are constants.
///
/// Behind a rectifier, `dy` counts only where `rectified`, its output, is above zero.
pub(crate) fn backward<T: Element>(
    grad: &[T],
    input: &[T],
    rectified: Option<&[T]>,
    affine: &Affine<T>,
    of_batch: bool,
    wants_input: bool,
) -> Gradients<T> {
    match rectified {
        Some(result) => masked_backward::<T, true>([grad, input, result], affine, of_batch, wants_input),
        None => masked_backward::<T, false>([grad, input, grad], affine, of_batch, wants_input),
    }
}

fn masked_backward<T: Element, const RELU: bool>(
    [grad, input, result]: [&[T]; 3],
    affine: &Affine<T>,
    of_batch: bool,
    wants_input: bool,
) -> Gradients<T> {
    let n_channels = affine.mean.len();
    let n_positions = input.len() / n_channels;
    let sums = gradient_sums::<T, RELU>([grad, input, result], affine);
    let (beta, gamma) = sums.split_at(n_channels);
    let weight = if of_batch { 1.0 / n_positions as f64 } else { 0.0 };
    // dx = scale dy - slope (x - mean) - offset
    let offset = |channel: usize| affine.scale[channel].to_f64() * weight * beta[channel];
    let slope = |channel: usize| {
        affine.scale[channel].to_f64() * weight * gamma[channel] * affine.inverse_std[channel].to_f64()
    };
    let offsets: Vec<T> = (0..n_channels).map(|channel| T::from_f64(offset(channel))).collect();
    let slopes: Vec<T> = (0..n_channels).map(|channel| T::from_f64(slope(channel))).collect();
    let input_grad = wants_input.then(|| {
        filled(grad.len(), rows_per_chunk(n_channels) * n_channels, |start, chunk| {
            let rows = rows(&[grad, input, result], start..start + chunk.len(), n_channels);
            for (row, [grad, input, result]) in chunk.chunks_exact_mut(n_channels).zip(rows) {
                let channels = affine.scale.iter().zip(&affine.mean).zip(&slopes).zip(&offsets);
                let values = row.iter_mut().zip(grad).zip(input).zip(result);
                for ((((value, grad), input), result), (((scale, mean), slope), offset)) in values.zip(channels) {
                    let grad = value_or_zero(!RELU || *result > T::ZERO, *grad);
                    *value = *scale * grad - *slope * (*input - *mean) - *offset;
                }
            }
        })
    });
    Gradients { input: input_grad, gamma: convert(gamma), beta: convert(beta) }
}

/// `[sum dy, sum dy x^]` of every channel.
fn gradient_sums<T: Element, const RELU: bool>(tensors: [&[T]; 3], affine: &Affine<T>) -> Vec<f64> {
    let n_channels = affine.mean.len();
    sum_over_rows(tensors[0].len() / n_channels, n_channels, 2 * n_channels, |range, sums| {
        let (beta, gamma) = sums.split_at_mut(n_channels);
        for [grad, input, result] in rows(&tensors, range.start * n_channels..range.end * n_channels, n_channels) {
            let channels = affine.mean.iter().zip(&affine.inverse_std);
            let sums = beta.iter_mut().zip(gamma.iter_mut());
            let values = grad.iter().zip(input).zip(result);
            for ((((grad, input), result), (mean, inverse_std)), (beta, gamma)) in values.zip(channels).zip(sums) {
                let grad = value_or_zero(!RELU || *result > T::ZERO, *grad);
                *beta += grad.to_f64();
                *gamma += (grad * (*input - *mean) * *inverse_std).to_f64();
            }
        }
    })
}

/// The rows of three tensors side by side, within a range of elements.
fn rows<'a, T>(
    tensors: &[&'a [T]; 3],
    range: Range<usize>,
    n_channels: usize,
) -> impl Iterator<Item = [&'a [T]; 3]> + use<'a, T> {
    let [a, b, c] = tensors.map(|tensor| tensor[range.clone()].chunks_exact(n_channels));
    a.zip(b).zip(c).map(|((a, b), c)| [a, b, c])
}

fn convert<T: Element>(values: &[f64]) -> Vec<T> {
    values.iter().map(|value| T::from_f64(*value)).collect()
}
