//! Weights files: parameters and running statistics of a model, for the stages of a run. Shipped models have folders.

use crate::TrainError;
use crate::checkpoint::checkpoint_error;
use std::path::Path;
use stillhouse_files::write_whole;
use stillhouse_models::Model;

/// Writes parameters and running statistics as safetensors; the same numbers give the same bytes.
///
/// # Errors
/// A file that cannot be written.
pub fn save_weights(path: &Path, model: &Model) -> Result<(), TrainError> {
    let state = model.state_dict()?;
    let bytes = safetensors::serialize(state, None).map_err(|error| checkpoint_error(path, &error))?;
    write_whole(path, &bytes).map_err(|error| TrainError::unwritable(path, error))
}

/// Fills a model with the numbers of a file that [`save_weights`] wrote.
///
/// # Errors
/// A file that cannot be read or holds another model's weights.
pub fn load_weights(path: &Path, model: &Model) -> Result<(), TrainError> {
    let bytes = std::fs::read(path).map_err(|error| TrainError::unreadable(path, error))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, model.device());
    Ok(model.load_state(tensors.map_err(|error| checkpoint_error(path, &error))?)?)
}
