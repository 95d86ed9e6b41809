//! Models for other programs.
//!
//! [`graph`] turns a [`Model`](stillhouse_models::Model) into a list of about twenty operators with their weights. Every
//! export format is written from that graph, and none of them knows an architecture. [`packed`] finds the codes of rounded
//! weights. [`write_page_folder`] writes a page and [`write_c_folder`] C source; both bring their own interpreter of the graph.
//!
//! **Absent on purpose:** training, data, and any change of what the model computes but the rounding of weights that the
//! caller asks for.

#![forbid(unsafe_code)]

mod c;
mod error;
mod folder;
pub mod graph;
mod html;
pub mod onnx;
pub mod packed;
mod place;
mod samples;

pub use c::write_c_folder;
pub use error::ExportError;
pub use folder::{OnnxOptions, OnnxSummary, write_onnx_folder};
pub use html::{PageExample, PageOptions, page, write_page_folder};
pub use place::{ExportKind, check_place};
