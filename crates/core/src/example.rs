//! Names of examples and of their augmented views.

use serde::{Deserialize, Serialize};

/// An example of the dataset, the same number in every split, order and run. Soft targets are keyed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExampleId(pub u64);

/// One augmented rendering of an example. View 0 of a run is as random as any other; the un-augmented example is
/// asked for by giving no view at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ViewId(pub u32);

/// What a teacher saw and a student must see: an example, augmented (`Some`) or as it is (`None`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExampleView {
    /// the example
    pub example: ExampleId,
    /// its augmented rendering, or none
    pub view: Option<ViewId>,
}
