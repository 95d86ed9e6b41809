//! Decoding all images of a source once: into memory where they fit, and to find the damaged ones before training.
//!
//! Shapes: `H` height, `W` width, `C` channels; one image is `[H, W, C]` bytes.

use crate::decode::{Header, Target};
use crate::digest::RowDigest;
use crate::encoded::EncodedImages;
use crate::store::{ImageStore, Pixels};
use crate::{DataError, LoadContext, ProgressUnit};
use rayon::prelude::*;
use stillhouse_core::{InputShape, Problem};

/// Sides that a config may ask for.
pub(crate) const MAX_SIZE: usize = 4096;

/// Size and channels as the config asks for them; what it leaves open is taken from the images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// `[height, width]`
    pub(crate) size: Option<[usize; 2]>,
    pub(crate) channels: Option<usize>,
}

impl Wish {
    /// What is wrong with the values; the range of the size is in the schema.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let channels = self.channels.filter(|channels| ![1, 3].contains(channels));
        let problem =
            channels.map(|found| Problem::new("channels", format!("must be 1 (grey) or 3 (RGB), found {found}")));
        problem.into_iter().collect()
    }

    /// The shape of an image, where the settings alone tell it.
    pub(crate) fn given(&self) -> Option<InputShape> {
        let ([height, width], channels) = (self.size?, self.channels?);
        Some(InputShape::Image { channels, height, width })
    }

    /// What every image of the sources becomes. All headers are read, so that images of different sizes are found.
    pub(crate) fn resolve(&self, sources: &[&EncodedImages], context: &LoadContext) -> Result<Target, DataError> {
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

fn read_headers(source: &EncodedImages, context: &LoadContext) -> Result<Vec<Header>, DataError> {
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

/// Memory that decoded pixels may still take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryBudget {
    left: Option<u64>,
}

impl MemoryBudget {
    pub(crate) fn new(context: &LoadContext) -> Self {
        Self { left: context.memory_limit_bytes }
    }

    /// Whether so many bytes fit; they count as used from then on.
    pub(crate) fn take(&mut self, n_bytes: u64) -> bool {
        match &mut self.left {
            None => true,
            Some(left) if n_bytes <= *left => {
                *left -= n_bytes;
                true
            }
            Some(_) => false,
        }
    }
}

/// Decodes every image of a source in parallel. The first damaged one, in row order, is the error.
pub(crate) fn load(
    source: EncodedImages,
    target: Target,
    what: &str,
    budget: &mut MemoryBudget,
    context: &LoadContext,
) -> Result<(ImageStore, Vec<RowDigest>), DataError> {
    let n_bytes = target.n_bytes();
    let stays = budget.take((source.len() * n_bytes) as u64);
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
        rows.map(|(row, out)| decode(row).map(|(pixels, digest)| (out.copy_from_slice(&pixels), digest).1)).collect()
    } else {
        (0..source.len()).into_par_iter().map(|row| decode(row).map(|(_, digest)| digest)).collect()
    };
    context.progress.finish();
    let digests = digests.into_iter().collect::<Result<Vec<_>, _>>()?;
    let pixels = if stays { Pixels::Resident(resident) } else { Pixels::Encoded(source) };
    Ok((ImageStore { target, pixels }, digests))
}
