//! Images of one size as a modality.
//!
//! Shapes: `N` examples, `H` height, `W` width, `C` channels; one image is `[H, W, C]` bytes, in batches numbers.

use super::augment::AugmentConfig;
use super::decode::{PIXEL_MAX, Target};
use super::digest::{RowDigest, channel_statistics};
use super::encoded::EncodedImages;
use crate::DataError;
use crate::modality::{Modality, Wanted, normalise};
use crate::preview::{Preview, RawImage};
use std::borrow::Cow;
use stillhouse_core::{InputShape, InputSpec};

/// Images of one size.
pub(crate) struct ImageExamples {
    pub(crate) target: Target,
    pub(crate) pixels: Pixels,
    /// Of the first rows; of all rows unless the images are drawn. Empty once the dataset is made.
    pub(crate) digests: Vec<RowDigest>,
    pub(crate) augment: AugmentConfig,
}

/// The pixels, or what they can be made from again at any time.
pub(crate) enum Pixels {
    /// `[N, H, W, C]`
    Resident(Vec<u8>),
    Encoded(EncodedImages),
    Drawn(Box<DrawImage>),
}

/// Writes the image of a row, a pure function of the row.
pub(crate) type DrawImage = dyn Fn(usize, &mut [u8]) + Send + Sync;

impl ImageExamples {
    fn pixels(&self, row: usize) -> Result<Cow<'_, [u8]>, DataError> {
        let n_bytes = self.target.n_bytes();
        match &self.pixels {
            Pixels::Resident(all) => Ok(Cow::Borrowed(&all[row * n_bytes..][..n_bytes])),
            Pixels::Encoded(images) => images.decode(row, &self.target).map(Cow::Owned),
            Pixels::Drawn(draw) => {
                let mut pixels = vec![0; n_bytes];
                draw(row, &mut pixels);
                Ok(Cow::Owned(pixels))
            }
        }
    }
}

impl Modality for ImageExamples {
    fn noun(&self) -> &'static str {
        "image"
    }

    fn measure(&self, rows: &[u32]) -> InputSpec {
        let Target { height, width, channels } = self.target;
        let digests = rows.iter().filter_map(|&row| self.digests.get(row as usize));
        let (mean, std) = channel_statistics(digests, channels);
        InputSpec { shape: InputShape::Image { channels, height, width }, mean, std, offset: Vec::new() }
    }

    fn hash_into(&self, hasher: &mut blake3::Hasher) {
        hasher.update(format!("{:?}", self.target).as_bytes());
        self.digests.iter().for_each(|digest| {
            hasher.update(&digest.hash);
        });
    }

    fn views(&self) -> Option<String> {
        (!self.augment.is_none()).then(|| format!("{:?}", self.augment))
    }

    fn contents(&self, rows: &[u32]) -> Option<Vec<&[u8]>> {
        rows.iter().map(|&row| self.digests.get(row as usize).map(|digest| &digest.hash[..])).collect()
    }

    fn n_bytes(&self, n_examples: usize) -> u64 {
        (n_examples * self.target.n_bytes()) as u64
    }

    fn is_slow_to_read(&self) -> bool {
        !self.augment.is_none() || !matches!(self.pixels, Pixels::Resident(_))
    }

    fn read(&self, wanted: Wanted, input: &InputSpec, out: &mut [f32]) -> Result<(), DataError> {
        let pixels = self.pixels(wanted.row)?;
        let Target { height, width, channels } = self.target;
        match wanted.view {
            Some(view) => self.augment.apply(&pixels, height, width, channels, view.stream(), out),
            None => pixels.iter().zip(out.iter_mut()).for_each(|(&pixel, value)| *value = f32::from(pixel)),
        }
        normalise(input, PIXEL_MAX, out);
        Ok(())
    }

    /// The image as it is stored: decoded and resized, neither augmented nor normalised.
    fn preview(&self, wanted: Wanted) -> Result<Preview, DataError> {
        let Target { height, width, channels } = self.target;
        let pixels = self.pixels(wanted.row)?.into_owned();
        Ok(Preview::Picture(RawImage { height, width, channels, pixels }))
    }

    fn finish(&mut self) {
        self.digests = Vec::new();
    }
}
