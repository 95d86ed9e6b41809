//! Soft targets: what the teachers say about every example that a student will see, kept on disk.
//!
//! A row is a distribution over all classes at `T = 1`; the student's loss softens it. It is stored whole
//! ([`Layout::Dense`]), or as its largest probabilities and the exact mass of the others at declared temperatures
//! ([`Layout::Sparse`]), which is what many classes need: 292 bytes instead of 60000 for 15000 of them. Rows are keyed
//! by example and view, never by the order of a batch: a target that meets the wrong image is the classic silent bug of
//! distillation. A file says of itself which classes, data, teachers and transform it belongs to, carries checksums, is
//! written by many threads and after interruptions, is mapped when it is read, and is a plain `safetensors` file besides.
//!
//! **Absent on purpose:** tensors and training; merging (see `stillhouse-ensemble`).

mod config;
mod error;
mod frame;
mod info;
mod layout;
mod mapping;
mod soft_targets;
mod soften;
mod sparse;
mod stats;
mod writer;

pub use config::{LayoutConfig, SoftTargetsConfig, SparseConfig};
pub use error::TargetsError;
pub use info::{TargetsInfo, TeacherInfo};
pub use layout::{Layout, SparseLayout};
pub use soft_targets::{SoftTargets, TargetBatch};
pub use soften::{entropy, soften};
pub use stats::{KeptMass, PERCENTILES, TargetsStats};
pub use writer::TargetsWriter;
