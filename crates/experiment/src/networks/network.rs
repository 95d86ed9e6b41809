//! Building a network for the data.

use crate::error::{ExperimentError, Result, system_error};
use crate::session::Session;
use stillhouse_core::{InputShape, Seed, in_words};
use stillhouse_models::{FolderError, Model, ModelConfig, Reductions};

/// A network with weights drawn from the seed; without a seed, of zeros. Its sizes are those of the pretrained encoder that
/// the config names, if it does; it has less of them where `reductions` says so.
pub(crate) fn new_model(
    session: &Session<'_>,
    config: &ModelConfig,
    input: &InputShape,
    n_outputs: usize,
    (reductions, seed): (&Reductions, Option<Seed>),
) -> Result<Model> {
    let config = config.resolved().map_err(folder_error)?;
    Model::reduced(&config, input, n_outputs, (reductions, seed), &session.device).map_err(model_error)
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
pub(crate) fn folder_error(error: FolderError) -> ExperimentError {
    match error {
        FolderError::Io { path, source } => system_error(&path, "cannot be read", &source),
        error => ExperimentError::BadData(anyhow::Error::msg(error.to_string())),
    }
}

pub(crate) fn model_error(error: stillhouse_models::ModelError) -> ExperimentError {
    match error {
        stillhouse_models::ModelError::Config(problems) => {
            ExperimentError::Usage(format!("the model does not fit the data: {}", in_words(&problems)))
        }
        error => ExperimentError::Failed(error.into()),
    }
}
