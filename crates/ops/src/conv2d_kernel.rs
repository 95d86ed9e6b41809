//! The three products of a convolution: `Y = P W`, `dW = P^T dY`, `dP = dY W^T`, where `P [pixels, kh * kw * C]` are the
//! patches of the input, built in chunks that stay in the cache.

use std::ops::Range;

use crate::conv2d::Conv2dSize;
use crate::element::Element;
use crate::im2col::{gather, scatter_add};
use crate::matmul::{Matrix, Write, multiply};
use crate::parallel::{for_each_chunk, gemm_parallelism, map_chunks};

/// Elements of one chunk of patches.
const PATCH_CHUNK: usize = 64 * 1024;
/// Upper limits for the partial sums of the weight gradient: their number, and their elements together.
const MAX_PARTIAL_SUMS: usize = 32;
const MAX_PARTIAL_ELEMENTS: usize = 16 * 1024 * 1024;

/// The output `[N, H', W', O]`.
pub(crate) fn forward<T: Element>(input: &[T], weight: &[T], size: &Conv2dSize) -> Vec<T> {
    let (patch_len, n_outputs) = (size.patch_len(), size.n_outputs);
    let weight = Matrix::row_major(weight, patch_len, n_outputs);
    let mut values = vec![T::ZERO; size.n_pixels() * n_outputs];
    if values.is_empty() {
        return values;
    }
    if size.is_pointwise() {
        let input = Matrix::row_major(input, size.n_pixels(), patch_len);
        multiply(&mut values, input, weight, Write::Overwrite, gemm_parallelism());
        return values;
    }
    let pixels_per_chunk = pixels_per_chunk(size);
    for_each_chunk(&mut values, pixels_per_chunk * n_outputs, |start, chunk| {
        let first = start / n_outputs;
        let n_pixels = chunk.len() / n_outputs;
        let mut patches = vec![T::ZERO; n_pixels * patch_len];
        gather(input, first..first + n_pixels, size, &mut patches);
        let patches = Matrix::row_major(&patches, n_pixels, patch_len);
        multiply(chunk, patches, weight, Write::Overwrite, gemm::Parallelism::None);
    });
    values
}

/// The gradient of the input, `[N, H, W, C]`.
///
/// With stride 1 it is itself a convolution, of `dY` with the mirrored kernel, which writes every element once.
/// Otherwise the patches' gradients are added up: images in parallel, the chunks of one image in their order.
pub(crate) fn backward_input<T: Element>(grad: &[T], weight: &[T], size: &Conv2dSize) -> Vec<T> {
    let (patch_len, n_outputs) = (size.patch_len(), size.n_outputs);
    let image_len = size.height * size.width * size.n_inputs;
    if size.batch * image_len == 0 {
        return Vec::new();
    }
    if size.is_pointwise() {
        let mut values = vec![T::ZERO; size.batch * image_len];
        let grad = Matrix::row_major(grad, size.n_pixels(), n_outputs);
        let weight = Matrix::row_major(weight, patch_len, n_outputs).transposed();
        multiply(&mut values, grad, weight, Write::Overwrite, gemm_parallelism());
        return values;
    }
    if let Some(mirrored) = mirrored_size(size) {
        return forward(grad, &mirrored_weight(weight, size), &mirrored);
    }
    let weight = Matrix::row_major(weight, patch_len, n_outputs).transposed();
    let mut values = vec![T::ZERO; size.batch * image_len];
    let pixels_per_image = size.out_height * size.out_width;
    let pixels_per_chunk = pixels_per_chunk(size);
    for_each_chunk(&mut values, image_len, |start, image| {
        let first = start / image_len * pixels_per_image;
        let mut patches = vec![T::ZERO; pixels_per_chunk.min(pixels_per_image) * patch_len];
        for pixels in chunks(first..first + pixels_per_image, pixels_per_chunk) {
            let grad = Matrix::row_major(&grad[pixels.start * n_outputs..], pixels.len(), n_outputs);
            let patches = &mut patches[..pixels.len() * patch_len];
            multiply(patches, grad, weight, Write::Overwrite, gemm::Parallelism::None);
            scatter_add(patches, pixels, size, start, image);
        }
    });
    values
}

