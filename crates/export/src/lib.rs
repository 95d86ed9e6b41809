//! Models for other programs.
//!
//! [`graph`] turns a [`Model`](stillhouse_models::Model) into a list of about twenty operators with their weights. Every
//! export format is written from that graph, and none of them knows an architecture.
//!
//! **Absent on purpose:** training, data, and any change of what the model computes but the rounding of weights that the
//! caller asks for.

#![forbid(unsafe_code)]

mod error;
mod folder;
pub mod graph;
pub mod onnx;

pub use error::ExportError;
pub use folder::{OnnxOptions, OnnxSummary, check_place, write_onnx_folder};
