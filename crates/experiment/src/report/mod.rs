//! Reports: what a run measured, for programs (`report.json`), for people (`report.md`, `report.html`, a summary in the
//! terminal) and over many runs ([`sweep`]).
//!
//! Data in, text out: nothing here reads or writes files, and nothing recomputes a measurement.
//!
//! **Absent on purpose:** references to other files or to the network in the HTML, and scripts. A page can be mailed,
//! archived and printed, and reads the same in ten years.

pub mod contract;
mod findings;
mod finite;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod format;
mod html;
mod markdown;
mod names;
mod next_steps;
mod page;
mod svg;
pub mod sweep;
mod terminal;
mod text;

pub use contract::{
    ClusterReport, ConditionalReport, CoverageRow, DatasetReport, DustbinReport, FORMAT_VERSION, ModelReport,
    OutOfScopeReport, OutOfScopeRow, PortfolioPoint, Report, ReportError,
};
pub use findings::{headline, supporting_sentences, warnings};
pub(crate) use format::counted;
pub use html::html_page;
pub(crate) use html::{Picture, picture, render, style_sheet};
pub use markdown::markdown;
pub use next_steps::{TrainingLength, few_steps, next_steps};
pub use page::{Curve, EpochPoint, Gallery, ReportPage, SoftTargetRow, SoftTargetSample, Tile};
pub use terminal::terminal_summary;
pub(crate) use text::shortened;

#[cfg(test)]
mod tests;
