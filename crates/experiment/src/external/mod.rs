//! External teachers: networks that any program trained, known by their predictions in files.
//!
//! `config.rs` is what an experiment says of one, `file.rs` reads and checks its predictions row by row, and
//! `teacher.rs` finds an example's prediction among those that `stages/external.rs` stored.

mod config;
mod file;
mod teacher;

pub use config::{Classes, ExternalTeacherConfig, Space};
pub(crate) use file::{ExternalTeacher, Predictions};
pub(crate) use teacher::External;
