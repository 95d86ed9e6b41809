//! Predictions of models for whole splits.
//!
//! N rows of a split, B rows of a batch, F features of a head.

use crate::TrainError;
use crate::inputs::{encode_texts, model_input, read_inputs, reads_alike};
use crate::metrics::{PredictionRecord, records};
use candle_core::{DType, Tensor};
use rayon::prelude::*;
use stillhouse_core::{ClassId, ViewId};
use stillhouse_data::{Inputs, Split};
use stillhouse_models::{LayerInputs, Mode, Model, ModelInput};
use stillhouse_ops::softmax_rows;

/// Examples in one forward pass. A constant, so that a prediction does not depend on the batch of the caller.
pub const PREDICTION_BATCH: usize = 128;

/// Probabilities `[N, n_outputs]` at `T = 1` for every row of a split, in its order.
///
/// Batches run in parallel in the rayon pool of the caller.
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

/// The records of every row of a split; `output` maps a label to its output. Memory does not grow with the number of
/// classes times that of examples.
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

/// What the layers of a model read for a split, batch by batch.
///
/// # Errors
/// As [`predict_proba`].
pub fn visit_layer_inputs(
    model: &Model,
    split: &Split,
    mut visit: impl FnMut(Vec<LayerInputs>),
) -> Result<(), TrainError> {
    let rows: Vec<usize> = (0..split.len()).collect();
    for rows in rows.chunks(PREDICTION_BATCH) {
        visit(model.layer_inputs(&read_inputs(model, split, rows, None)?)?);
    }
    Ok(())
}

/// Probabilities of several models, each as [`predict_proba`] gives them. Each batch is read, augmented and encoded
/// once for all models that take the same input; models with the same body, where `body_of[i]` is the first model with
/// the body of model `i`, share one pass of it.
///
/// # Errors
/// As [`predict_proba`].
pub fn predict_together(
    models: &[&Model],
    body_of: &[usize],
    split: &Split,
    view: Option<ViewId>,
) -> Result<Vec<Vec<f32>>, TrainError> {
    let groups = input_groups(models, body_of);
    let rows: Vec<usize> = (0..split.len()).collect();
    let batch = |rows: &[usize]| -> Result<Vec<Vec<f32>>, TrainError> {
        let mut probs = vec![Vec::new(); models.len()];
        for bodies in &groups {
            let inputs = read_inputs(models[bodies[0][0]], split, rows, view)?;
            for body in bodies {
                if let [alone] = body[..] {
                    probs[alone] = probs_of(models[alone], &inputs)?;
                    continue;
                }
                let features = models[body[0]].features(&inputs, Mode::Eval)?;
                for &model in body {
                    probs[model] = probs_of_logits(&models[model].logits(&features, Mode::Eval)?)?;
                }
            }
        }
        Ok(probs)
    };
    let batches: Vec<_> = rows.par_chunks(PREDICTION_BATCH).map(batch).collect::<Result<_, _>>()?;
    Ok((0..models.len()).map(|model| batches.iter().flat_map(|batch| &batch[model]).copied().collect()).collect())
}

/// Groups of models that read the same input, each divided into groups of models with the same body.
fn input_groups(models: &[&Model], body_of: &[usize]) -> Vec<Vec<Vec<usize>>> {
    let mut groups: Vec<Vec<Vec<usize>>> = Vec::new();
    for (first, model) in models.iter().enumerate().filter(|(index, _)| body_of[*index] == *index) {
        let body = (0..models.len()).filter(|&other| body_of[other] == first).collect();
        match groups.iter_mut().find(|group| reads_alike(models[group[0][0]], model)) {
            Some(group) => group.push(body),
            None => groups.push(vec![body]),
        }
    }
    groups
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
    fn models_asked_together_say_what_each_says_alone() {
        let data = json!({ "kind": "glyphs", "n_classes": 12, "train_per_class": 60, "test_per_class": 1 });
        let data: DataConfig = serde_json::from_value(data).unwrap();
        let split = data.load(&LoadContext::new(Seed(0), &NoProgress)).unwrap().train;
        assert!(split.len() > PREDICTION_BATCH, "more than one batch");
        let new_model = |config: &serde_json::Value, n_outputs: usize, seed: u64| {
            let config: ModelConfig = serde_json::from_value(config.clone()).unwrap();
            Model::new(&config, &split.input().shape, n_outputs, Seed(seed), &candle_core::Device::Cpu).unwrap()
        };
        for config in [json!({ "kind": "mlp", "widths": [33] }), json!({ "kind": "resnet", "depth": 8, "width": 4 })] {
            let model = new_model(&config, 12, 0);
            let of_own = ClassSubset::new(12, [3, 5].map(ClassId)).unwrap();
            let specialist = model.with_head(HeadInit::Dustbin { subset: &of_own }).unwrap();
            specialist.add_to_output_bias(1, 0.5).unwrap();
            let other = new_model(&config, 7, 1);
            let models = [&other, &model, &specialist];
            let alone: Vec<_> = models.iter().map(|model| predict_proba(model, &split, None).unwrap()).collect();
            let together = predict_together(&models, &[0, 1, 1], &split, None).unwrap();
            assert!(together == alone, "{config:?}");
            assert_eq!(input_groups(&models, &[0, 1, 1]), [[vec![0], vec![1, 2]]]);
            assert_eq!(alone[2].len(), 3 * split.len());
        }
    }

    #[test]
    fn texts_are_encoded_once_for_models_that_read_them_alike() {
        let model = |n_buckets: usize, ngrams: serde_json::Value, seed: u64| {
            let config = json!({ "kind": "ngram_bag", "n_buckets": n_buckets, "width": 4, "ngrams": ngrams });
            let config: ModelConfig = serde_json::from_value(config).unwrap();
            let input = stillhouse_core::InputShape::Text {};
            Model::new(&config, &input, 3, Seed(seed), &candle_core::Device::Cpu).unwrap()
        };
        let letters = || json!({ "characters": [1, 3] });
        let models = [
            model(64, letters(), 0),
            model(128, letters(), 0),
            model(64, letters(), 1),
            model(64, json!({ "characters": [1, 2] }), 0),
        ];
        let groups = input_groups(&models.iter().collect::<Vec<_>>(), &[0, 1, 2, 3]);
        assert_eq!(groups, [vec![vec![0], vec![2]], vec![vec![1]], vec![vec![3]]]);
    }
}
