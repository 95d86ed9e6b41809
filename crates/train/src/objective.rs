//! The objective of a training: hard labels, a specialist's labels, or soft targets.
//!
//! B examples of a batch, C classes of the dataset, L classes of a specialist. Gradients of the soft term shrink as
//! `1/T^2`; the operation multiplies it by `T^2`, so weights need no change when the temperature does
//! (Hinton, Vinyals and Dean 2015, sec. 2).

use crate::TrainError;
use crate::full_softmax::full_softmax_loss;
use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use stillhouse_core::{ClassId, ClassSubset, ExampleView, Problem, Temperature, check_values};
use stillhouse_data::Batch;
use stillhouse_models::Model;
use stillhouse_ops::loss::{self, NO_LABEL, SparseTargets};
use stillhouse_ops::{add, scale};
use stillhouse_targets::{SoftTargets, TargetBatch, TargetsError};

/// The loss of one training, and the targets that it needs.
#[derive(Clone, Debug)]
pub enum Objective {
    /// Cross entropy with the label, as the model numbers it.
    HardLabels(LabelView),
    /// Cross entropy with the label on a specialist's own classes, with the generalist's soft targets on the others.
    FullSoftmax {
        /// the specialist's own classes
        subset: ClassSubset,
        /// source of the soft targets, with the same outputs
        generalist: Arc<Model>,
    },
    /// Soft targets together with the hard labels.
    Distillation {
        /// merged or single-teacher distributions, by example and view
        targets: Arc<SoftTargets>,
        /// loss and weights
        config: DistillationConfig,
    },
}

/// How a model numbers the dataset's classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelView {
    /// As the dataset does, `C` outputs.
    Global,
    /// Its own classes first, then one dustbin for all others, `L + 1` outputs.
    Dustbin(ClassSubset),
}

impl LabelView {
    /// The output of a class.
    pub fn output(&self, class: ClassId) -> u32 {
        match self {
            Self::Global => class.0,
            Self::Dustbin(subset) => subset.local(class).map_or(subset.len(), |local| local.index()) as u32,
        }
    }
}

/// Loss of a student.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DistillationConfig {
    /// How the student is compared with its teacher.
    #[serde(default)]
    pub loss: DistillationLoss,
    /// Weight of the hard-label cross entropy; 0 leaves the labels out.
    #[serde(default = "default_task_loss_weight")]
    #[schemars(range(min = 0))]
    pub task_loss_weight: f64,
    /// Weight of the soft-target loss; with 0 the student would learn nothing from its teacher.
    #[serde(default = "default_distill_loss_weight")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub distill_loss_weight: f64,
}

/// Comparison of student and teacher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DistillationLoss {
    /// `T^2` times the cross entropy of the softened distributions.
    SoftCrossEntropy(SoftCrossEntropy),
    /// Half the squared distance of the logits, both centred, mean over classes.
    LogitL2,
}

/// Settings of [`DistillationLoss::SoftCrossEntropy`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftCrossEntropy {
    /// Both sides are softened with it.
    #[schemars(extend("minimum" = MIN_TEMPERATURE, "maximum" = MAX_TEMPERATURE))]
    pub temperature: Temperature,
}

/// Below this, logits divided by it overflow `f32` soon, and its square loses the gradient.
const MIN_TEMPERATURE: f64 = 0.001;
/// Softened distributions differ from the uniform one by about the logits over the temperature: beyond this, little of it is
/// left in `f32`, and a student would learn nothing from its teacher without a word.
const MAX_TEMPERATURE: f64 = 10_000.0;

fn default_task_loss_weight() -> f64 {
    0.1
}

fn default_distill_loss_weight() -> f64 {
    0.9
}

impl Default for DistillationLoss {
    fn default() -> Self {
        Self::SoftCrossEntropy(SoftCrossEntropy { temperature: Temperature::ONE })
    }
}

impl Default for DistillationConfig {
    fn default() -> Self {
        Self {
            loss: DistillationLoss::default(),
            task_loss_weight: default_task_loss_weight(),
            distill_loss_weight: default_distill_loss_weight(),
        }
    }
}

impl DistillationConfig {
    /// Everything out of range.
    pub fn validate(&self) -> Vec<Problem> {
        check_values(self)
    }

    /// The temperature that softens the soft targets; none for a loss without one.
    pub fn temperature(&self) -> Option<Temperature> {
        match &self.loss {
            DistillationLoss::SoftCrossEntropy(loss) => Some(loss.temperature),
            DistillationLoss::LogitL2 => None,
        }
    }

    /// Whether the loss reads every probability of a soft target, so that a student cannot learn from a sparse store.
    pub fn needs_all_classes(&self) -> bool {
        match self.loss {
            DistillationLoss::SoftCrossEntropy(_) => false,
            DistillationLoss::LogitL2 => true,
        }
    }
}

