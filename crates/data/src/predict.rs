//! From one file to the input of a finished model, which brings its own shape and normalisation.

use crate::DataError;
use crate::decode::{self, Target};
use crate::readers::matrix::read_matrix;
use crate::split::normalise;
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec};

/// Decodes an image file's bytes, converts them to the model's channels and size, and normalises them: `[H, W, C]`.
///
/// # Errors
/// Bytes that are no PNG, JPEG or WebP image, or a model that takes no images. `path` is for the message alone.
pub fn decode_image_for(input: &InputSpec, path: &Path, bytes: &[u8]) -> Result<Vec<f32>, DataError> {
    let InputShape::Image { channels, height, width } = input.shape else {
        return Err(DataError::invalid(path, "an image", "a row of features, which this model takes"));
    };
    let pixels = decode::decode(bytes, &Target { height, width, channels })
        .map_err(|found| DataError::invalid(path, found, "a whole PNG, JPEG or WebP image"))?;
    let mut values: Vec<f32> = pixels.into_iter().map(f32::from).collect();
    normalise(input, &mut values);
    Ok(values)
}

/// Checks and normalises a row of features (or several, one after the other): `[F]`.
///
/// # Errors
/// A number of values that the model does not take, one that is not finite, or a model that takes images.
pub fn features_for(input: &InputSpec, path: &Path, values: &[f32]) -> Result<Vec<f32>, DataError> {
    let InputShape::Features { n_features } = input.shape else {
        return Err(DataError::invalid(path, "features", "an image, which this model takes"));
    };
    if values.is_empty() || !values.len().is_multiple_of(n_features) {
        let expected = format!("{n_features} for each example");
        return Err(DataError::invalid(path, format!("{} values", values.len()), expected));
    }
    if let Some(position) = values.iter().position(|value| !value.is_finite()) {
        let found = format!("{} at position {position}", values[position]);
        return Err(DataError::invalid(path, found, "finite numbers"));
    }
    let mut values = values.to_vec();
    normalise(input, &mut values);
    Ok(values)
}

/// Reads a `.npy` or safetensors matrix and normalises each row: `[N, F]`.
///
/// # Errors
/// A file that is no matrix of finite numbers, or one with another number of features than the model takes.
pub fn read_features_for(input: &InputSpec, path: &Path) -> Result<Vec<f32>, DataError> {
    let matrix = read_matrix(path)?;
    if matrix.n_features != input.shape.n_channels() {
        let expected = format!("{}, which this model takes", input.shape.n_channels());
        return Err(DataError::invalid(path, format!("{} features", matrix.n_features), expected));
    }
    features_for(input, path, &matrix.values)
}
