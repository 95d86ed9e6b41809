//! The cross entropy with labels, as a training's config changes it: class weights, logit adjustment, smoothed labels.

use crate::TrainingConfig;
use crate::imbalance::{ImbalanceConfig, class_counts};
use candle_core::Tensor;
use stillhouse_data::Split;
use stillhouse_ops::loss::{LabelTerms, adjusted_cross_entropy, cross_entropy};

/// The loss of logits with hard labels. It depends on the config and the numbers of examples of each class alone.
#[derive(Clone, Debug, Default)]
pub struct HardLoss {
    terms: LabelTerms,
}

impl HardLoss {
    /// The loss of a training on these examples. Tables of classes are those of the dataset, so that the model has to number
    /// them in the same way.
    pub fn new(config: &TrainingConfig, split: &Split) -> Self {
        let counts = || class_counts(split.labels(), split.n_classes());
        let mut terms = LabelTerms { smoothing: config.label_smoothing, ..LabelTerms::default() };
        match &config.imbalance {
            Some(ImbalanceConfig::ClassWeights(weights)) => {
                terms.class_weights = Some(weights.weights(&counts()).into());
            }
            Some(ImbalanceConfig::LogitAdjustment(adjustment)) => {
                terms.logit_shifts = Some(adjustment.shifts(&counts()).into());
            }
            Some(ImbalanceConfig::BalancedSampling {}) | None => {}
        }
        Self { terms }
    }

    /// Mean loss of logits `[B, C]` with one output number for each example.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub(crate) fn cross_entropy(&self, logits: &Tensor, labels: &[u32]) -> candle_core::Result<Tensor> {
        match self.terms == LabelTerms::default() {
            true => cross_entropy(logits, labels),
            false => adjusted_cross_entropy(logits, labels, &self.terms),
        }
    }
}
