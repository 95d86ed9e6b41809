//! Features: rows of numbers, for example embeddings made elsewhere, batched as `[B, F]`.
//!
//! | file | subject |
//! |---|---|
//! | `array.rs` | the one way by which `.npy` and safetensors files are opened: for features, labels and predictions |
//! | `head.rs`, `npy.rs`, `tensors.rs`, `element.rs` | the start of a file; headers of the two formats; types of numbers |
//! | `matrix_rows.rs` | matrices too large for memory |
//! | `matrix.rs`, `columns.rs` | matrices in memory, and what narrowing to f32 would lose; labels |
//! | `examples.rs` | the modality |
//! | `given.rs` | rows of numbers that a model is to predict |

mod array;
mod columns;
mod element;
mod examples;
mod given;
mod head;
mod matrix;
mod matrix_rows;
mod npy;
mod tensors;

pub(crate) use examples::FeatureExamples;
pub(crate) use given::{given_features, given_matrix};
pub use matrix::read_class_numbers;
pub(crate) use matrix::{Matrix, read_labels, read_matrix, read_n_features};
pub use matrix_rows::{MatrixRows, MatrixWriter};
pub use npy::head as npy_head;
