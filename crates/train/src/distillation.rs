//! How a student is compared with its teacher: losses, their settings and weights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Problem, Temperature, check_values};

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
    /// The same of standardised logits: the z-scores of each example's logits are compared, so that the student need not
    /// have the teacher's mean and deviation (Sun et al. 2024). Only the hard labels set the deviation of the student's
    /// logits, so that its probabilities may be far too flat or too sharp. The targets are read at `T = 1`.
    StandardisedSoftCrossEntropy(StandardisedSoftCrossEntropy),
    /// `T^2` times the weighted sum of two cross entropies of the softened distributions: of the target class against all
    /// others, and of the others among themselves (Zhao et al. 2022). The target class is the label; for an example without
    /// a label it is the teacher's most probable class.
    Decoupled(Decoupled),
    /// Half the squared distance of the logits, both centred, mean over classes. The targets are read at `T = 1`.
    LogitL2,
}

/// Settings of [`DistillationLoss::SoftCrossEntropy`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftCrossEntropy {
    /// Both sides are softened with it.
    #[schemars(extend("minimum" = MIN_TEMPERATURE, "maximum" = MAX_TEMPERATURE))]
    #[schemars(extend("examples" = [4.0]))]
    pub temperature: Temperature,
}

/// Settings of [`DistillationLoss::StandardisedSoftCrossEntropy`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StandardisedSoftCrossEntropy {
    /// The z-scores of both sides are divided by it before the softmax.
    #[schemars(extend("minimum" = MIN_TEMPERATURE, "maximum" = MAX_TEMPERATURE))]
    #[schemars(extend("examples" = [4.0]))]
    pub temperature: Temperature,
}

/// Settings of [`DistillationLoss::Decoupled`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decoupled {
    /// Both sides are softened with it.
    #[schemars(extend("minimum" = MIN_TEMPERATURE, "maximum" = MAX_TEMPERATURE))]
    #[schemars(extend("examples" = [4.0]))]
    pub temperature: Temperature,
    /// Weight of the target class against all others (the paper's alpha; 1 in the authors' program).
    #[schemars(range(min = 0))]
    #[schemars(extend("examples" = [1.0]))]
    pub target_weight: f64,
    /// Weight of the other classes among themselves (the paper's beta; 8 in the authors' program). In `soft_cross_entropy`
    /// it is the teacher's probability of these classes together, which is small where the teacher is sure.
    #[schemars(range(min = 0))]
    #[schemars(extend("examples" = [8.0]))]
    pub non_target_weight: f64,
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
    /// Everything out of range, and weights that leave nothing to learn.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = check_values(self);
        if let DistillationLoss::Decoupled(loss) = &self.loss
            && (loss.target_weight, loss.non_target_weight) == (0.0, 0.0)
        {
            let text = "must be above 0 where target_weight is 0, or the student would learn nothing from its teacher";
            problems.push(Problem::new("loss.non_target_weight", text));
        }
        problems
    }

    /// The temperature that softens the soft targets; none for a loss that reads them at `T = 1`.
    pub fn temperature(&self) -> Option<Temperature> {
        match &self.loss {
            DistillationLoss::SoftCrossEntropy(loss) => Some(loss.temperature),
            DistillationLoss::Decoupled(loss) => Some(loss.temperature),
            DistillationLoss::StandardisedSoftCrossEntropy(_) | DistillationLoss::LogitL2 => None,
        }
    }

    /// Whether the loss reads every probability of a soft target, so that a student cannot learn from a sparse store. The
    /// decoupled loss needs the target class, which a sparse row may have in its tail.
    pub fn needs_all_classes(&self) -> bool {
        match self.loss {
            DistillationLoss::SoftCrossEntropy(_) => false,
            DistillationLoss::StandardisedSoftCrossEntropy(_)
            | DistillationLoss::Decoupled(_)
            | DistillationLoss::LogitL2 => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn problems(loss: &Value) -> Vec<String> {
        let config: DistillationConfig = serde_json::from_value(json!({ "loss": loss })).unwrap();
        config.validate().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn temperatures_without_effect_are_refused() {
        for (temperature, is_right) in [(1e-4, false), (0.001, true), (20.0, true), (1e4, true), (1e9, false)] {
            for loss in [
                json!({ "kind": "soft_cross_entropy", "temperature": temperature }),
                json!({ "kind": "standardised_soft_cross_entropy", "temperature": temperature }),
                json!({
                    "kind": "decoupled", "temperature": temperature, "target_weight": 1.0, "non_target_weight": 8.0
                }),
            ] {
                let problems = problems(&loss);
                assert_eq!(problems.is_empty(), is_right, "{temperature}");
                let named = |text: &String| text.starts_with("loss.temperature: must be between 0.001 and 10000");
                assert!(problems.iter().all(named), "{problems:?}");
            }
        }
    }

    #[test]
    fn weights_that_leave_nothing_to_learn_are_refused() {
        let of_weights = |target: f64, non_target: f64| {
            let weights = json!({
                "kind": "decoupled", "temperature": 4.0, "target_weight": target, "non_target_weight": non_target,
            });
            problems(&weights)
        };
        assert!(of_weights(0.0, 1.0).is_empty() && of_weights(1.0, 0.0).is_empty());
        assert!(of_weights(0.0, 0.0)[0].starts_with("loss.non_target_weight: must be above 0"));
        assert!(of_weights(-1.0, 1.0)[0].starts_with("loss.target_weight: must be at least 0"));
    }
}
