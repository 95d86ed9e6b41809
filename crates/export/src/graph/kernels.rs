//! The operators of a graph as plain loops over one example.
//!
//! Shapes as in `operator.rs`.

use super::shape::windows;

/// An image `[C, H, W]`.
#[derive(Clone, Copy)]
pub(super) struct Image<'a> {
    pub(super) values: &'a [f32],
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// A square window over an image.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) padding: usize,
}

impl Image<'_> {
    fn channel(&self, channel: usize) -> &[f32] {
        let n_pixels = self.height * self.width;
        &self.values[channel * n_pixels..][..n_pixels]
    }
}

impl Window {
    fn outputs(self, size: usize) -> usize {
        windows(size, self.kernel, self.stride, self.padding)
    }

    /// Pixel that element `offset` of the window at `output` lies on; none in the padding.
    fn pixel(self, output: usize, offset: usize, size: usize) -> Option<usize> {
        (output * self.stride + offset).checked_sub(self.padding).filter(|pixel| *pixel < size)
    }
}

/// `weight [O, C / groups, k, k]`; each weight is added to a whole row of outputs at a time.
pub(super) fn conv(image: Image, weight: &[f32], bias: &[f32], window: Window, groups: usize) -> Vec<f32> {
    let [height, width] = [image.height, image.width].map(|size| window.outputs(size));
    let (in_group, of_group) = (image.channels / groups, bias.len() / groups);
    let mut output = Vec::with_capacity(bias.len() * height * width);
    for (channel, bias) in bias.iter().enumerate() {
        let mut plane = vec![*bias; height * width];
        let kernels = &weight[channel * in_group * window.kernel.pow(2)..][..in_group * window.kernel.pow(2)];
        for (index, kernel) in kernels.chunks_exact(window.kernel.pow(2)).enumerate() {
            let pixels = image.channel(channel / of_group * in_group + index);
            for (offset, weight) in kernel.iter().enumerate() {
                let (down, right) = (offset / window.kernel, offset % window.kernel);
                for (y, sums) in plane.chunks_exact_mut(width).enumerate() {
                    let Some(row) = window.pixel(y, down, image.height) else { continue };
                    add_row(sums, &pixels[row * image.width..][..image.width], *weight, window, right);
                }
            }
        }
        output.extend(plane);
    }
    output
}

/// Adds `weight` times the pixels under element `right` of the window to a row of outputs.
fn add_row(sums: &mut [f32], row: &[f32], weight: f32, window: Window, right: usize) {
    let first = window.padding.saturating_sub(right).div_ceil(window.stride);
    let Some(pixels) = row.get((first * window.stride + right).saturating_sub(window.padding)..) else { return };
    let sums = sums.iter_mut().skip(first);
    match window.stride {
        1 => sums.zip(pixels).for_each(|(sum, pixel)| *sum += weight * pixel),
        stride => sums.zip(pixels.iter().step_by(stride)).for_each(|(sum, pixel)| *sum += weight * pixel),
    }
}

pub(super) fn max_pool(image: Image, window: Window) -> Vec<f32> {
    let [height, width] = [image.height, image.width].map(|size| window.outputs(size));
    let mut output = Vec::with_capacity(image.channels * height * width);
    for channel in 0..image.channels {
        let pixels = image.channel(channel);
        for position in 0..height * width {
            let inside = |offset: usize| {
                let row = window.pixel(position / width, offset / window.kernel, image.height)?;
                let column = window.pixel(position % width, offset % window.kernel, image.width)?;
                Some(pixels[row * image.width + column])
            };
            output.push((0..window.kernel.pow(2)).filter_map(inside).fold(f32::NEG_INFINITY, f32::max));
        }
    }
    output
}

pub(super) fn average(image: Image) -> Vec<f32> {
    let n_pixels = (image.height * image.width) as f32;
    (0..image.channels).map(|channel| image.channel(channel).iter().sum::<f32>() / n_pixels).collect()
}

