//! How soft targets are stored.

use super::{ExperimentConfig, StudentConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Problem, Temperature};
use stillhouse_targets::Layout;
use stillhouse_train::DistillationLoss;

/// Above this size a store is sparse, unless the config says otherwise.
const MAX_AUTO_DENSE_BYTES: u64 = 1 << 30;

/// How soft targets are stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftTargetsConfig {
    /// What is kept of each distribution.
    #[serde(default)]
    pub layout: LayoutConfig,
}

/// What is kept of each distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LayoutConfig {
    /// `dense` up to 1 GiB, `sparse` with its defaults above; always `dense` for the loss `logit_l2`.
    Auto {},
    /// Every probability in single precision.
    Dense {},
    /// The largest probabilities, and the exact mass of all others.
    Sparse(SparseConfig),
}

/// Settings of [`LayoutConfig::Sparse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SparseConfig {
    /// Classes kept of each distribution.
    #[serde(default = "default_k")]
    #[schemars(range(min = 1))]
    pub k: usize,
    /// Temperatures that students may have, beside 1 and that of the config's own student: one store for all of them.
    #[serde(default = "default_temperatures")]
    pub temperatures: Vec<Temperature>,
}

fn default_k() -> usize {
    64
}

fn default_temperatures() -> Vec<Temperature> {
    [2.0, 4.0, 8.0].map(|value| Temperature::new(value).expect("a constant above 0")).to_vec()
}

impl Default for LayoutConfig {
    fn default() -> Self {
        Self::Auto {}
    }
}

impl Default for SparseConfig {
    fn default() -> Self {
        Self { k: default_k(), temperatures: default_temperatures() }
    }
}

impl SoftTargetsConfig {
    /// The layout of a store for this student with so many rows.
    pub(crate) fn layout(&self, n_rows: usize, n_classes: usize, student: &StudentConfig) -> Layout {
        let sparse = |config: &SparseConfig| {
            let temperatures = config.temperatures.iter().copied().chain([student.temperature()]);
            Layout::sparse(config.k, n_classes, temperatures)
        };
        match &self.layout {
            LayoutConfig::Dense {} => Layout::Dense {},
            LayoutConfig::Sparse(config) => sparse(config),
            LayoutConfig::Auto {} => {
                let is_small = Layout::Dense {}.size_bytes(n_rows, n_classes) <= MAX_AUTO_DENSE_BYTES;
                let needs_all = needs_all_classes(student);
                if is_small || needs_all { Layout::Dense {} } else { sparse(&SparseConfig::default()) }
            }
        }
    }
}

impl ExperimentConfig {
    /// A sparse store for a loss that needs every class.
    pub(super) fn soft_targets_problem(&self) -> Option<Problem> {
        let is_sparse = matches!(self.soft_targets.layout, LayoutConfig::Sparse(_));
        (is_sparse && needs_all_classes(&self.student)).then(|| {
            let text = "the loss logit_l2 needs every class, expected \"dense\" or \"auto\", found \"sparse\"";
            Problem::new("soft_targets.layout.kind", text)
        })
    }
}

fn needs_all_classes(student: &StudentConfig) -> bool {
    student.distillation.loss == DistillationLoss::LogitL2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigSource, Experiment};

    fn layout(overrides: &[&str], n_rows: usize) -> Layout {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let experiment = Experiment::load(&ConfigSource::Quickstart, &overrides).unwrap();
        let config = experiment.config();
        config.soft_targets.layout(n_rows, 1000, &config.student)
    }

    #[test]
    fn large_stores_are_sparse_unless_the_config_says_otherwise() {
        const LARGE: usize = 1_000_000;
        assert_eq!(layout(&[], 1000), Layout::Dense {});
        let Layout::Sparse(sparse) = layout(&["student.distillation.loss.temperature=3"], LARGE) else { panic!() };
        let temperatures: Vec<f64> = sparse.temperatures.iter().map(|temperature| temperature.get()).collect();
        assert_eq!((sparse.k, temperatures), (64, vec![1.0, 2.0, 3.0, 4.0, 8.0]));
        assert_eq!(layout(&["soft_targets.layout.kind=dense"], LARGE), Layout::Dense {});
        let sparse = layout(&["soft_targets.layout.kind=sparse", "soft_targets.layout.k=9"], 10);
        assert!(matches!(sparse, Layout::Sparse(sparse) if sparse.k == 9));
        assert_eq!(layout(&["student.distillation.loss={ kind = \"logit_l2\" }"], LARGE), Layout::Dense {});
    }

    #[test]
    fn a_sparse_store_is_refused_for_matching_logits() {
        let overrides = ["soft_targets.layout.kind=sparse", "student.distillation.loss={ kind = \"logit_l2\" }"];
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let error = Experiment::load(&ConfigSource::Quickstart, &overrides).unwrap_err().to_string();
        assert!(error.contains("soft_targets.layout.kind") && error.contains("logit_l2"), "{error}");
    }
}
