//! The `[merge]` section of a config.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Problem, check_values};

/// How the predictions of all teachers become one distribution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeConfig {
    /// The rule; `exact` solves the paper's equation 5.
    #[serde(default)]
    pub rule: MergeRule,
    /// Which specialists vote on an example; `exact` and `all` belong together.
    #[serde(default)]
    pub gate: Gate,
    /// Whether the student's temperature softens the merged distribution or each teacher's own before the merge.
    #[serde(default)]
    pub soften: Soften,
    /// How much each teacher counts.
    #[serde(default)]
    pub weights: TeacherWeights,
    /// Calibration of the merged distribution, applied before it is used anywhere.
    #[serde(default)]
    pub calibration: Calibration,
}

/// Calibration of the merged distribution. Where most specialists cannot tell an example's class, the merged
/// distribution is much too flat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calibration {
    /// The merged distribution is taken as it is.
    #[default]
    None,
    /// One temperature, that of the least negative log likelihood on the validation split (Guo et al. 2017,
    /// arXiv:1706.04599). The most probable class stays; soft targets are made of the calibrated distribution.
    Temperature,
}

/// Weight of a specialist relative to a generalist. All specialists have the same weight: fitting one for each would
/// fit the noise of the validation split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TeacherWeights {
    /// Specialists weigh as much as generalists (the paper's).
    Equal {},
    /// The given weight.
    Given(GivenWeights),
    /// The weight with the least negative log likelihood on the validation split. Where the generalists alone have less, no
    /// specialist is merged: the merge is then the plain ensemble that it contains.
    Fitted {},
}

impl Default for TeacherWeights {
    fn default() -> Self {
        Self::Equal {}
    }
}

/// Settings of given weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenWeights {
    /// Weight of each specialist, a generalist's being 1.
    #[schemars(range(min = 0))]
    pub specialists: f64,
}

/// What the student's temperature is applied to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Soften {
    /// The merged distribution: a dustbin means the same at every temperature.
    #[default]
    AfterMerge,
    /// Each teacher's own outputs, which are then merged. A temperature flattens a dustbin too; but the tail of a merged distribution
    /// at T > 1 may be worse (`experiments/strangers`, photos).
    BeforeMerge,
}

/// The merge rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MergeRule {
    /// The minimum of equation 5, to rounding.
    #[default]
    Exact,
    /// One step of expectation maximisation towards it; exact for one specialist.
    EmStep,
    /// Mean of probabilities, each dustbin spread over its classes in the generalist's proportions.
    ArithmeticMean,
    /// Mean of log probabilities, dustbins spread the same way, normalised.
    GeometricMean,
}

/// Which specialists vote on an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Gate {
    /// Every specialist: its dustbin is evidence too, "none of my classes".
    // without fields, but with braces: serde refuses unknown keys only so
    All {},
    /// The specialists whose set holds one of the generalist's most probable classes (the paper's gate, with `n = 1`).
    TopN(TopN),
}

impl Default for Gate {
    fn default() -> Self {
        Self::All {}
    }
}

/// Settings of the `top_n` gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopN {
    /// How many of the generalist's most probable classes open the gate.
    #[schemars(range(min = 1))]
    pub n: usize,
}

impl MergeConfig {
    /// What is wrong with the values.
    pub fn validate(&self) -> Vec<Problem> {
        check_values(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_exact_and_all() {
        assert_eq!(serde_json::from_str::<MergeConfig>("{}").unwrap(), MergeConfig::default());
        assert_eq!(
            serde_json::to_string(&MergeConfig::default()).unwrap(),
            r#"{"rule":"exact","gate":{"kind":"all"},"soften":"after_merge","weights":{"kind":"equal"},"calibration":"none"}"#
        );
    }

    #[test]
    fn unknown_keys_and_values_are_refused() {
        for bad in [
            r#"{"rule": "exactly"}"#,
            r#"{"gates": {"kind": "all"}}"#,
            r#"{"gate": {"kind": "top_n"}}"#,
            r#"{"gate": {"kind": "top_n", "n": 1, "m": 2}}"#,
            r#"{"gate": {"kind": "all", "n": 2}}"#,
        ] {
            assert!(serde_json::from_str::<MergeConfig>(bad).is_err(), "{bad}");
        }
        let bad = r#"{"gate": {"kind": "top_n", "n": 0}, "weights": {"kind": "given", "specialists": -1.0}}"#;
        let config: MergeConfig = serde_json::from_str(bad).unwrap();
        assert_eq!(config.validate().len(), 2);
    }
}
