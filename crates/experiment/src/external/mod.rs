//! External teachers: networks that any program trained, known by their predictions in files.
//!
//! `file.rs` reads and checks the predictions row by row; `steps/external.rs` stores them; `teacher.rs` finds an example's
//! prediction in the store.

mod file;
mod teacher;

pub(crate) use file::{ExternalTeacher, Predictions};
pub(crate) use teacher::External;
