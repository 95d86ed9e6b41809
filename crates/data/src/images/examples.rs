//! Images of one size as a modality.
//!
//! Shapes: `N` examples, `H` height, `W` width, `C` channels; one image is `[H, W, C]` bytes or words of 16 bits, in batches
//! numbers.

use super::augment::AugmentConfig;
use super::decode::{Decoding, Target};
use super::digest::{RowDigest, channel_statistics};
use super::encoded::EncodedImages;
use super::ground::WHITE;
use super::pixels::{ImageValues, PIXEL_MAX, PixelValue};
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
    /// What transparent images were laid on, for a model that predicts others.
    pub(crate) ground: [u8; 3],
}

/// The pixels, or what they can be made from again at any time.
pub(crate) enum Pixels {
    /// `[N, H, W, C]`
    Resident(Vec<u8>),
    /// `[N, H, W, C]`, of images of 16 bits
    ResidentWide(Vec<u16>),
    Encoded(EncodedImages, Decoding),
    Drawn(Box<DrawImage>),
}

/// Writes the image of a row, a pure function of the row.
pub(crate) type DrawImage = dyn Fn(usize, &mut [u8]) + Send + Sync;

impl ImageExamples {
    /// Images that were never transparent.
    pub(crate) fn opaque(target: Target, pixels: Pixels, digests: Vec<RowDigest>, augment: AugmentConfig) -> Self {
        Self { target, pixels, digests, augment, ground: WHITE }
    }

    fn pixels(&self, row: usize) -> Result<ImageValues<'_>, DataError> {
        let n_values = self.target.n_values();
        match &self.pixels {
            Pixels::Resident(all) => Ok(ImageValues::Bytes(Cow::Borrowed(&all[row * n_values..][..n_values]))),
            Pixels::ResidentWide(all) => Ok(ImageValues::Words(Cow::Borrowed(&all[row * n_values..][..n_values]))),
            Pixels::Encoded(images, decoding) => Ok(images.decode(row, &self.target, *decoding)?.values),
            Pixels::Drawn(draw) => {
                let mut pixels = vec![0; n_values];
                draw(row, &mut pixels);
                Ok(ImageValues::Bytes(Cow::Owned(pixels)))
            }
        }
    }

    fn is_wide(&self) -> bool {
        match &self.pixels {
            Pixels::ResidentWide(_) => true,
            Pixels::Encoded(_, decoding) => decoding.is_wide,
            Pixels::Resident(_) | Pixels::Drawn(_) => false,
        }
    }

    /// Bytes of a stored value.
    fn bytes_each(&self) -> usize {
        if self.is_wide() { size_of::<u16>() } else { size_of::<u8>() }
    }
}

impl Modality for ImageExamples {
    fn noun(&self) -> &'static str {
        "image"
    }

    fn measure(&self, rows: &[u32]) -> InputSpec {
        let Target { height, width, channels } = self.target;
        let digests = rows.iter().filter_map(|&row| self.digests.get(row as usize));
        let largest = if self.is_wide() { u16::LARGEST } else { u8::LARGEST };
        let (mean, std) = channel_statistics(digests, channels, largest);
        let background = Some(self.ground).filter(|ground| *ground != WHITE);
        InputSpec { background, ..InputSpec::new(InputShape::Image { channels, height, width }, mean, std) }
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
        (n_examples * self.target.n_values() * self.bytes_each()) as u64
    }

    fn is_slow_to_read(&self) -> bool {
        !self.augment.is_none() || !matches!(self.pixels, Pixels::Resident(_) | Pixels::ResidentWide(_))
    }

    fn read(&self, wanted: Wanted, input: &InputSpec, out: &mut [f32]) -> Result<(), DataError> {
        let pixels = self.pixels(wanted.row)?;
        let Target { height, width, channels } = self.target;
        let shape = [height, width, channels];
        match (wanted.view, &pixels) {
            (None, pixels) => pixels.write(out),
            (Some(view), ImageValues::Bytes(pixels)) => self.augment.apply(pixels, shape, view.stream(), out),
            (Some(view), ImageValues::Words(pixels)) => self.augment.apply(pixels, shape, view.stream(), out),
        }
        normalise(input, PIXEL_MAX, out);
        Ok(())
    }

    /// The image as it is stored: decoded and resized, neither augmented nor normalised.
    fn preview(&self, wanted: Wanted) -> Result<Preview, DataError> {
        let Target { height, width, channels } = self.target;
        let pixels = self.pixels(wanted.row)?.into_bytes();
        Ok(Preview::Picture(RawImage { height, width, channels, pixels }))
    }

    fn finish(&mut self) {
        self.digests = Vec::new();
    }
}
