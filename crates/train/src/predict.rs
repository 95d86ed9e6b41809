//! Predictions for whole splits.

use crate::TrainError;
use crate::inputs::{encode_texts, model_input, read_inputs};
use crate::metrics::{PredictionRecord, records};
use candle_core::{DType, Tensor};
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

/// Probabilities of models with the same body, each as [`predict_proba`] gives them; the body, that of the first model,
/// looks at each row once.
///
/// # Errors
/// As [`predict_proba`].
///
/// # Panics
/// If there is no model.
pub fn predict_by_heads(models: &[&Model], split: &Split, view: Option<ViewId>) -> Result<Vec<Vec<f32>>, TrainError> {
    let rows: Vec<usize> = (0..split.len()).collect();
    let batch = |rows: &[usize]| -> Result<Vec<Vec<f32>>, TrainError> {
        let features = models[0].features(&read_inputs(models[0], split, rows, view)?, Mode::Eval)?;
        models.iter().map(|model| probs_of_logits(&model.logits(&features, Mode::Eval)?)).collect()
    };
    let batches: Vec<_> = rows.par_chunks(PREDICTION_BATCH).map(batch).collect::<Result<_, _>>()?;
    let of_model = |model: usize| batches.iter().flat_map(|batch| &batch[model]).copied().collect();
    Ok((0..models.len()).map(of_model).collect())
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
    probs_of_logits(&model.forward(inputs, Mode::Eval)?)
}

fn probs_of_logits(logits: &Tensor) -> Result<Vec<f32>, TrainError> {
    let n_outputs = logits.dim(1)?;
    let mut values = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    softmax_rows(&mut values, n_outputs);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use stillhouse_core::{ClassSubset, Seed};
    use stillhouse_data::{DataConfig, LoadContext, NoProgress};
    use stillhouse_models::{HeadInit, ModelConfig};

    #[test]
    fn heads_on_a_common_body_say_what_the_whole_networks_say() {
        let data = json!({ "kind": "glyphs", "n_classes": 12, "train_per_class": 60, "test_per_class": 1 });
        let data: DataConfig = serde_json::from_value(data).unwrap();
        let split = data.load(&LoadContext::new(Seed(0), &NoProgress)).unwrap().train;
        assert!(split.len() > PREDICTION_BATCH, "more than one batch");
        for config in [json!({ "kind": "mlp", "widths": [33] }), json!({ "kind": "resnet", "depth": 8, "width": 4 })] {
            let config: ModelConfig = serde_json::from_value(config).unwrap();
            let model = Model::new(&config, &split.input().shape, 12, Seed(0), &candle_core::Device::Cpu).unwrap();
            let of_own = ClassSubset::new(12, [3, 5].map(ClassId)).unwrap();
            let specialist = model.with_head(HeadInit::Dustbin { subset: &of_own }).unwrap();
            specialist.add_to_output_bias(1, 0.5).unwrap();
            let models = [&model, &specialist];
            let alone: Vec<_> = models.iter().map(|model| predict_proba(model, &split, None).unwrap()).collect();
            assert!(predict_by_heads(&models, &split, None).unwrap() == alone, "{config:?}");
            assert_eq!(alone[1].len(), 3 * split.len());
        }
    }
}
