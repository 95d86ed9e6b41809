//! Features: rows of numbers, for example embeddings made elsewhere, batched as `[B, F]`.
//!
//! | file | subject |
//! |---|---|
//! | `matrix.rs` | matrices and labels in `.npy` and safetensors files |
//! | `matrix_rows.rs` | matrices too large for memory |
//! | `examples.rs` | the modality |
//! | `given.rs` | a row of numbers that a model is to predict |

mod examples;
mod given;
mod matrix;
mod matrix_rows;

pub(crate) use examples::FeatureExamples;
pub(crate) use given::given_features;
pub(crate) use matrix::{read_labels, read_matrix, read_n_features};
pub use matrix_rows::{MatrixRows, MatrixWriter};
