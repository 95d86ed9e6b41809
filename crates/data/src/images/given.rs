//! Image files that a model is to predict.
//!
//! Shapes: `H` height, `W` width, `C` channels.

use super::decode::{Decoding, Target, decode};
use super::formats::{HEAD_BYTES, is_wide};
use super::ground::WHITE;
use super::pixels::PIXEL_MAX;
use crate::DataError;
use crate::modality::normalise;
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec};

/// Reads and decodes an image file, converts it to the model's channels and size, and normalises it: `[H, W, C]`.
///
/// # Errors
/// A file that cannot be read; bytes that are no PNG, JPEG, WebP or BMP image.
pub(crate) fn given_image(input: &InputSpec, path: &Path) -> Result<Vec<f32>, DataError> {
    let bytes = stillhouse_files::read(path).map_err(DataError::io(path, "read"))?;
    let InputShape::Image { channels, height, width } = input.shape else {
        return Err(DataError::invalid(path, "an image", "a row of features, which this model takes"));
    };
    let is_wide = is_wide(&bytes[..bytes.len().min(HEAD_BYTES)]);
    let decoding = Decoding { ground: input.background.unwrap_or(WHITE), is_wide };
    let decoded = decode(&bytes, &Target { height, width, channels }, decoding).map_err(|fault| fault.at(path, ""))?;
    let mut values = vec![0.0; input.shape.n_values()];
    decoded.values.write(&mut values);
    normalise(input, PIXEL_MAX, &mut values);
    Ok(values)
}
