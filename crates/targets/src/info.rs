//! What soft targets say of themselves.

use serde::{Deserialize, Serialize};
use stillhouse_core::Temperature;

/// A model that the targets come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeacherInfo {
    /// Its name in the experiment, for example `generalist` or `specialist_3`.
    pub name: String,
    /// Fingerprint of its weights.
    pub fingerprint: String,
}

/// Where soft targets come from and what they are for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetsInfo {
    /// Names of the classes, in the order of a row.
    pub labels: Vec<String>,
    /// Fingerprint of the dataset that the examples belong to.
    pub dataset: String,
    /// The teachers whose predictions were merged.
    pub teachers: Vec<TeacherInfo>,
    /// How teachers saw an example: the augmentation of the views, in words or as its config.
    pub transform: String,
    /// Temperature of the stored distributions; 1 for merged targets, which the student's loss softens.
    pub temperature: Temperature,
}

impl TargetsInfo {
    /// Number of classes, `C`.
    pub fn n_classes(&self) -> usize {
        self.labels.len()
    }
}