/// Smallest teacher probability whose logarithm serves as a logit.
const PROB_FLOOR: f32 = 1e-12;

/// The loss of one batch, and its unweighted parts for the record.
#[derive(Debug)]
pub struct LossParts {
    /// The loss, a scalar that the backward pass starts from.
    pub total: Tensor,
    /// Hard-label part, to which examples without a label add nothing.
    pub task: Option<f64>,
    /// Soft-target part, with its `T^2`.
    pub distill: Option<f64>,
}

impl Objective {
    /// Loss of a batch's logits `[B, n_outputs]`.
    ///
    /// # Errors
    /// A missing soft target, or a failing tensor operation.
    pub fn loss(&self, model: &str, logits: &Tensor, batch: &Batch) -> Result<LossParts, TrainError> {
        match self {
            Self::HardLabels(view) => {
                let labels: Vec<u32> = batch.labels.iter().map(|class| view.output(*class)).collect();
                Ok(LossParts { total: loss::cross_entropy(logits, &labels)?, task: None, distill: None })
            }
            Self::FullSoftmax { subset, generalist } => {
                let total = full_softmax_loss(logits, batch, subset, generalist)?;
                Ok(LossParts { total, task: None, distill: None })
            }
            Self::Distillation { targets, config } => distillation_loss(model, logits, batch, targets, config),
        }
    }

    /// Share of a batch's soft targets whose most probable class is the label, and how many have one; none for hard
    /// labels and batches without labels.
    pub fn target_label_agreement(&self, batch: &Batch) -> Option<(f64, usize)> {
        let Self::Distillation { targets, .. } = self else { return None };
        let matches = |(example, label): (&ExampleView, &ClassId)| targets.top_class(*example) == Some(*label);
        let labelled = batch.examples.iter().zip(&batch.labels).filter(|(_, label)| **label != ClassId::UNKNOWN);
        let (n_same, n_labelled) =
            labelled.fold((0, 0), |(n_same, n), pair| (n_same + usize::from(matches(pair)), n + 1));
        (n_labelled > 0).then(|| (n_same as f64 / n_labelled as f64, n_labelled))
    }
}

/// `task_loss_weight * hard + distill_loss_weight * T^2 * soft` (paper, sec. 2), each a mean over the batch, of which
/// examples without a label have the second term only.
fn distillation_loss(
    model: &str,
    logits: &Tensor,
    batch: &Batch,
    targets: &SoftTargets,
    config: &DistillationConfig,
) -> Result<LossParts, TrainError> {
    let failed = |error: TargetsError| match error {
        TargetsError::Missing { key } => TrainError::MissingTarget {
            model: model.to_owned(),
            example: key.example.0,
            view: key.view.map(|view| view.0),
        },
        error => error.into(),
    };
    let dense = |values: Vec<f32>| Tensor::from_vec(values, logits.dims2()?, logits.device());
    let distill = match &config.loss {
        DistillationLoss::SoftCrossEntropy(SoftCrossEntropy { temperature }) => {
            match targets.batch(&batch.examples, *temperature).map_err(failed)? {
                TargetBatch::Dense { probs } => loss::soft_cross_entropy(logits, &dense(probs)?, temperature.get())?,
                TargetBatch::Sparse { classes, probs, tails } => {
                    let kept = SparseTargets { classes: &classes, probs: &probs, tails: &tails };
                    loss::sparse_soft_cross_entropy(logits, kept, temperature.get())?
                }
            }
        }
        DistillationLoss::LogitL2 => {
            let mut values = targets.dense_batch(&batch.examples, Temperature::ONE).map_err(failed)?;
            values.iter_mut().for_each(|value| *value = value.max(PROB_FLOOR).ln());
            loss::logit_l2(logits, &dense(values)?)?
        }
    };
    let distill_value = scalar(&distill)?;
    let weighted = scale(&distill, config.distill_loss_weight)?;
    if config.task_loss_weight == 0.0 {
        return Ok(LossParts { total: weighted, task: None, distill: Some(distill_value) });
    }
    let label = |class: &ClassId| if *class == ClassId::UNKNOWN { NO_LABEL } else { class.0 };
    let labels: Vec<u32> = batch.labels.iter().map(label).collect();
    let task = loss::cross_entropy(logits, &labels)?;
    let task_value = scalar(&task)?;
    let total = add(&weighted, &scale(&task, config.task_loss_weight)?)?;
    Ok(LossParts { total, task: Some(task_value), distill: Some(distill_value) })
}

/// The number in a scalar tensor of either float type.
pub(crate) fn scalar(tensor: &Tensor) -> candle_core::Result<f64> {
    tensor.to_dtype(candle_core::DType::F64)?.to_scalar()
}
