//! Soft targets: the teachers' distribution for every example that a student is trained on, stored on disk.
//!
//! A row is a distribution over all classes at `T = 1`; the student's loss softens it. It is stored whole
//! ([`Layout::Dense`]), or as its largest probabilities and the exact mass of the others at declared temperatures
//! ([`Layout::Sparse`]), which is what many classes need: 292 bytes instead of 60000 for 15000 of them. Rows are keyed
//! by example and view, never by the order of a batch: targets of other images are the classic silent bug of
//! distillation. A file is a plain `safetensors` file that describes its classes, data, teachers and transform, and
//! carries checksums. It can be written by many threads and resumed after an interruption, and it is mapped when it is
//! read.
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

pub use config::{KeepTargets, LayoutConfig, SoftTargetsConfig, SparseConfig};
pub use error::TargetsError;
pub use info::{TargetsInfo, TeacherInfo};
pub use layout::{Layout, SparseLayout};
pub use soft_targets::{SoftTargets, TargetBatch};
pub use soften::{entropy, soften};
pub use stats::{KeptMass, PERCENTILES, TargetsStats};
pub use writer::TargetsWriter;
