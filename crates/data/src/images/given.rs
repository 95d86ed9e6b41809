//! Image files that a model is to predict.
//!
//! Shapes: `H` height, `W` width, `C` channels.

use super::decode::{Decoding, Target, decode};
use super::formats::{HEAD_BYTES, has_image_ending, is_wide};
use super::ground::WHITE;
use super::pixels::PIXEL_MAX;
use crate::DataError;
use crate::modality::normalise;
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, InputSpec};

/// The file, or all files of a folder (not of folders inside it) whose names end as those of images, in the order of their
/// names; each is read when it is asked for: its path, and the values that the model takes.
///
/// # Errors
/// A folder without images; for each file, bytes that are no PNG, JPEG, WebP or BMP image.
pub(crate) fn given_images<'a>(
    input: &'a InputSpec,
    path: &Path,
) -> Result<impl Iterator<Item = Result<(PathBuf, Vec<f32>), DataError>> + use<'a>, DataError> {
    let files = image_files(path)?;
    Ok(files.into_iter().map(|path| {
        let bytes = stillhouse_files::read(&path).map_err(DataError::io(&path, "read"))?;
        let values = image_values(input, &path, &bytes)?;
        Ok((path, values))
    }))
}

fn image_files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = stillhouse_files::entries(path).map_err(DataError::io(path, "list"))?;
    files.retain(|path| {
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        has_image_ending(path) && !is_hidden
    });
    if files.is_empty() {
        return Err(DataError::invalid(path, "no images", "files ending in png, jpg, jpeg, webp or bmp"));
    }
    Ok(files)
}

/// Decodes an image file's bytes, converts them to the model's channels and size, and normalises them: `[H, W, C]`.
fn image_values(input: &InputSpec, path: &Path, bytes: &[u8]) -> Result<Vec<f32>, DataError> {
    let InputShape::Image { channels, height, width } = input.shape else {
        return Err(DataError::invalid(path, "an image", "a row of features, which this model takes"));
    };
    let is_wide = is_wide(&bytes[..bytes.len().min(HEAD_BYTES)]);
    let decoding = Decoding { ground: input.background.unwrap_or(WHITE), is_wide };
    let decoded = decode(bytes, &Target { height, width, channels }, decoding).map_err(|fault| fault.at(path, ""))?;
    let mut values = vec![0.0; input.shape.n_values()];
    decoded.values.write(&mut values);
    normalise(input, PIXEL_MAX, &mut values);
    Ok(values)
}
