//! Names of examples and of their augmented views.

use serde::{Deserialize, Serialize};

/// An example of the dataset, the same number in every split, order and run. Soft targets are keyed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExampleId(pub u64);

/// One augmented rendering of an example. View 0 is as random as any other; the un-augmented example has no view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ViewId(pub u32);

/// The key of a soft target: an example, augmented (`Some`) or as it is (`None`). Teacher and student must see the same
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExampleView {
    /// the example
    pub example: ExampleId,
    /// its augmented rendering, or none
    pub view: Option<ViewId>,
}
