//! The `[soft_targets]` section of a config.

use crate::Layout;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Temperature;

/// Above this size a store is sparse, unless the config says otherwise.
const MAX_AUTO_DENSE_BYTES: u64 = 1 << 30;

/// How soft targets are stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftTargetsConfig {
    /// What is kept of each distribution.
    #[serde(default)]
    pub layout: LayoutConfig,
    /// Which views of the examples are on disk at a time.
    #[serde(default)]
    pub keep: KeepTargets,
}

/// Which views of the examples have their soft targets on disk at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepTargets {
    /// All: computed once, before the first student, for all students and later runs.
    #[default]
    AllViews,
    /// That of the epoch: each student computes its own before each epoch, so that the store does not grow with the views.
    OneView,
}

/// What is kept of each distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LayoutConfig {
    /// `dense` up to 1 GiB, `sparse` with its defaults above; always `dense` for a loss that reads every class.
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
    /// Temperatures at which students may read the store, in addition to 1 and that of the config's own student.
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
    /// The layout of a store of `n_rows` rows for a student of this temperature. `needs_all_classes` says that its loss
    /// reads every probability, so that `auto` is dense.
    pub fn layout(&self, n_rows: usize, n_classes: usize, student: Temperature, needs_all_classes: bool) -> Layout {
        let sparse = |config: &SparseConfig| {
            Layout::sparse(config.k, n_classes, config.temperatures.iter().copied().chain([student]))
        };
        match &self.layout {
            LayoutConfig::Dense {} => Layout::Dense {},
            LayoutConfig::Sparse(config) => sparse(config),
            LayoutConfig::Auto {} => {
                let is_small = Layout::Dense {}.size_bytes(n_rows, n_classes) <= MAX_AUTO_DENSE_BYTES;
                if is_small || needs_all_classes { Layout::Dense {} } else { sparse(&SparseConfig::default()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::{check_values, in_words};

    #[test]
    fn large_stores_are_sparse_unless_the_config_says_otherwise() {
        const LARGE: usize = 1_000_000;
        let layout = |layout, n_rows, needs_all| {
            let three = Temperature::new(3.0).unwrap();
            SoftTargetsConfig { layout, ..SoftTargetsConfig::default() }.layout(n_rows, 1000, three, needs_all)
        };
        assert_eq!(layout(LayoutConfig::Auto {}, 1000, false), Layout::Dense {});
        let Layout::Sparse(sparse) = layout(LayoutConfig::Auto {}, LARGE, false) else { panic!() };
        let temperatures: Vec<f64> = sparse.temperatures.iter().map(|temperature| temperature.get()).collect();
        assert_eq!((sparse.k, temperatures), (64, vec![1.0, 2.0, 3.0, 4.0, 8.0]));
        assert_eq!(layout(LayoutConfig::Dense {}, LARGE, false), Layout::Dense {});
        let nine = SparseConfig { k: 9, ..SparseConfig::default() };
        assert!(matches!(layout(LayoutConfig::Sparse(nine), 10, false), Layout::Sparse(sparse) if sparse.k == 9));
        assert_eq!(layout(LayoutConfig::Auto {}, LARGE, true), Layout::Dense {});
    }

    #[test]
    fn values_out_of_range_are_named_by_their_keys() {
        let layout = LayoutConfig::Sparse(SparseConfig { k: 0, ..SparseConfig::default() });
        let found = in_words(&check_values(&SoftTargetsConfig { layout, ..SoftTargetsConfig::default() }));
        assert_eq!(found, "layout.k: must be at least 1, found 0");
    }
}
