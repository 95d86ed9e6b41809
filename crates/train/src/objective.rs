//! The objective of a training: hard labels, a specialist's labels, or soft targets.
//!
//! B examples of a batch, C classes of the dataset, L classes of a specialist.

use crate::distillation::DistillationConfig;
use crate::distillation_loss::{soft_loss, with_labels};
use crate::full_softmax::full_softmax_loss;
use crate::{HardLoss, TrainError};
use candle_core::Tensor;
use std::borrow::Cow;
use std::sync::Arc;
use stillhouse_core::{ClassId, ClassSubset, ExampleView};
use stillhouse_data::Batch;
use stillhouse_models::Model;
use stillhouse_ops::loss::NO_LABEL;
use stillhouse_targets::SoftTargets;

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

/// The loss of each epoch: the same in all, or one whose soft targets are made for the epoch.
pub trait EpochObjective: Sync {
    /// The loss of an epoch (`0..`).
    ///
    /// # Errors
    /// Soft targets that cannot be made, or an interruption meanwhile.
    fn of_epoch(&self, epoch: usize) -> Result<Cow<'_, Objective>, TrainError>;
}

impl EpochObjective for Objective {
    fn of_epoch(&self, _epoch: usize) -> Result<Cow<'_, Objective>, TrainError> {
        Ok(Cow::Borrowed(self))
    }
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
    /// Loss of a batch's logits `[B, n_outputs]`, with `hard` where it has hard labels; a specialist of all classes has a loss of
    /// its own.
    ///
    /// # Errors
    /// A missing soft target, or a failing tensor operation.
    pub fn loss(&self, model: &str, logits: &Tensor, batch: &Batch, hard: &HardLoss) -> Result<LossParts, TrainError> {
        match self {
            Self::HardLabels(view) => {
                let labels: Vec<u32> = batch.labels.iter().map(|class| view.output(*class)).collect();
                Ok(LossParts { total: hard.cross_entropy(logits, &labels)?, task: None, distill: None })
            }
            Self::FullSoftmax { subset, generalist } => {
                let total = full_softmax_loss(logits, batch, subset, generalist)?;
                Ok(LossParts { total, task: None, distill: None })
            }
            Self::Distillation { targets, config } => {
                let soft = soft_loss(model, logits, batch, targets, &config.loss)?;
                let label = |class: &ClassId| if *class == ClassId::UNKNOWN { NO_LABEL } else { class.0 };
                let task = || hard.cross_entropy(logits, &batch.labels.iter().map(label).collect::<Vec<u32>>());
                let task = (config.task_loss_weight > 0.0).then(task).transpose()?;
                with_labels(&soft, task.as_ref(), config)
            }
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

/// The number in a scalar tensor of either float type.
pub(crate) fn scalar(tensor: &Tensor) -> candle_core::Result<f64> {
    tensor.to_dtype(candle_core::DType::F64)?.to_scalar()
}
