//! Classes of unlike frequency: three ways to keep rare classes from being learned away.
//!
//! C classes, N training examples with labels, `n_c` of class c.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::ClassId;

/// What a training on labels does about classes that are rarer than others. All numbers are counted on the training's own
/// examples with labels; a class without one counts as a class of one example. Validation losses, by which `keep = "best"` and
/// `early_stopping` choose, stay those of the validation split as it is.
///
/// In a student's training on soft targets, weights and logit adjustment change the hard-label part of the loss alone, of which
/// `distillation.task_loss_weight` is the weight; the part on soft targets stays as it is. Balanced sampling decides which examples
/// come, so that both parts see rare classes more often; examples without labels come once in each epoch as ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ImbalanceConfig {
    /// The loss of an example is multiplied by the weight of its class (Cui et al. 2019, arXiv:1901.05555).
    ClassWeights(ClassWeightsConfig),
    /// Each epoch has as many examples as before, of each class the same number: those of a rare class come several times, those
    /// of a frequent one only in part, drawn anew in each epoch. An example that comes again shows another augmented view, but to a
    /// student on soft targets, for whom one view an epoch is stored.
    BalancedSampling {},
    /// `strength` times the logarithm of each class's frequency is added to its logit in the loss, and only there (Menon et al.
    /// 2021, arXiv:2007.07314). The network then learns what it would predict if all classes were alike frequent.
    LogitAdjustment(LogitAdjustmentConfig),
}

/// Settings of [`ImbalanceConfig::ClassWeights`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassWeightsConfig {
    /// A class of n examples has the weight `(1 - beta) / (1 - beta^n)`, one over its effective number of examples; 1, the default,
    /// is one over n, and 0 the same weight for all. The weights are scaled so that their mean over the training examples is 1,
    /// and the learning rate keeps its meaning.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1))]
    pub beta: f64,
}

/// Settings of [`ImbalanceConfig::LogitAdjustment`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitAdjustmentConfig {
    /// Factor of the logarithms (the paper's tau). 1, the default, removes the frequencies from the predictions; more favours
    /// rare classes beyond that.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 10))]
    pub strength: f64,
}

fn one() -> f64 {
    1.0
}

/// Examples of each class, `[C]`; examples without a label are not counted.
pub(crate) fn class_counts(labels: &[ClassId], n_classes: usize) -> Vec<usize> {
    let mut counts = vec![0; n_classes];
    labels.iter().filter(|class| **class != ClassId::UNKNOWN).for_each(|class| counts[class.index()] += 1);
    counts
}

impl ClassWeightsConfig {
    /// The weight of each class, `[C]`; their mean over the examples is 1.
    pub(crate) fn weights(&self, counts: &[usize]) -> Vec<f64> {
        let raw: Vec<f64> = counts.iter().map(|count| self.weight((*count).max(1) as f64)).collect();
        let n_examples = counts.iter().sum::<usize>() as f64;
        let sum: f64 = raw.iter().zip(counts).map(|(weight, count)| weight * *count as f64).sum();
        let factor = if sum > 0.0 { n_examples / sum } else { 1.0 };
        raw.into_iter().map(|weight| weight * factor).collect()
    }

    fn weight(&self, count: f64) -> f64 {
        // the limit for beta = 1, where both differences are 0
        if self.beta == 1.0 { 1.0 / count } else { (1.0 - self.beta) / (1.0 - self.beta.powf(count)) }
    }
}

impl LogitAdjustmentConfig {
    /// What is added to each class's logit, in nats, `[C]`.
    pub(crate) fn shifts(&self, counts: &[usize]) -> Vec<f64> {
        let n_examples = counts.iter().sum::<usize>().max(1) as f64;
        counts.iter().map(|count| self.strength * ((*count).max(1) as f64 / n_examples).ln()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_weights_give_each_class_the_same_sum() {
        let weights = ClassWeightsConfig { beta: 1.0 }.weights(&[90, 9, 1, 0]);
        // 100 examples, three classes: each has a third of the sum of all weights
        for (weight, count) in weights.iter().zip([90.0, 9.0, 1.0]) {
            assert!((weight * count - 100.0 / 3.0).abs() < 1e-12);
        }
        assert_eq!(weights[3], weights[2]);
        assert_eq!(ClassWeightsConfig { beta: 0.0 }.weights(&[90, 9, 1]), [1.0; 3]);
    }

    #[test]
    fn effective_numbers_by_hand() {
        // beta = 0.5: (1 - 0.5) / (1 - 0.5^n) is 1, 2/3, 4/7 for n = 1, 2, 3
        let weights = ClassWeightsConfig { beta: 0.5 }.weights(&[1, 2, 3]);
        let factor = 6.0 / (1.0 + 4.0 / 3.0 + 12.0 / 7.0);
        for (weight, expected) in weights.iter().zip([1.0, 2.0 / 3.0, 4.0 / 7.0]) {
            assert!((weight - expected * factor).abs() < 1e-12);
        }
    }

    #[test]
    fn shifts_are_logarithms_of_frequencies() {
        let shifts = LogitAdjustmentConfig { strength: 2.0 }.shifts(&[75, 25, 0]);
        for (shift, frequency) in shifts.iter().zip([0.75_f64, 0.25, 0.01]) {
            assert!((shift - 2.0 * frequency.ln()).abs() < 1e-12);
        }
    }

    #[test]
    fn examples_without_labels_are_not_counted() {
        assert_eq!(class_counts(&[ClassId(2), ClassId::UNKNOWN, ClassId(2), ClassId(0)], 3), [1, 0, 2]);
    }
}
