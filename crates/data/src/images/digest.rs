//! What is kept of each image for the fingerprint and the normalisation.
//!
//! Shapes: one image is `[H, W, C]` values, `C` channels.

use super::pixels::PixelValue;
use crate::modality::deviation;
use rayon::prelude::*;

/// Channels that an image can have at most.
pub(crate) const MAX_CHANNELS: usize = 3;

/// Hash and sums of one image's pixels. Sums are whole numbers, so their total does not depend on the order.
#[derive(Clone, Debug)]
pub(crate) struct RowDigest {
    pub(crate) hash: [u8; 32],
    pub(crate) n_pixels: u64,
    pub(crate) sums: [u64; MAX_CHANNELS],
    pub(crate) sums_of_squares: [u64; MAX_CHANNELS],
}

impl RowDigest {
    pub(crate) fn new<P: PixelValue>(pixels: &[P], channels: usize) -> Self {
        let mut hasher = blake3::Hasher::new();
        P::hash_into(pixels, &mut hasher);
        let mut digest = Self {
            hash: *hasher.finalize().as_bytes(),
            n_pixels: (pixels.len() / channels) as u64,
            sums: [0; MAX_CHANNELS],
            sums_of_squares: [0; MAX_CHANNELS],
        };
        for pixel in pixels.chunks_exact(channels) {
            for (channel, &value) in pixel.iter().enumerate() {
                let value = u64::from(value.stored());
                digest.sums[channel] += value;
                digest.sums_of_squares[channel] += value * value;
            }
        }
        digest
    }
}

/// The digests of images that lie in memory one after the other, `[N, H, W, C]`.
pub(crate) fn digest_all(pixels: &[u8], n_bytes: usize, channels: usize) -> Vec<RowDigest> {
    pixels.par_chunks_exact(n_bytes).map(|image| RowDigest::new(image, channels)).collect()
}

/// Mean and standard deviation of each channel, of values scaled from `0..=largest` to `0..=1`; a constant channel gets 1.
pub(crate) fn channel_statistics<'a>(
    digests: impl Iterator<Item = &'a RowDigest>,
    channels: usize,
    largest: u32,
) -> (Vec<f32>, Vec<f32>) {
    let full_scale = f64::from(largest);
    let mut n_pixels = 0u64;
    // the squares of 16 bits need more than 64 from 4 * 10^9 pixels on
    let mut totals = [(0u128, 0u128); MAX_CHANNELS];
    for digest in digests {
        n_pixels += digest.n_pixels;
        for (channel, (sum, sum_of_squares)) in totals.iter_mut().enumerate() {
            *sum += u128::from(digest.sums[channel]);
            *sum_of_squares += u128::from(digest.sums_of_squares[channel]);
        }
    }
    let n_pixels = n_pixels.max(1) as f64;
    let statistics = totals.iter().take(channels).map(|&(sum, sum_of_squares)| {
        let mean = sum as f64 / n_pixels;
        let variance = (sum_of_squares as f64 / n_pixels - mean * mean).max(0.0);
        (mean / full_scale, deviation(variance.sqrt() / full_scale))
    });
    statistics.map(|(mean, std)| (mean as f32, std as f32)).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_the_scaled_pixels() {
        let digests = [RowDigest::new(&[0_u8, 10, 255, 10], 2), RowDigest::new(&[0_u8, 10, 255, 10], 2)];
        let (mean, std) = channel_statistics(digests.iter(), 2, u8::LARGEST);
        assert_eq!(mean, [0.5, 10.0 / 255.0]);
        assert_eq!(std, [0.5, 1.0], "the constant channel is left as it is");
    }
}
