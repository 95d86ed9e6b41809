//! A row of numbers that a model is to predict.
//!
//! Shapes: `F` features.

use crate::DataError;
use crate::modality::normalise;
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec};

/// The numbers of a text, with commas or spaces between them, as the model takes them: `[F]`.
///
/// # Errors
/// Words that are no numbers, a number of them that the model does not take, or one that is not finite.
pub(crate) fn given_features(input: &InputSpec, text: &str) -> Result<Vec<f32>, DataError> {
    let path = Path::new("INPUT");
    let words = text.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    let number = |(feature, word): (usize, &str)| match input.offset.get(feature) {
        Some(offset) if *offset != 0.0 => word.parse::<f64>().map(|value| (value - offset) as f32),
        _ => word.parse::<f32>(),
    };
    let values: Result<Vec<f32>, _> = words.enumerate().map(number).collect();
    let mut values = values
        .map_err(|_| DataError::invalid(path, format!("\"{text}\""), "a row of numbers, which this model takes"))?;
    let InputShape::Features { n_features } = input.shape else {
        return Err(DataError::invalid(path, "features", "an image, which this model takes"));
    };
    if values.len() != n_features {
        return Err(DataError::invalid(path, format!("{} values", values.len()), n_features.to_string()));
    }
    if let Some(position) = values.iter().position(|value| !value.is_finite()) {
        let found = format!("{} at position {position}", values[position]);
        return Err(DataError::invalid(path, found, "finite numbers"));
    }
    normalise(input, 1.0, &mut values);
    Ok(values)
}
