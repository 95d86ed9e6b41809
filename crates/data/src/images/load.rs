//! Decoding all images of a source once: into memory where they fit, and to find the damaged ones before training.
//!
//! Shapes: `H` height, `W` width, `C` channels; one image is `[H, W, C]` bytes, or words of 16 bits.

use super::augment::AugmentConfig;
use super::decode::{Decoding, Header, Target};
use super::digest::RowDigest;
use super::encoded::EncodedImages;
use super::examples::{ImageExamples, Pixels};
use super::formats::is_wide;
use super::ground::WHITE;
use super::pixels::{ImageValues, PixelValue};
use crate::{DataError, LoadContext, ProgressUnit};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use stillhouse_core::InputShape;

/// Sides that a config may ask for.
pub(crate) const MAX_SIZE: usize = 4096;

/// Size and channels as the config asks for them; what it leaves open is taken from the images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetSettings {
    /// `[height, width]`
    pub(crate) size: Option<[usize; 2]>,
    pub(crate) channels: Option<usize>,
}

impl TargetSettings {
    /// The shape of an image, where the settings fix it.
    pub(crate) fn given(&self) -> Option<InputShape> {
        let ([height, width], channels) = (self.size?, self.channels?);
        Some(InputShape::Image { channels, height, width })
    }

    /// What every image of the sources becomes. All headers are read, so that images of different sizes are found.
    pub(crate) fn resolve(&self, sources: &[&EncodedImages], context: &LoadContext<'_>) -> Result<Target, DataError> {
        if let (Some([height, width]), Some(channels)) = (self.size, self.channels) {
            return Ok(Target { height, width, channels });
        }
        let mut headers = Vec::with_capacity(sources.len());
        for source in sources {
            headers.push(read_headers(source, context)?);
        }
        let [height, width] = match self.size {
            Some(size) => size,
            None => common_size(sources, &headers)?,
        };
        let is_grey = headers.iter().flatten().all(|header| header.is_grey);
        Ok(Target { height, width, channels: self.channels.unwrap_or(if is_grey { 1 } else { 3 }) })
    }
}

fn read_headers(source: &EncodedImages, context: &LoadContext<'_>) -> Result<Vec<Header>, DataError> {
    let headers: Vec<Result<Header, DataError>> = (0..source.len())
        .into_par_iter()
        .map(|row| {
            context.check_interrupted()?;
            source.header(row)
        })
        .collect();
    headers.into_iter().collect()
}

fn common_size(sources: &[&EncodedImages], headers: &[Vec<Header>]) -> Result<[usize; 2], DataError> {
    let mut images = sources
        .iter()
        .zip(headers)
        .flat_map(|(source, headers)| headers.iter().enumerate().map(move |(row, header)| (*source, row, header)));
    let Some((first_source, first_row, first)) = images.next() else { return Ok([1, 1]) };
    let other = images.find(|(_, _, header)| (header.height, header.width) != (first.height, first.width));
    let Some((source, row, header)) = other else { return Ok([first.height, first.width]) };
    let (path, place) = source.place(row);
    let (first_path, first_place) = first_source.place(first_row);
    Err(DataError::invalid(
        path,
        format!("an image of {} x {} pixels{place}", header.height, header.width),
        format!("{} x {} pixels, as in {}{first_place}", first.height, first.width, first_path.display()),
    )
    .hint(format!("give one size for all images, for example size = [{}, {}]", first.height, first.width)))
}

/// The load of all images of a dataset, which share one limit of memory, one augmentation and one ground.
pub(crate) struct Loading<'a> {
    context: &'a LoadContext<'a>,
    pub(crate) augment: &'a AugmentConfig,
    ground: [u8; 3],
    /// Bytes that decoded pixels may still take.
    left: Option<u64>,
}

impl<'a> Loading<'a> {
    pub(crate) fn new(augment: &'a AugmentConfig, background: Option<[u8; 3]>, context: &'a LoadContext<'a>) -> Self {
        Self { context, augment, ground: background.unwrap_or(WHITE), left: context.memory_limit_bytes }
    }

    /// Whether so many bytes fit into memory; they count as used from then on.
    pub(crate) fn take(&mut self, n_bytes: usize) -> bool {
        let n_bytes = n_bytes as u64;
        match &mut self.left {
            None => true,
            Some(left) if n_bytes <= *left => {
                *left -= n_bytes;
                true
            }
            Some(_) => false,
        }
    }

