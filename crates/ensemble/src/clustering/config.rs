//! The `[clustering]` section of a config.

use super::constraints::Limits;
use crate::affinity::AffinityKind;
use crate::error::EnsembleError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use stillhouse_core::{Problem, check_values};

/// Which classes each specialist is to learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusteringConfig {
    /// How confusion between two classes is measured, on held-out predictions of the generalist.
    #[serde(default)]
    pub affinity: AffinityKind,
    /// Which predictions the confusion is read from: of examples that the predicting network was not trained on.
    #[serde(default, skip_serializing_if = "HeldOutPredictions::is_validation")]
    #[schemars(extend("default" = { "kind": "validation" }))]
    pub predictions: HeldOutPredictions,
    /// How classes are grouped.
    pub method: ClusteringMethod,
    /// Most classes in one cluster. Without it a cluster of a partition may hold all classes but one, and one of
    /// overlapping clusters (`coverage` above 1) twice an even share.
    #[serde(default)]
    #[schemars(range(min = 2))]
    #[schemars(extend("examples" = [20]))]
    pub max_classes: Option<usize>,
    /// In how many clusters every class must be, at least; above 1 the clusters overlap.
    #[serde(default = "default_coverage")]
    #[schemars(range(min = 1))]
    pub coverage: usize,
}

/// Predictions of examples that the predicting network was not trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeldOutPredictions {
    /// Of the validation split.
    #[default]
    Validation,
    /// Of the whole training split, each part of it by a network that was trained on the others: many more examples for
    /// the price of further trainings.
    OutOfFold(Folds),
}

/// Settings of [`HeldOutPredictions::OutOfFold`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Folds {
    /// Parts of the training split, from 2, and networks that are trained.
    #[schemars(range(min = 2, max = MAX_FOLDS))]
    pub n_folds: usize,
}

/// Most classes of which all eigenvectors are found in minutes and in 2 GiB.
const MAX_SPECTRAL: usize = 4000;
/// A typing error beyond this: each fold is a whole training.
const MAX_FOLDS: usize = 1000;

impl HeldOutPredictions {
    fn is_validation(&self) -> bool {
        *self == Self::Validation
    }
}

fn default_coverage() -> usize {
    1
}

/// The clustering methods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClusteringMethod {
    /// K-means on the columns of the affinity (the paper's).
    KMeans(ClusterCount),
    /// The same in one pass over the predictions, without a matrix of all pairs: for many thousands of classes.
    OnlineKMeans(ClusterCount),
    /// K-means on the first eigenvectors of the normalised Laplacian.
    Spectral(ClusterCount),
    /// Clusters grown from the most confused pairs, which may overlap (Arnold 2016).
    GreedyPairs(ClusterCount),
    /// Agglomerative clustering: the two most affine clusters are joined until enough are left (average linkage).
    Agglomerative(ClusterCount),
    /// Sets drawn at random: the control experiment for clusters of confusable classes.
    Random(ClusterCount),
    /// Superclasses from a file.
    Hierarchy(HierarchyConfig),
}

/// How many clusters a method makes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterCount {
    /// Number of clusters; a cluster of one class is merged into another, so there may be fewer. Without it,
    /// as many as `max_classes` and `coverage` make necessary.
    #[serde(default)]
    #[schemars(range(min = 1))]
    #[schemars(extend("examples" = [8]))]
    pub n_clusters: Option<usize>,
}

/// Settings of a hierarchy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HierarchyConfig {
    /// Text file, one `class<TAB>superclass` a line.
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
}

impl ClusteringConfig {
    /// What is wrong with the values, whatever the dataset.
    pub fn validate(&self) -> Vec<Problem> {
        let contradiction = self.method.count().and_then(|count| match count.n_clusters {
            Some(n_clusters @ 1..) if n_clusters < self.coverage => {
                let text = format!("must not exceed method.n_clusters, found {} above {n_clusters}", self.coverage);
                Some(Problem::new("coverage", text))
            }
            None if self.max_classes.is_none() => {
                Some(Problem::new("method.n_clusters", "missing; set it, or max_classes"))
            }
            _ => None,
        });
        check_values(self).into_iter().chain(contradiction).collect()
    }

