//! Soft targets: what the teachers say about every example that a student will see, kept on disk.
//!
//! A row is a distribution over all classes at the declared temperature (1 for merged targets; the student's loss
//! softens it, see [`soften`]). Rows are keyed by example and view, never by the order of a batch: a target that meets
//! the wrong image is the classic silent bug of distillation. A file says of itself which classes, data, teachers,
//! transform and temperature it belongs to, carries a checksum, and is a plain `safetensors` file besides.
//!
//! **Absent on purpose:** tensors and training; merging (see `stillhouse-ensemble`); a lossy format. Dense rows in
//! single precision keep the tail of a distribution exactly, which is what temperatures above 1 bring out.

mod error;
mod file;
mod info;
mod soft_targets;
mod soften;
mod writer;

pub use error::TargetsError;
pub use info::{TargetsInfo, TeacherInfo};
pub use soft_targets::{SoftTargets, size_bytes};
pub use soften::{entropy, soften};
pub use writer::SoftTargetsBuilder;
