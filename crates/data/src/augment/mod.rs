//! Augmentation: one random rendering of an image, a pure function of the pixels and one seed.
//!
//! The caller derives the seed from (run seed, example, view), so that teachers and student see the *same* view, in
//! any order and on any number of threads. Images come in as bytes and leave as `f32` on the same scale, `0..=255`.
//!
//! Shape letters: `H` height, `W` width, `C` channels (1 or 3); images are `[H, W, C]`, row by row.

mod affine_elastic;
mod crop_flip;
mod shift;
mod text;

pub use affine_elastic::AffineElasticConfig;
pub use crop_flip::CropFlipConfig;
pub use shift::ShiftConfig;
pub use text::{TextAugmentConfig, TextViewsConfig};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Seed;

/// How training images are varied from view to view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AugmentConfig {
    /// Images as they are.
    None {},
    /// Moved by a few pixels; what comes in at the border is 0.
    Shift(ShiftConfig),
    /// A random crop of the padded image, mirrored half of the time: the usual recipe for CIFAR.
    CropFlip(CropFlipConfig),
    /// A random affine map with a smooth random displacement on top: the usual recipe for handwriting
    /// (Simard, Steinkraus and Platt 2003).
    AffineElastic(AffineElasticConfig),
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self::None {}
    }
}

impl AugmentConfig {
    /// Whether every view of an image is the image itself.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None {})
    }

    /// What is wrong with the values, one message for each, naming the key; empty when all is well.
    pub fn validate(&self) -> Vec<String> {
        match self {
            Self::None {} => Vec::new(),
            Self::Shift(config) => config.validate(),
            Self::CropFlip(config) => config.validate(),
            Self::AffineElastic(config) => config.validate(),
        }
    }

    /// Writes the view that `stream` stands for: `pixels` and `out` are `[H, W, C]`, `out` in `0..=255`.
    ///
    /// No memory is allocated. Where a map reaches beyond the image it reads 0.
    ///
    /// # Panics
    /// If the length of `pixels` or `out` is not `height * width * channels`: a bug of the caller.
    pub fn apply(&self, pixels: &[u8], height: usize, width: usize, channels: usize, stream: Seed, out: &mut [f32]) {
        assert_eq!(pixels.len(), height * width * channels, "pixels must be [height, width, channels]");
        assert_eq!(out.len(), pixels.len(), "out must have the shape of pixels");
        let source = Source { pixels, height, width, channels };
        match self {
            Self::None {} => copy_values(pixels, out),
            Self::Shift(config) => config.apply(&source, stream, out),
            Self::CropFlip(config) => config.apply(&source, stream, out),
            Self::AffineElastic(config) => config.apply(&source, stream, out),
        }
    }
}

/// The image that a view is made from, `[H, W, C]`.
struct Source<'a> {
    pixels: &'a [u8],
    height: usize,
    width: usize,
    channels: usize,
}

impl Source<'_> {
    /// Writes the image moved right by `dx` and down by `dy` pixels, 0 where nothing is.
    fn write_shifted(&self, dx: isize, dy: isize, out: &mut [f32]) {
        let row_len = self.width * self.channels;
        if row_len == 0 {
            return;
        }
        let columns = overlap(self.width, dx);
        for (y, out_row) in out.chunks_exact_mut(row_len).enumerate() {
            let source_y = y as isize - dy;
            if source_y < 0 || source_y >= self.height as isize || columns.is_empty() {
                out_row.fill(0.0);
                continue;
            }
            let (start, end) = (columns.start * self.channels, columns.end * self.channels);
            let source_start = source_y as usize * row_len + (columns.start as isize - dx) as usize * self.channels;
            out_row[..start].fill(0.0);
            out_row[end..].fill(0.0);
            copy_values(&self.pixels[source_start..source_start + end - start], &mut out_row[start..end]);
        }
    }
}

/// The positions of `0..len` that a move by `delta` still fills with source positions.
fn overlap(len: usize, delta: isize) -> std::ops::Range<usize> {
    let len = len as isize;
    let start = delta.clamp(0, len);
    let end = (len + delta).clamp(start, len);
    start as usize..end as usize
}

fn copy_values(pixels: &[u8], out: &mut [f32]) {
    for (value, &pixel) in out.iter_mut().zip(pixels) {
        *value = f32::from(pixel);
    }
}

/// A message for a number outside its range, or nothing.
fn out_of_range(key: &str, value: f64, low: f64, high: f64) -> Option<String> {
    let inside = value >= low && value <= high;
    (!inside).then(|| format!("augment.{key}: must lie between {low} and {high}, found {value}"))
}

#[cfg(test)]
mod tests;
