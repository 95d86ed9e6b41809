//! The loss of a student on one batch: soft targets together with hard labels.
//!
//! B examples of a batch, C classes. Gradients of the soft term shrink as `1/T^2`; the operations multiply it by `T^2`, so
//! weights need no change when the temperature does (Hinton, Vinyals and Dean 2015, sec. 2).

use crate::TrainError;
use crate::distillation::{Decoupled, DistillationConfig, DistillationLoss};
use crate::objective::{LossParts, scalar};
use candle_core::Tensor;
use stillhouse_core::{ClassId, ExampleView, Temperature};
use stillhouse_data::Batch;
use stillhouse_ops::loss::{self, SparseTargets};
use stillhouse_ops::{add, scale};
use stillhouse_targets::{SoftTargets, TargetBatch, TargetsError};

/// Smallest teacher probability whose logarithm serves as a logit. A class at minus infinity would make squared distances
/// infinite, and z-scores no numbers.
const PROB_FLOOR: f32 = 1e-12;

/// `task_loss_weight * hard + distill_loss_weight * T^2 * soft` (paper, sec. 2), each a mean over the batch, of which
/// examples without a label have the second term only. `task` is the hard part; there is none where its weight is 0.
pub(crate) fn with_labels(
    soft: &Tensor,
    task: Option<&Tensor>,
    config: &DistillationConfig,
) -> Result<LossParts, TrainError> {
    let distill = Some(scalar(soft)?);
    let weighted = scale(soft, config.distill_loss_weight)?;
    let Some(task) = task else { return Ok(LossParts { total: weighted, task: None, distill }) };
    let total = add(&weighted, &scale(task, config.task_loss_weight)?)?;
    Ok(LossParts { total, task: Some(scalar(task)?), distill })
}

/// The comparison with the teacher, with its `T^2` and without its weight.
pub(crate) fn soft_loss(
    model: &str,
    logits: &Tensor,
    batch: &Batch,
    targets: &SoftTargets,
    loss: &DistillationLoss,
) -> Result<Tensor, TrainError> {
    let failed = |error: TargetsError| match error {
        TargetsError::Missing { key } => TrainError::MissingTarget {
            model: model.to_owned(),
            example: key.example.0,
            view: key.view.map(|view| view.0),
        },
        error => error.into(),
    };
    let tensor = |values: Vec<f32>| Tensor::from_vec(values, logits.dims2()?, logits.device());
    let probs = |temperature: Temperature| targets.dense_batch(&batch.examples, temperature).map_err(failed);
    let teacher_logits = || -> Result<Tensor, TrainError> {
        let mut values = probs(Temperature::ONE)?;
        values.iter_mut().for_each(|value| *value = value.max(PROB_FLOOR).ln());
        Ok(tensor(values)?)
    };
    Ok(match loss {
        DistillationLoss::SoftCrossEntropy(settings) => {
            let temperature = settings.temperature;
            match targets.batch(&batch.examples, temperature).map_err(failed)? {
                TargetBatch::Dense { probs } => loss::soft_cross_entropy(logits, &tensor(probs)?, temperature.get())?,
                TargetBatch::Sparse { classes, probs, tails } => {
                    let kept = SparseTargets { classes: &classes, probs: &probs, tails: &tails };
                    loss::sparse_soft_cross_entropy(logits, kept, temperature.get())?
                }
            }
        }
        DistillationLoss::StandardisedSoftCrossEntropy(settings) => {
            loss::standardised_soft_cross_entropy(logits, &teacher_logits()?, settings.temperature.get())?
        }
        DistillationLoss::Decoupled(Decoupled { temperature, target_weight, non_target_weight }) => {
            let settings = loss::Decoupled {
                temperature: temperature.get(),
                target_weight: *target_weight,
                non_target_weight: *non_target_weight,
            };
            let probs = tensor(probs(*temperature)?)?;
            loss::decoupled_cross_entropy(logits, &probs, &target_classes(batch, targets), settings)?
        }
        DistillationLoss::LogitL2 => loss::logit_l2(logits, &teacher_logits()?)?,
    })
}

