//! Predictions for whole splits.

use crate::TrainError;
use crate::inputs::{encode_texts, model_input, read_inputs};
use crate::metrics::{PredictionRecord, records};
use candle_core::DType;
use rayon::prelude::*;
use stillhouse_core::{ClassId, ViewId};
use stillhouse_data::{Inputs, Split};
use stillhouse_models::{Mode, Model, ModelInput};
use stillhouse_ops::softmax_rows;

/// Examples in one forward pass. A constant, so that a prediction does not depend on how it was asked for.
pub const PREDICTION_BATCH: usize = 128;

/// Probabilities `[N, n_outputs]` at `T = 1` for every row of a split, in its order.
///
/// Batches run side by side in the rayon pool of the caller.
///
/// # Errors
/// Examples that cannot be read, or a model that does not fit them.
pub fn predict_proba(model: &Model, split: &Split, view: Option<ViewId>) -> Result<Vec<f32>, TrainError> {
    let rows: Vec<usize> = (0..split.len()).collect();
    let batches: Vec<Vec<f32>> = rows
        .par_chunks(PREDICTION_BATCH)
        .map(|rows| predict_rows(model, split, rows, view))
        .collect::<Result<_, _>>()?;
    Ok(batches.concat())
}

/// The records of every row of a split, `output` telling which output stands for a label. Memory does not grow with
/// the number of classes times that of examples.
///
/// # Errors
/// As [`predict_proba`].
pub fn predict_records(
    model: &Model,
    split: &Split,
    output: impl Fn(ClassId) -> ClassId + Sync,
) -> Result<Vec<PredictionRecord>, TrainError> {
    let rows: Vec<usize> = (0..split.len()).collect();
    let batch = |rows: &[usize]| -> Result<Vec<PredictionRecord>, TrainError> {
        let probs = predict_rows(model, split, rows, None)?;
        let labels: Vec<ClassId> = rows.iter().map(|row| output(split.label(*row))).collect();
        Ok(records(&probs, &labels, model.n_outputs()))
    };
    let batches: Vec<_> = rows.par_chunks(PREDICTION_BATCH).map(batch).collect::<Result<_, _>>()?;
    Ok(batches.concat())
}

/// Features `[N, F]` that the head of a model reads, for every row of a split, with the body as in prediction.
///
/// # Errors
/// As [`predict_proba`].
pub fn predict_features(model: &Model, split: &Split, view: Option<ViewId>) -> Result<Vec<f32>, TrainError> {
    let rows: Vec<usize> = (0..split.len()).collect();
    let batch = |rows: &[usize]| -> Result<Vec<f32>, TrainError> {
        let inputs = read_inputs(model, split, rows, view)?;
        Ok(model.features(&inputs, Mode::Eval)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?)
    };
    let batches: Vec<_> = rows.par_chunks(PREDICTION_BATCH).map(batch).collect::<Result<_, _>>()?;
    Ok(batches.concat())
}

fn predict_rows(model: &Model, split: &Split, rows: &[usize], view: Option<ViewId>) -> Result<Vec<f32>, TrainError> {
    probs_of(model, &read_inputs(model, split, rows, view)?)
}

/// Probabilities `[n_examples, n_outputs]` of normalised inputs, one after the other.
///
/// # Errors
/// Another number of values than the model takes.
pub fn predict_values(model: &Model, inputs: Vec<f32>, n_examples: usize) -> Result<Vec<f32>, TrainError> {
    probs_of(model, &model_input(model, Inputs::Values(inputs), n_examples)?)
}

/// Probabilities `[n_texts, n_outputs]` of texts, one after the other.
///
/// # Errors
/// A model that takes no texts, or a text that its vocabulary cannot express.
pub fn predict_texts(model: &Model, texts: &[&str]) -> Result<Vec<f32>, TrainError> {
    let batches: Vec<Vec<f32>> = texts
        .par_chunks(PREDICTION_BATCH)
        .map(|texts| probs_of(model, &encode_texts(model, texts)?))
        .collect::<Result<_, _>>()?;
    Ok(batches.concat())
}

/// Probabilities `[B, n_outputs]` of a batch.
pub(crate) fn probs_of(model: &Model, inputs: &ModelInput) -> Result<Vec<f32>, TrainError> {
    let logits = model.forward(inputs, Mode::Eval)?;
    let n_outputs = logits.dim(1)?;
    let mut values = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    softmax_rows(&mut values, n_outputs);
    Ok(values)
}
