//! The description that a file of soft targets carries: layout, dataset, teachers, classes.
//!
//! C classes.

use crate::layout::Layout;
use serde::{Deserialize, Serialize};

/// A model that the targets come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeacherInfo {
    /// Its name in the experiment, for example `generalist` or `specialist_3`.
    pub name: String,
    /// Fingerprint of all that its predictions depend on.
    pub fingerprint: String,
}

/// Where soft targets come from and what they are for. The stored distributions are at `T = 1`: the student's loss
/// softens them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetsInfo {
    /// What is kept of a row.
    pub layout: Layout,
    /// Fingerprint of the dataset that the examples belong to.
    pub dataset: String,
    /// The teachers whose predictions were merged.
    pub teachers: Vec<TeacherInfo>,
    /// How teachers saw an example: the augmentation of the views, in words or as its config.
    pub transform: String,
    /// Names of the classes, in the order of a row.
    pub labels: Vec<String>,
}

impl TargetsInfo {
    /// Number of classes, `C`.
    pub fn n_classes(&self) -> usize {
        self.labels.len()
    }
}