    /// Decodes every image of a source in parallel; `what` names them for the progress. Images are kept with 16 bits where one of
    /// them has 16.
    ///
    /// # Errors
    /// The first damaged image, in row order; an interruption.
    pub(crate) fn decode(
        &mut self,
        source: EncodedImages,
        target: Target,
        what: &str,
    ) -> Result<ImageExamples, DataError> {
        let decoding = Decoding { ground: self.ground, is_wide: self.has_wide(&source)? };
        let (pixels, digests) = match decoding.is_wide {
            false => {
                let (resident, digests) = self.decode_as::<u8>(&source, target, decoding, what)?;
                (resident.map(Pixels::Resident), digests)
            }
            true => {
                let (resident, digests) = self.decode_as::<u16>(&source, target, decoding, what)?;
                (resident.map(Pixels::ResidentWide), digests)
            }
        };
        let files = if pixels.is_some() { source.files().to_vec() } else { Vec::new() };
        let pixels = pixels.unwrap_or(Pixels::Encoded(source, decoding));
        Ok(ImageExamples { target, pixels, digests, augment: self.augment.clone(), ground: self.ground, files })
    }

    /// Whether an image has 16 bits; one that cannot be read is found when it is decoded.
    fn has_wide(&self, source: &EncodedImages) -> Result<bool, DataError> {
        let found = (0..source.len()).into_par_iter().find_map_any(|row| match self.context.check_interrupted() {
            Err(interrupted) => Some(Err(interrupted)),
            Ok(()) => source.head(row).is_ok_and(|head| is_wide(&head)).then_some(Ok(true)),
        });
        found.unwrap_or(Ok(false))
    }

    /// All values, where they fit into memory, and the digest of each image.
    fn decode_as<P: OfValues>(
        &mut self,
        source: &EncodedImages,
        target: Target,
        decoding: Decoding,
        what: &str,
    ) -> Result<(Option<Vec<P>>, Vec<RowDigest>), DataError> {
        let n_values = target.n_values();
        let stays = self.take(source.len() * n_values * size_of::<P>());
        let context = self.context;
        let n_transparent = AtomicUsize::new(0);
        context.progress.start(&format!("decoding {what}"), Some(source.len() as u64), ProgressUnit::Examples);
        let decode = |row: usize, out: Option<&mut [P]>| -> Result<RowDigest, DataError> {
            context.check_interrupted()?;
            let decoded = source.decode(row, &target, decoding)?;
            context.progress.advance(1);
            n_transparent.fetch_add(usize::from(decoded.is_transparent), Ordering::Relaxed);
            let values = P::of_values(&decoded.values);
            out.into_iter().for_each(|out| out.copy_from_slice(values));
            Ok(RowDigest::new(values, target.channels))
        };
        let mut resident = vec![P::default(); if stays { source.len() * n_values } else { 0 }];
        let digests: Vec<Result<RowDigest, DataError>> = if stays {
            let rows = resident.par_chunks_exact_mut(n_values).enumerate();
            rows.map(|(row, out)| decode(row, Some(out))).collect()
        } else {
            (0..source.len()).into_par_iter().map(|row| decode(row, None)).collect()
        };
        context.progress.finish();
        let digests = digests.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.note_transparent(n_transparent.into_inner(), source.len(), what);
        Ok((stays.then_some(resident), digests))
    }

    fn note_transparent(&self, n_transparent: usize, n_images: usize, what: &str) {
        if n_transparent > 0 {
            let ground = if self.ground == WHITE { "white".to_owned() } else { format!("{:?}", self.ground) };
            self.context.note(format!(
                "{n_transparent} of {n_images} of {what} are transparent in places and were laid on {ground}; \
                 background = [0, 0, 0] would lay them on black"
            ));
        }
    }
}

/// Values of the type that an image was decoded to.
trait OfValues: PixelValue + Default {
    fn of_values<'a>(values: &'a ImageValues<'_>) -> &'a [Self];
}

impl OfValues for u8 {
    fn of_values<'a>(values: &'a ImageValues<'_>) -> &'a [Self] {
        match values {
            ImageValues::Bytes(values) => values,
            ImageValues::Words(_) => unreachable!("a decoding that is not wide gives bytes"),
        }
    }
}

impl OfValues for u16 {
    fn of_values<'a>(values: &'a ImageValues<'_>) -> &'a [Self] {
        match values {
            ImageValues::Words(values) => values,
            ImageValues::Bytes(_) => unreachable!("a wide decoding gives words"),
        }
    }
}
