//! Where examples are kept between the load and the batch.
//!
//! Shapes: `N` examples, `H` height, `W` width, `C` channels, `F` features; pixels are `[N, H, W, C]` bytes.

use crate::DataError;
use crate::decode::Target;
use crate::encoded::EncodedImages;
use crate::texts::TextStore;
use std::borrow::Cow;
use std::sync::Arc;
use stillhouse_core::ClassId;
use stillhouse_glyphs::GlyphGenerator;

/// An image ready to be shown: `[height, width, channels]` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawImage {
    /// pixels
    pub height: usize,
    /// pixels
    pub width: usize,
    /// 1 (grey) or 3 (RGB)
    pub channels: usize,
    /// one byte per channel, rows from the top
    pub pixels: Vec<u8>,
}

/// The examples of one source.
pub(crate) enum Store {
    Images(ImageStore),
    Features(FeatureStore),
    Texts(TextStore),
}

/// Images of one size.
pub(crate) struct ImageStore {
    pub(crate) target: Target,
    pub(crate) pixels: Pixels,
}

/// The pixels, or what they can be made from again at any time.
pub(crate) enum Pixels {
    Resident(Vec<u8>),
    Encoded(EncodedImages),
    Drawn(DrawnGlyphs),
}

/// Glyphs that are drawn when they are asked for; rows run through the classes first.
pub(crate) struct DrawnGlyphs {
    pub(crate) generator: Arc<GlyphGenerator>,
    pub(crate) n_classes: usize,
    pub(crate) first_index: u64,
}

impl DrawnGlyphs {
    /// The class of a row: neighbours differ, so that any stretch of rows holds all classes alike.
    pub(crate) fn class(&self, row: usize) -> ClassId {
        ClassId((row % self.n_classes) as u32)
    }

    pub(crate) fn draw(&self, row: usize, out: &mut [u8]) {
        self.generator.render(self.class(row), self.first_index + (row / self.n_classes) as u64, out);
    }
}

impl ImageStore {
    /// The pixels of one image, `[H, W, C]`.
    pub(crate) fn pixels(&self, row: usize) -> Result<Cow<'_, [u8]>, DataError> {
        let n_bytes = self.target.n_bytes();
        match &self.pixels {
            Pixels::Resident(all) => Ok(Cow::Borrowed(&all[row * n_bytes..][..n_bytes])),
            Pixels::Encoded(images) => images.decode(row, &self.target).map(Cow::Owned),
            Pixels::Drawn(glyphs) => {
                let mut pixels = vec![0; n_bytes];
                glyphs.draw(row, &mut pixels);
                Ok(Cow::Owned(pixels))
            }
        }
    }

    pub(crate) fn raw(&self, row: usize) -> Result<RawImage, DataError> {
        let Target { height, width, channels } = self.target;
        Ok(RawImage { height, width, channels, pixels: self.pixels(row)?.into_owned() })
    }

    pub(crate) fn is_resident(&self) -> bool {
        matches!(self.pixels, Pixels::Resident(_))
    }
}

/// Rows of a matrix `[N, F]`.
pub(crate) struct FeatureStore {
    pub(crate) values: Vec<f32>,
    pub(crate) n_features: usize,
}

impl FeatureStore {
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.n_features..][..self.n_features]
    }
}
