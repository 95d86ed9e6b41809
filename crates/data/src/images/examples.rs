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
use std::path::{Path, PathBuf};
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
    /// The file of each of the first rows, where each image was a file of its own and its pixels are resident.
    pub(crate) files: Vec<PathBuf>,
}

/// The pixels, or what they can be made from again at any time.
pub(crate) enum Pixels {
    /// `[N, H, W, C]`
    Resident(Vec<u8>),
    /// `[N, H, W, C]`, of images of 16 bits
    ResidentWide(Vec<u16>),
    Encoded(EncodedImages, Decoding),
    Drawn {
        n_images: usize,
        draw: Box<DrawImage>,
    },
    /// Images of one source behind so many of another.
    Joined {
        first: Box<Pixels>,
        n_first: usize,
        rest: Box<Pixels>,
    },
}

/// Writes the image of a row, a pure function of the row.
pub(crate) type DrawImage = dyn Fn(usize, &mut [u8]) + Send + Sync;

impl ImageExamples {
    /// Images that were never transparent.
    pub(crate) fn opaque(target: Target, pixels: Pixels, digests: Vec<RowDigest>, augment: AugmentConfig) -> Self {
        Self { target, pixels, digests, augment, ground: WHITE, files: Vec::new() }
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        self.pixels.n_images(self.target.n_values())
    }

    /// Puts images of the same size behind these `n_own` ones.
    pub(crate) fn append(&mut self, n_own: usize, other: Self) {
        let own = std::mem::replace(&mut self.pixels, Pixels::Resident(Vec::new()));
        self.pixels = Pixels::Joined { first: Box::new(own), n_first: n_own, rest: Box::new(other.pixels) };
        // digests of later rows are of no use where some are missing
        if self.digests.len() == n_own {
            self.digests.extend(other.digests);
        }
    }

    fn pixels(&self, row: usize) -> Result<ImageValues<'_>, DataError> {
        self.pixels.read(row, &self.target)
    }

    /// Bytes of a stored value.
    fn bytes_each(&self) -> usize {
        if self.pixels.is_wide() { size_of::<u16>() } else { size_of::<u8>() }
    }
}

impl Pixels {
    fn n_images(&self, n_values: usize) -> usize {
        match self {
            Self::Resident(all) => all.len() / n_values,
            Self::ResidentWide(all) => all.len() / n_values,
            Self::Encoded(images, _) => images.len(),
            Self::Drawn { n_images, .. } => *n_images,
            Self::Joined { n_first, rest, .. } => n_first + rest.n_images(n_values),
        }
    }

    /// The file that the image of a row is read from whenever it is needed.
    fn file(&self, row: usize) -> Option<&Path> {
        match self {
            Self::Encoded(images, _) => images.files().get(row).map(PathBuf::as_path),
            Self::Joined { first, n_first, .. } if row < *n_first => first.file(row),
            Self::Joined { n_first, rest, .. } => rest.file(row - n_first),
            Self::Resident(_) | Self::ResidentWide(_) | Self::Drawn { .. } => None,
        }
    }

    fn read(&self, row: usize, target: &Target) -> Result<ImageValues<'_>, DataError> {
        let n_values = target.n_values();
        match self {
            Self::Resident(all) => Ok(ImageValues::Bytes(Cow::Borrowed(&all[row * n_values..][..n_values]))),
            Self::ResidentWide(all) => Ok(ImageValues::Words(Cow::Borrowed(&all[row * n_values..][..n_values]))),
            Self::Encoded(images, decoding) => Ok(images.decode(row, target, *decoding)?.values),
            Self::Drawn { draw, .. } => {
                let mut pixels = vec![0; n_values];
                draw(row, &mut pixels);
                Ok(ImageValues::Bytes(Cow::Owned(pixels)))
            }
            Self::Joined { first, n_first, .. } if row < *n_first => first.read(row, target),
            Self::Joined { n_first, rest, .. } => rest.read(row - n_first, target),
        }
    }

    /// Whether an image has 16 bits.
    fn is_wide(&self) -> bool {
        match self {
            Self::ResidentWide(_) => true,
            Self::Encoded(_, decoding) => decoding.is_wide,
            Self::Resident(_) | Self::Drawn { .. } => false,
            Self::Joined { first, rest, .. } => first.is_wide() || rest.is_wide(),
        }
    }

    /// Whether an image is copied and not made when it is read.
    fn is_resident(&self) -> bool {
        match self {
            Self::Resident(_) | Self::ResidentWide(_) => true,
            Self::Encoded(..) | Self::Drawn { .. } => false,
            Self::Joined { first, rest, .. } => first.is_resident() && rest.is_resident(),
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
        let largest = if self.pixels.is_wide() { u16::LARGEST } else { u8::LARGEST };
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
        !self.augment.is_none() || !self.pixels.is_resident()
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

    fn file(&self, row: usize) -> Option<&Path> {
        self.files.get(row).map(PathBuf::as_path).or_else(|| self.pixels.file(row))
    }

    fn finish(&mut self) {
        self.digests = Vec::new();
    }
}
