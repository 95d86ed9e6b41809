//! Image files that a model is to predict.
//!
//! Shapes: `H` height, `W` width, `C` channels.

use super::decode::{PIXEL_MAX, Target, decode};
use crate::DataError;
use crate::modality::normalise;
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, InputSpec};

/// Endings of the files that are read in a folder.
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// The file, or all image files of a folder (not of folders inside it) in the order of their names; each is read when it is
/// asked for: its path, and the values that the model takes.
///
/// # Errors
/// A folder without images; for each file, bytes that are no PNG, JPEG or WebP image.
pub(crate) fn given_images<'a>(
    input: &'a InputSpec,
    path: &Path,
) -> Result<impl Iterator<Item = Result<(PathBuf, Vec<f32>), DataError>> + use<'a>, DataError> {
    let files = image_files(path)?;
    Ok(files.into_iter().map(|path| {
        let bytes = std::fs::read(&path).map_err(DataError::io(&path, "read"))?;
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
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
    });
    if files.is_empty() {
        let expected = format!("files ending in {}", ENDINGS.join(", "));
        return Err(DataError::invalid(path, "no images", expected));
    }
    Ok(files)
}

/// Decodes an image file's bytes, converts them to the model's channels and size, and normalises them: `[H, W, C]`.
fn image_values(input: &InputSpec, path: &Path, bytes: &[u8]) -> Result<Vec<f32>, DataError> {
    let InputShape::Image { channels, height, width } = input.shape else {
        return Err(DataError::invalid(path, "an image", "a row of features, which this model takes"));
    };
    let pixels = decode(bytes, &Target { height, width, channels })
        .map_err(|found| DataError::invalid(path, found, "a whole PNG, JPEG or WebP image"))?;
    let mut values: Vec<f32> = pixels.into_iter().map(f32::from).collect();
    normalise(input, PIXEL_MAX, &mut values);
    Ok(values)
}
