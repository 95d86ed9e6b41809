//! Augmentation: one random rendering of an image, a pure function of the pixels and one seed.
//!
//! The caller derives the seed from (run seed, example, view), so that teachers and student see the *same* view, in
//! any order and on any number of threads. Images come in as bytes or words and leave as `f32` on the scale of bytes, `0..=255`.
//!
//! Shape letters: `H` height, `W` width, `C` channels (1 or 3); images are `[H, W, C]`, row by row.

mod affine_elastic;
mod colour_jitter;
mod combined;
mod crop_flip;
mod random_erasing;
mod shift;
mod source;

pub use affine_elastic::AffineElasticConfig;
pub use colour_jitter::ColourJitterConfig;
pub use combined::{CombinedConfig, GeometryConfig};
pub use crop_flip::CropFlipConfig;
pub use random_erasing::RandomErasingConfig;
pub use shift::ShiftConfig;

use self::source::{Source, copy_values};
use super::pixels::PixelValue;
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
    /// One of the above, then other colours, then an erased part; each may be left out.
    Combined(CombinedConfig),
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self::None {}
    }
}

impl AugmentConfig {
    /// Whether every view of an image is the image itself.
    pub fn is_none(&self) -> bool {
        match self {
            Self::None {} => true,
            Self::Combined(config) => config.is_none(),
            Self::Shift(_) | Self::CropFlip(_) | Self::AffineElastic(_) => false,
        }
    }

    /// Writes the view that is drawn from `stream`: `pixels` and `out` are `[H, W, C]`, `out` in `0..=255`.
    ///
    /// No memory is allocated. Where a map reaches beyond the image it reads 0.
    ///
    /// # Panics
    /// If the length of `pixels` or `out` is not `height * width * channels`: a bug of the caller.
    pub(crate) fn apply<P: PixelValue>(
        &self,
        pixels: &[P],
        [height, width, channels]: [usize; 3],
        stream: Seed,
        out: &mut [f32],
    ) {
        assert_eq!(pixels.len(), height * width * channels, "pixels must be [height, width, channels]");
        assert_eq!(out.len(), pixels.len(), "out must have the shape of pixels");
        let source = Source { pixels, height, width, channels };
        match self {
            Self::None {} => copy_values(pixels, out),
            Self::Shift(config) => config.apply(&source, stream, out),
            Self::CropFlip(config) => config.apply(&source, stream, out),
            Self::AffineElastic(config) => config.apply(&source, stream, out),
            Self::Combined(config) => config.apply(&source, stream, out),
        }
    }
}

#[cfg(test)]
mod tests;