/// The label of each example; without one, the teacher's most probable class.
fn target_classes(batch: &Batch, targets: &SoftTargets) -> Vec<u32> {
    let top_class = |example: ExampleView| targets.top_class(example).expect("a target that was just read");
    let of_example = |(example, label): (&ExampleView, &ClassId)| {
        if *label == ClassId::UNKNOWN { top_class(*example).0 } else { label.0 }
    };
    batch.examples.iter().zip(&batch.labels).map(of_example).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use stillhouse_core::ExampleId;
    use stillhouse_data::Inputs;
    use stillhouse_ops::loss::{decoupled_cross_entropy, standardised_soft_cross_entropy};
    use stillhouse_targets::{Layout, TargetsInfo, TargetsWriter};

    /// The teacher of two examples.
    const PROBS: [f32; 6] = [0.25, 0.5, 0.25, 0.75, 0.125, 0.125];
    /// The student.
    const LOGITS: [f32; 6] = [1.0, 0.0, -1.0, 0.5, 0.0, 2.0];

    fn matrix(values: [f32; 6]) -> Tensor {
        Tensor::from_vec(values.to_vec(), (2, 3), &crate::Device::Cpu).unwrap()
    }

    /// The soft-target part of the loss of two examples with these labels.
    fn soft_part(loss: &Value, labels: [ClassId; 2]) -> f64 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("targets.safetensors");
        let examples: Vec<_> = [0, 1].map(|id| ExampleView { example: ExampleId(id), view: None }).into();
        let info = TargetsInfo {
            layout: Layout::Dense {},
            dataset: "two".into(),
            teachers: Vec::new(),
            transform: "none".into(),
            labels: ["a", "b", "c"].map(String::from).into(),
        };
        let writer = TargetsWriter::create(&path, info, examples.clone()).unwrap();
        writer.write_chunk(0, &PROBS).unwrap();
        writer.finish().unwrap();
        let targets = SoftTargets::open(&path).unwrap();
        let batch = Batch { rows: vec![0, 1], labels: labels.into(), examples, inputs: Inputs::Values(Vec::new()) };
        let loss: DistillationLoss = serde_json::from_value(loss.clone()).unwrap();
        scalar(&soft_loss("student", &matrix(LOGITS), &batch, &targets, &loss).unwrap()).unwrap()
    }

    fn decoupled(temperature: f64, target_weight: f64, non_target_weight: f64) -> Value {
        json!({
            "kind": "decoupled", "temperature": temperature,
            "target_weight": target_weight, "non_target_weight": non_target_weight,
        })
    }

    #[test]
    fn the_decoupled_loss_reads_softened_targets_and_all_its_settings() {
        // softened at T = 2: square roots
        let root = |probs: [f32; 3]| probs.map(|p| p.sqrt() / probs.map(f32::sqrt).iter().sum::<f32>());
        let ([a, b, c], [d, e, f]) = (root([0.25, 0.5, 0.25]), root([0.75, 0.125, 0.125]));
        let settings = loss::Decoupled { temperature: 2.0, target_weight: 0.5, non_target_weight: 3.0 };
        let logits = matrix(LOGITS);
        let expected = decoupled_cross_entropy(&logits, &matrix([a, b, c, d, e, f]), &[2, 1], settings).unwrap();
        let labels = [ClassId(2), ClassId(1)];
        let found = soft_part(&decoupled(2.0, 0.5, 3.0), labels);
        assert!((found - scalar(&expected).unwrap()).abs() < 1e-5, "{found}, {expected}");
        for other in [decoupled(3.0, 0.5, 3.0), decoupled(2.0, 1.0, 3.0), decoupled(2.0, 0.5, 1.0)] {
            assert!((soft_part(&other, labels) - found).abs() > 1e-2);
        }
    }

    #[test]
    fn without_a_label_the_target_class_is_the_teachers_most_probable_one() {
        let of_labels = |first, second| soft_part(&decoupled(4.0, 1.0, 8.0), [first, second]);
        let unlabelled = of_labels(ClassId::UNKNOWN, ClassId::UNKNOWN);
        assert_eq!(unlabelled, of_labels(ClassId(1), ClassId(0)));
        assert_ne!(unlabelled, of_labels(ClassId(2), ClassId(0)));
    }

    #[test]
    fn the_standardised_loss_reads_the_logarithms_of_the_targets() {
        let at = |temperature: f64| {
            let loss = json!({ "kind": "standardised_soft_cross_entropy", "temperature": temperature });
            soft_part(&loss, [ClassId(0); 2])
        };
        let expected = standardised_soft_cross_entropy(&matrix(LOGITS), &matrix(PROBS.map(f32::ln)), 2.0).unwrap();
        assert!((at(2.0) - scalar(&expected).unwrap()).abs() < 1e-6);
        assert!((at(2.0) - at(4.0)).abs() > 1.0);
    }
}
