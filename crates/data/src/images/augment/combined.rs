//! Several changes of one view: moved, then in other colours, then with a part erased.

use super::source::{Source, copy_values};
use super::{AffineElasticConfig, ColourJitterConfig, CropFlipConfig, RandomErasingConfig, ShiftConfig};
use crate::images::pixels::PixelValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Seed;

/// What is done to a view, in this order; each part may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CombinedConfig {
    /// How the image is moved or distorted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geometry: Option<GeometryConfig>,
    /// How its colours change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour_jitter: Option<ColourJitterConfig>,
    /// How a part of it is erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_erasing: Option<RandomErasingConfig>,
}

/// The kinds of augmentation that move pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GeometryConfig {
    /// Moved by a few pixels; what comes in at the border is 0.
    Shift(ShiftConfig),
    /// A random crop of the padded image, mirrored half of the time.
    CropFlip(CropFlipConfig),
    /// A random affine map with a smooth random displacement on top.
    AffineElastic(AffineElasticConfig),
}

impl CombinedConfig {
    /// Whether nothing is done.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn apply<P: PixelValue>(&self, source: &Source<'_, P>, stream: Seed, out: &mut [f32]) {
        // the stream of the same kind by itself: one moves an image as the other does
        match &self.geometry {
            None => copy_values(source.pixels, out),
            Some(GeometryConfig::Shift(config)) => config.apply(source, stream, out),
            Some(GeometryConfig::CropFlip(config)) => config.apply(source, stream, out),
            Some(GeometryConfig::AffineElastic(config)) => config.apply(source, stream, out),
        }
        if let Some(config) = &self.colour_jitter {
            config.apply(source.channels, stream.derive("colour jitter", 0), out);
        }
        if let Some(config) = &self.random_erasing {
            let shape = [source.height, source.width, source.channels];
            config.apply(shape, stream.derive("random erasing", 0), out);
        }
    }
}