    /// Whether so many classes can be clustered in this way, as far as the numbers tell before there is an affinity.
    ///
    /// # Errors
    /// Too few or too many classes, more clusters than classes, clusters that cannot hold every class often enough.
    pub fn check(&self, n_classes: usize) -> Result<(), EnsembleError> {
        let limits = Limits::new(n_classes, self)?;
        if matches!(self.method, ClusteringMethod::Spectral(_)) && n_classes > MAX_SPECTRAL {
            let message = format!(
                "spectral needs a matrix of all pairs of classes, possible up to {MAX_SPECTRAL} classes, found {n_classes}\n\
                 hint: method \"online_k_means\" needs none"
            );
            return Err(EnsembleError::of_key("method.kind", message));
        }
        // no method makes more clusters than configured
        match self.n_clusters(n_classes) {
            Some(n_clusters) if !limits.allow(n_clusters) => Err(limits.no_room(n_clusters)),
            _ => Ok(()),
        }
    }

    /// The number of clusters that the method is to make of so many classes; none where it has no number.
    pub fn n_clusters(&self, n_classes: usize) -> Option<usize> {
        let count = self.method.count()?;
        let needed = |max_classes: usize| {
            n_classes.saturating_mul(self.coverage).div_ceil(max_classes.max(1)).max(self.coverage)
        };
        count.n_clusters.or_else(|| self.max_classes.map(needed))
    }
}

impl ClusteringMethod {
    fn count(&self) -> Option<&ClusterCount> {
        match self {
            Self::KMeans(count)
            | Self::OnlineKMeans(count)
            | Self::Spectral(count)
            | Self::GreedyPairs(count)
            | Self::Agglomerative(count)
            | Self::Random(count) => Some(count),
            Self::Hierarchy(_) => None,
        }
    }

    /// Whether another seed may give other clusters.
    pub fn is_seeded(&self) -> bool {
        !matches!(self, Self::GreedyPairs(_) | Self::Agglomerative(_) | Self::Hierarchy(_))
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
        assert_eq!((config.coverage, config.max_classes, config.n_clusters(40)), (1, None, Some(8)));
        assert!(config.validate().is_empty());
    }

    #[test]
    fn the_number_of_clusters_follows_from_their_size() {
        let config = |text| serde_json::from_str::<ClusteringConfig>(text).unwrap();
        let sized = config(r#"{"method": {"kind": "spectral"}, "max_classes": 8, "coverage": 3}"#);
        assert_eq!((sized.n_clusters(40), sized.validate()), (Some(15), vec![]));
        assert_eq!(config(r#"{"method": {"kind": "greedy_pairs"}}"#).validate().len(), 1);
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
    fn what_the_number_of_classes_forbids_is_known_by_its_key() {
        let key = |text: &str, n_classes| {
            let config: ClusteringConfig = serde_json::from_str(text).unwrap();
            config.check(n_classes).err().map(|error| error.key())
        };
        let eight = r#"{"method": {"kind": "k_means", "n_clusters": 8}}"#;
        assert_eq!((key(eight, 8), key(eight, 7)), (None, Some("method.n_clusters")));
        assert_eq!(key(r#"{"method": {"kind": "hierarchy", "path": "x"}}"#, 2), Some(""));
        let narrow = r#"{"method": {"kind": "random", "n_clusters": 4}, "max_classes": 5}"#;
        assert_eq!((key(narrow, 20), key(narrow, 21)), (None, Some("max_classes")));
        assert_eq!(key(r#"{"method": {"kind": "random", "n_clusters": 1}}"#, 9), Some("method.n_clusters"));
        assert_eq!(key(r#"{"method": {"kind": "spectral", "n_clusters": 9}}"#, 5000), Some("method.kind"));
    }

    #[test]
    fn every_bad_value_is_named() {
        let config = |text| serde_json::from_str::<ClusteringConfig>(text).unwrap().validate();
        let found = config(r#"{"method": {"kind": "random", "n_clusters": 0}, "coverage": 0, "max_classes": 1}"#);
        assert_eq!(found.len(), 3, "{found:?}");
        let found = config(r#"{"method": {"kind": "random", "n_clusters": 2}, "coverage": 3}"#);
        let expected = Problem::new("coverage", "must not exceed method.n_clusters, found 3 above 2");
        assert_eq!(found, [expected]);
    }
}