/// `weight [O, I]`.
pub(super) fn linear(input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let n_in = weight.len() / bias.len();
    let of_row = |row| weight.chunks_exact(n_in).zip(bias).map(move |(weights, bias)| dot(row, weights) + bias);
    input.chunks_exact(n_in).flat_map(of_row).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The rows of `table [V, D]` that `ids` name.
pub(super) fn rows(table: &[f32], width: usize, ids: &[u32]) -> Vec<f32> {
    ids.iter().flat_map(|id| &table[*id as usize * width..][..width]).copied().collect()
}

/// Mean over the rows of `[S, D]`.
pub(super) fn mean_of_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let n_rows = (rows.len() / width).max(1) as f32;
    mean.iter_mut().for_each(|sum| *sum /= n_rows);
    mean
}

pub(super) fn layer_norm(input: &[f32], scale: &[f32], shift: &[f32], eps: f32) -> Vec<f32> {
    let width = scale.len() as f32;
    let of_row = |row: &[f32]| {
        let mean = row.iter().sum::<f32>() / width;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / width;
        let factor = 1.0 / (variance + eps).sqrt();
        row.iter().zip(scale.iter().zip(shift)).map(|(x, (scale, shift))| (x - mean) * factor * scale + shift).collect()
    };
    input.chunks_exact(scale.len()).flat_map::<Vec<f32>, _>(of_row).collect()
}

/// `[D, H, W]` and the class token `[D]` to `[1 + H W, D]`.
pub(super) fn pixel_tokens(input: &[f32], class_token: &[f32]) -> Vec<f32> {
    let n_pixels = input.len() / class_token.len();
    let of_pixel = |pixel| input.iter().skip(pixel).step_by(n_pixels);
    class_token.iter().chain((0..n_pixels).flat_map(of_pixel)).copied().collect()
}

/// `projections [S, 3 D]` to `[S, D]`; `angles` are cosines and sines `[positions, E / 2]`.
pub(super) fn attention(
    projections: &[f32],
    width: usize,
    n_heads: usize,
    angles: Option<(&[f32], &[f32])>,
) -> Vec<f32> {
    let (n_tokens, head_width) = (projections.len() / (3 * width), width / n_heads);
    let part = |token: usize, part: usize, head: usize| {
        let vector = &projections[token * 3 * width + part * width + head * head_width..][..head_width];
        match angles {
            Some((cosines, sines)) if part < 2 => {
                let at = token * head_width / 2..(token + 1) * head_width / 2;
                turned(vector, &cosines[at.clone()], &sines[at])
            }
            _ => vector.to_vec(),
        }
    };
    let mut output = vec![0.0; n_tokens * width];
    for head in 0..n_heads {
        let [queries, keys, values]: [Vec<Vec<f32>>; 3] =
            std::array::from_fn(|kind| (0..n_tokens).map(|token| part(token, kind, head)).collect());
        for (token, query) in queries.iter().enumerate() {
            let scale = 1.0 / (head_width as f32).sqrt();
            let shares = softmax(keys.iter().map(|key| scale * dot(query, key)).collect());
            let mixed = &mut output[token * width + head * head_width..][..head_width];
            for (share, value) in shares.iter().zip(&values) {
                mixed.iter_mut().zip(value).for_each(|(sum, value)| *sum += share * value);
            }
        }
    }
    output
}

/// Turns the pairs `(i, i + E / 2)` of a vector by one angle each.
fn turned(vector: &[f32], cosines: &[f32], sines: &[f32]) -> Vec<f32> {
    let (firsts, seconds) = vector.split_at(vector.len() / 2);
    let pairs = || firsts.iter().zip(seconds).zip(cosines.iter().zip(sines));
    let turned_firsts = pairs().map(|((first, second), (cosine, sine))| first * cosine - second * sine);
    let turned_seconds = pairs().map(|((first, second), (cosine, sine))| first * sine + second * cosine);
    turned_firsts.chain(turned_seconds).collect()
}

fn softmax(mut scores: Vec<f32>) -> Vec<f32> {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let sum: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= sum);
    scores
}

/// `x P(x)` with the distribution function of the standard normal.
pub(super) fn gelu_erf(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))) as f32
}

/// Its approximation by a hyperbolic tangent.
pub(super) fn gelu_tanh(x: f32) -> f32 {
    let slope = (2.0 / std::f32::consts::PI).sqrt();
    0.5 * x * (1.0 + (slope * (x + 0.044_715 * x.powi(3))).tanh())
}
