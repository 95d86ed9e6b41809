//! Decoding all images of a source once: into memory where they fit, and to find the damaged ones before training.
//!
//! Shapes: `H` height, `W` width, `C` channels; one image is `[H, W, C]` bytes.

use super::augment::AugmentConfig;
use super::decode::{Header, Target};
use super::digest::RowDigest;
use super::encoded::EncodedImages;
use super::examples::{ImageExamples, Pixels};
use crate::{DataError, LoadContext, ProgressUnit};
use rayon::prelude::*;
use stillhouse_core::{InputShape, Problem};

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
    /// What is wrong with the values; the range of the size is in the schema.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let channels = self.channels.filter(|channels| ![1, 3].contains(channels));
        let problem =
            channels.map(|found| Problem::new("channels", format!("must be 1 (grey) or 3 (RGB), found {found}")));
        problem.into_iter().collect()
    }

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

/// The load of all images of a dataset, which share one limit of memory and one augmentation.
pub(crate) struct Loading<'a> {
    context: &'a LoadContext<'a>,
    pub(crate) augment: &'a AugmentConfig,
    /// Bytes that decoded pixels may still take.
    left: Option<u64>,
}

impl<'a> Loading<'a> {
    pub(crate) fn new(augment: &'a AugmentConfig, context: &'a LoadContext<'a>) -> Self {
        Self { context, augment, left: context.memory_limit_bytes }
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

    /// Decodes every image of a source in parallel; `what` names them for the progress.
    ///
    /// # Errors
    /// The first damaged image, in row order; an interruption.
    pub(crate) fn decode(
        &mut self,
        source: EncodedImages,
        target: Target,
        what: &str,
    ) -> Result<ImageExamples, DataError> {
        let n_bytes = target.n_bytes();
        let stays = self.take(source.len() * n_bytes);
        let context = self.context;
        context.progress.start(&format!("decoding {what}"), Some(source.len() as u64), ProgressUnit::Examples);
        let decode = |row: usize| -> Result<(Vec<u8>, RowDigest), DataError> {
            context.check_interrupted()?;
            let pixels = source.decode(row, &target)?;
            context.progress.advance(1);
            let digest = RowDigest::new(&pixels, target.channels);
            Ok((pixels, digest))
        };
        let mut resident = vec![0u8; if stays { source.len() * n_bytes } else { 0 }];
        let digests: Vec<Result<RowDigest, DataError>> = if stays {
            let rows = resident.par_chunks_exact_mut(n_bytes).enumerate();
            let copy = |(row, out): (usize, &mut [u8])| {
                decode(row).map(|(pixels, digest)| {
                    out.copy_from_slice(&pixels);
                    digest
                })
            };
            rows.map(copy).collect()
        } else {
            (0..source.len()).into_par_iter().map(|row| decode(row).map(|(_, digest)| digest)).collect()
        };
        context.progress.finish();
        let digests = digests.into_iter().collect::<Result<Vec<_>, _>>()?;
        let pixels = if stays { Pixels::Resident(resident) } else { Pixels::Encoded(source) };
        Ok(ImageExamples { target, pixels, digests, augment: self.augment.clone() })
    }
}
