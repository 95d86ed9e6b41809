//! The `[merge]` section of a config.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

/// What the student's temperature is applied to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Soften {
    /// The merged distribution: a dustbin means the same at every temperature.
    #[default]
    AfterMerge,
    /// Each teacher's own outputs, which are then merged; an ablation for heads with a dustbin, whose outside mass a
    /// temperature destroys.
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
    /// Expectation maximisation until nothing moves: the same minimum, slower.
    Em,
    /// Mean of probabilities, each dustbin spread over its classes in the generalist's proportions.
    ArithmeticMean,
    /// Mean of log probabilities, dustbins spread the same way, normalised.
    GeometricMean,
}

/// Which specialists vote on an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Gate {
    /// Every specialist, whose dustbin is evidence too: it says "none of mine".
    ///
    /// Without fields, but with braces: serde refuses unknown keys only so.
    All {},
    /// Those that know one of the generalist's most probable classes (the paper's gate, there with `n = 1`).
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
    /// How many of the generalist's most probable classes open the gate, at least 1.
    pub n: usize,
}

impl MergeConfig {
    /// What is wrong with the values, one sentence each; empty when nothing is.
    pub fn validate(&self) -> Vec<String> {
        match self.gate {
            Gate::TopN(TopN { n: 0 }) => vec!["gate.n must be at least 1, found 0".into()],
            _ => Vec::new(),
        }
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
            r#"{"rule":"exact","gate":{"kind":"all"},"soften":"after_merge"}"#
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
        let config: MergeConfig = serde_json::from_str(r#"{"gate": {"kind": "top_n", "n": 0}}"#).unwrap();
        assert_eq!(config.validate().len(), 1);
    }
}
