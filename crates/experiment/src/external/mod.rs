//! External teachers: networks that any program trained, known by their predictions in files.
//!
//! `config.rs` is what an experiment says of one, `file.rs` reads and checks its predictions row by row, `stored.rs` is the
//! stage that stores them as probabilities, and `teacher.rs` finds an example's there.

mod config;
mod file;
mod stored;
mod teacher;

pub use config::{Classes, ExternalTeacherConfig, Space};
pub(crate) use file::{ExternalTeacher, Predictions};
pub(crate) use stored::read_external_teachers;
pub(crate) use teacher::External;
