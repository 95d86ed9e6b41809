//! The input of a model: the shape of one example and the constants that normalise it.

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
    /// a text of any length: the input of datasets of texts and of models of hashed n-grams
    Text {},
    /// a text cut into the tokens of the model's own tokenizer: the input of token models, never of a dataset, since a
    /// student may have another tokenizer than its teacher
    Tokens {
        /// size of the tokenizer's vocabulary; ids are below this
        vocabulary_size: usize,
    },
}

impl InputShape {
    /// Numbers per example; none for texts, which have no fixed size.
    pub fn n_values(&self) -> usize {
        match *self {
            Self::Image { channels, height, width } => channels * height * width,
            Self::Features { n_features } => n_features,
            Self::Text {} | Self::Tokens { .. } => 0,
        }
    }

    /// The length of the normalising constants: channels of an image, the number of features, 0 for texts.
    pub fn n_channels(&self) -> usize {
        match *self {
            Self::Image { channels, .. } => channels,
            Self::Features { n_features } => n_features,
            Self::Text {} | Self::Tokens { .. } => 0,
        }
    }

    /// Whether an example is a text, cut into tokens or not.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text {} | Self::Tokens { .. })
    }
}

/// A shape with its normalisation, `(value - offset - mean) / std` for each channel, taken from the training split.
/// Image values are scaled to `0..=1` first. Texts have no constants: both lists are empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// shape of one example
    pub shape: InputShape,
    /// one number per channel (images) or feature; none for texts
    pub mean: Vec<f32>,
    /// one number per channel (images) or feature, above 0; none for texts
    pub std: Vec<f32>,
    /// One number per feature, subtracted in double precision before a value becomes an f32: numbers of 1e8 that differ by
    /// ones would all be the same. Empty where no feature needs it, and for images and texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offset: Vec<f64>,
    /// red, green and blue of what transparent images are laid on; white where it is not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<[u8; 3]>,
}

impl InputSpec {
    /// Constants without an offset, for images on white.
    pub fn new(shape: InputShape, mean: Vec<f32>, std: Vec<f32>) -> Self {
        Self { shape, mean, std, offset: Vec::new(), background: None }
    }

    /// The offset of a channel.
    pub fn offset_of(&self, channel: usize) -> f64 {
        self.offset.get(channel).copied().unwrap_or(0.0)
    }
}
