//! External teachers: networks that any program trained, known by their predictions in files.
//!
//! | file | subject |
//! |---|---|
//! | `file.rs` | reads and checks the predictions row by row; `steps/external.rs` stores them |
//! | `space.rs` | probabilities, logarithms, logits: what is said and what it looks like |
//! | `fit.rs` | holds the predictions against the labels |
//! | `teacher.rs` | finds an example's prediction in the store |
//!
//! Files of predictions: what is read, refused and noted.
//!
//! | | |
//! |---|---|
//! | read | `.npy` and `.safetensors` by their content, also gzipped; f16, bf16 (safetensors), f32, f64, whole numbers; by rows and by columns; several tensors with `tensor` |
//! | refused | other containers, by name; NaN and infinity, with row and column; other sums than 1 and other spaces than `space`, with what they look like |
//! | noted | rows that rounding keeps from 1, divided by their sums; probabilities called logits; rows and columns in another order than the labels |

mod file;
mod fit;
mod space;
mod teacher;

pub(crate) use file::{ExternalTeacher, Predictions, Told};
pub(crate) use fit::{Answers, Misfit, MisfitKind, Order};
pub(crate) use teacher::External;
