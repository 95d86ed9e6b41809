//! What a model takes in: the shape of one example and the constants that normalise it.

use serde::{Deserialize, Serialize};

/// Shape of one input, without the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum InputShape {
    /// `[channels, height, width]`
    Image {
        /// 1 (grey) or 3 (RGB)
        channels: usize,
        /// pixels
        height: usize,
        /// pixels
        width: usize,
    },
    /// `[n_features]`
    Features {
        /// numbers per example
        n_features: usize,
    },
}

impl InputShape {
    /// Numbers per example.
    pub fn n_values(&self) -> usize {
        match *self {
            Self::Image { channels, height, width } => channels * height * width,
            Self::Features { n_features } => n_features,
        }
    }

    /// Channels of an image; the number of features otherwise: the length of the normalising constants.
    pub fn n_channels(&self) -> usize {
        match *self {
            Self::Image { channels, .. } => channels,
            Self::Features { n_features } => n_features,
        }
    }
}

/// A shape with its normalisation, `(value - mean) / std` for each channel, taken from the training split.
/// Image values are scaled to `0..=1` first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// shape of one example
    pub shape: InputShape,
    /// one number per channel (images) or feature
    pub mean: Vec<f32>,
    /// one number per channel (images) or feature, above 0
    pub std: Vec<f32>,
}
