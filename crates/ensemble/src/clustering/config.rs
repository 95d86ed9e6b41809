//! The `[clustering]` section of a config.

use crate::affinity::AffinityKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which classes each specialist is to learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusteringConfig {
    /// How confusion between two classes is measured, on held-out predictions of the generalist.
    #[serde(default)]
    pub affinity: AffinityKind,
    /// How classes are grouped.
    pub method: ClusteringMethod,
    /// Most classes in one cluster; without it a cluster may hold all classes but one.
    #[serde(default)]
    pub max_classes: Option<usize>,
    /// In how many clusters every class must be, at least; above 1 the clusters overlap.
    #[serde(default = "default_coverage")]
    pub coverage: usize,
}

fn default_coverage() -> usize {
    1
}

/// The clustering methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClusteringMethod {
    /// K-means on the columns of the affinity (the paper's).
    KMeans(KMeansConfig),
    /// Sets drawn at random: the control that tells whether confusable clusters matter.
    Random(RandomConfig),
    /// Superclasses from a file.
    Hierarchy(HierarchyConfig),
}

/// Settings of K-means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KMeansConfig {
    /// Number of clusters asked for; a cluster of one class is merged into another, so there may be fewer.
    pub n_clusters: usize,
}

/// Settings of random sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomConfig {
    /// Number of sets.
    pub n_clusters: usize,
}

/// Settings of a hierarchy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HierarchyConfig {
    /// Text file, one `class<TAB>superclass` a line.
    pub path: PathBuf,
}

impl ClusteringConfig {
    /// What is wrong with the values whatever the dataset, one sentence each; empty when nothing is.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.coverage == 0 {
            problems.push("coverage must be at least 1, found 0".into());
        }
        if let Some(max_classes @ 0..=1) = self.max_classes {
            problems.push(format!("max_classes must be at least 2, found {max_classes}"));
        }
        match self.n_clusters() {
            Some(0) => problems.push("method.n_clusters must be at least 1, found 0".into()),
            Some(n_clusters) if n_clusters < self.coverage => problems.push(format!(
                "coverage must not exceed method.n_clusters, found {} above {n_clusters}",
                self.coverage
            )),
            _ => {}
        }
        problems
    }

    /// The number of clusters asked for, where the method has one.
    pub fn n_clusters(&self) -> Option<usize> {
        match &self.method {
            ClusteringMethod::KMeans(KMeansConfig { n_clusters }) => Some(*n_clusters),
            ClusteringMethod::Random(RandomConfig { n_clusters }) => Some(*n_clusters),
            ClusteringMethod::Hierarchy(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_names() {
        let config: ClusteringConfig =
            serde_json::from_str(r#"{"method": {"kind": "k_means", "n_clusters": 8}}"#).unwrap();
        assert_eq!(config.affinity, AffinityKind::PredictionCovariance);
        assert_eq!((config.coverage, config.max_classes, config.n_clusters()), (1, None, Some(8)));
        assert!(config.validate().is_empty());
    }

    #[test]
    fn unknown_keys_are_refused() {
        for bad in [
            r#"{"method": {"kind": "k_means", "n_clusters": 8, "k": 1}}"#,
            r#"{"method": {"kind": "kmeans", "n_clusters": 8}}"#,
            r#"{"method": {"kind": "random", "n_clusters": 8}, "coverages": 2}"#,
            r#"{"method": {"kind": "hierarchy"}}"#,
        ] {
            assert!(serde_json::from_str::<ClusteringConfig>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_bad_value_is_named() {
        let config = |text| serde_json::from_str::<ClusteringConfig>(text).unwrap().validate();
        let found = config(r#"{"method": {"kind": "random", "n_clusters": 0}, "coverage": 0, "max_classes": 1}"#);
        assert_eq!(found.len(), 3, "{found:?}");
        let found = config(r#"{"method": {"kind": "random", "n_clusters": 2}, "coverage": 3}"#);
        assert_eq!(found, ["coverage must not exceed method.n_clusters, found 3 above 2"]);
    }
}
