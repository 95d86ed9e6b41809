//! Rows of numbers that a model is to predict: written out, or of a matrix.
//!
//! Shapes: `N` examples, `F` features.

use super::matrix_rows::MatrixRows;
use crate::modality::normalise;
use crate::{DataError, LoadContext};
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
    let n_features = n_features(input, path)?;
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

/// Takes the rows of a matrix, each with its number from 0 on: what the model takes, `[F]`, or why it cannot take it.
pub(crate) type TakeRow<'a> = dyn FnMut(u64, Result<Vec<f32>, DataError>) -> Result<(), DataError> + 'a;

/// Reads a matrix `[N, F]` in `.npy` or safetensors row by row.
///
/// # Errors
/// A file that is no matrix, or has another number of columns than the model takes; those of `take`; an interruption.
pub(crate) fn given_matrix(
    input: &InputSpec,
    path: &Path,
    context: &LoadContext<'_>,
    take: &mut TakeRow<'_>,
) -> Result<(), DataError> {
    let mut rows = MatrixRows::open(path, None)?;
    let (n_features, n_columns) = (n_features(input, path)?, rows.n_columns());
    if n_columns != n_features {
        let expected = format!("{n_features}, which this model takes");
        return Err(DataError::invalid(path, format!("{n_columns} numbers in a row"), expected));
    }
    rows.for_each_piece(|first, piece| {
        context.check_interrupted()?;
        let mut numbered = piece.chunks_exact(n_features).zip(first..);
        numbered.try_for_each(|(row, index)| take(index as u64, given_row(input, path, row, index)))
    })
}

/// One row as the model takes it.
fn given_row(input: &InputSpec, path: &Path, row: &[f64], index: usize) -> Result<Vec<f32>, DataError> {
    let offset = |feature: usize| input.offset.get(feature).copied().unwrap_or(0.0);
    let narrowed = row.iter().enumerate().map(|(feature, value)| (value - offset(feature)) as f32);
    let mut values: Vec<f32> = narrowed.collect();
    if let Some(column) = values.iter().position(|value| !value.is_finite()) {
        let found = format!("{:?} in row {index}, column {column}", row[column]);
        return Err(DataError::invalid(path, found, "finite numbers that f32 holds"));
    }
    normalise(input, 1.0, &mut values);
    Ok(values)
}

fn n_features(input: &InputSpec, path: &Path) -> Result<usize, DataError> {
    match input.shape {
        InputShape::Features { n_features } => Ok(n_features),
        _ => Err(DataError::invalid(path, "features", "an image or a text, which this model takes")),
    }
}