/// The convolution that leads from the output back to the input, where there is one.
fn mirrored_size(size: &Conv2dSize) -> Option<Conv2dSize> {
    let is_square = size.kernel_height == size.kernel_width;
    if size.stride != 1 || !is_square || size.padding >= size.kernel_height {
        return None;
    }
    Some(Conv2dSize {
        height: size.out_height,
        width: size.out_width,
        n_inputs: size.n_outputs,
        n_outputs: size.n_inputs,
        padding: size.kernel_height - 1 - size.padding,
        out_height: size.height,
        out_width: size.width,
        ..*size
    })
}

/// The weight `[kh, kw, C, O]` turned by half a turn, with inputs and outputs exchanged: `[kh, kw, O, C]`.
fn mirrored_weight<T: Element>(weight: &[T], size: &Conv2dSize) -> Vec<T> {
    let (n_inputs, n_outputs) = (size.n_inputs, size.n_outputs);
    let mut mirrored = vec![T::ZERO; weight.len()];
    let taps = weight.chunks_exact(n_inputs * n_outputs).rev();
    for (mirrored, tap) in mirrored.chunks_exact_mut(n_inputs * n_outputs).zip(taps) {
        for (output_idx, row) in mirrored.chunks_exact_mut(n_inputs).enumerate() {
            row.iter_mut().enumerate().for_each(|(i, value)| *value = tap[i * n_outputs + output_idx]);
        }
    }
    mirrored
}

/// The gradient of the weight, `[kh, kw, C, O]`: partial sums over groups of chunks, added in the order of the groups.
pub(crate) fn backward_weight<T: Element>(grad: &[T], input: &[T], size: &Conv2dSize) -> Vec<T> {
    let (patch_len, n_outputs) = (size.patch_len(), size.n_outputs);
    let weight_len = patch_len * n_outputs;
    if weight_len == 0 || size.n_pixels() == 0 {
        return vec![T::ZERO; weight_len];
    }
    let pixels_per_chunk = pixels_per_chunk(size);
    let n_chunks = size.n_pixels().div_ceil(pixels_per_chunk);
    let n_groups = (MAX_PARTIAL_ELEMENTS / weight_len).clamp(1, MAX_PARTIAL_SUMS).min(n_chunks);
    let pixels_per_group = n_chunks.div_ceil(n_groups) * pixels_per_chunk;
    let partial_sums = map_chunks(size.n_pixels().div_ceil(pixels_per_group), |group| {
        let pixels = group * pixels_per_group..((group + 1) * pixels_per_group).min(size.n_pixels());
        let mut sum = vec![T::ZERO; weight_len];
        let mut patches = vec![T::ZERO; pixels_per_chunk.min(pixels.len()) * patch_len];
        for pixels in chunks(pixels, pixels_per_chunk) {
            let grad = Matrix::row_major(&grad[pixels.start * n_outputs..], pixels.len(), n_outputs);
            let n_pixels = pixels.len();
            let patches = if size.is_pointwise() {
                &input[pixels.start * patch_len..pixels.end * patch_len]
            } else {
                gather(input, pixels, size, &mut patches[..n_pixels * patch_len]);
                &patches[..n_pixels * patch_len]
            };
            let patches = Matrix::row_major(patches, n_pixels, patch_len);
            multiply(&mut sum, patches.transposed(), grad, Write::Add, gemm::Parallelism::None);
        }
        sum
    });
    sum_in_order(partial_sums)
}

fn sum_in_order<T: Element>(partial_sums: Vec<Vec<T>>) -> Vec<T> {
    let mut partial_sums = partial_sums.into_iter();
    let mut total = partial_sums.next().unwrap_or_default();
    for sum in partial_sums {
        total.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
    }
    total
}

fn pixels_per_chunk(size: &Conv2dSize) -> usize {
    (PATCH_CHUNK / size.patch_len().max(1)).clamp(64, 1024)
}

fn chunks(range: Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(len).map(move |start| start..(start + len).min(end))
}
