//! Models for other programs.
//!
//! [`graph`] turns a [`Model`](stillhouse_models::Model) into a list of about twenty operators with their weights. Every
//! export format is written from that graph, and none of them knows an architecture. [`packed`] rounds the weights of a graph
//! to few bits. [`export_html`] writes a page and [`export_c`] C source; both bring their own interpreter of the graph.
//!
//! **Absent on purpose:** training, data, and any change of what the model computes but the rounding of weights that the
//! caller asks for.

#![forbid(unsafe_code)]

mod c;
mod error;
pub mod graph;
mod html;
pub mod packed;
mod place;
mod samples;

pub use c::export_c;
pub use error::ExportError;
pub use html::{HtmlOptions, PageExample, export_html, page};
pub use packed::Bits;
