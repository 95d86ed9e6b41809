//! Reports: what a run measured, for programs (`report.json`), for people (`report.md`, `report.html`, a summary in the
//! terminal) and over many runs ([`sweep`]).
//!
//! [`contract`] is `report.json`, [`role`] names its models, [`statistics`] makes its verdicts. `tables.rs` has every
//! table of a run and `figures.rs` every figure; `document_of_run.rs` puts them into the sections of a document, and each output
//! lays out that document: `html.rs`, `markdown.rs`, `terminal.rs`, `csv.rs`.
//!
//! Data in, text out: nothing here reads or writes files, and nothing recomputes a measurement.
//!
//! **Absent on purpose:** references to other files or to the network in the HTML, and scripts. A page can be mailed,
//! archived and printed, and reads the same in ten years.

#![forbid(unsafe_code)]

mod chart;
mod class_tables;
mod classes;
pub mod contract;
pub mod csv;
mod curves;
mod document;
mod document_of_run;
mod example;
mod figures;
mod findings;
#[cfg(test)]
mod fixture;
pub mod format;
mod html;
mod markdown;
pub mod multiple_tests;
mod next_steps;
mod numbers;
mod page;
mod picture;
mod png_text;
mod preview;
pub mod role;
mod samples;
pub mod statistics;
pub mod sweep;
mod table;
mod tables;
mod terminal;
mod text;

pub use classes::{ClassComparison, ClassDifference, ClassReport, ClassScores, ConfusedPair};
pub use contract::{
    CalibrationReport, ClusterReport, ConditionalReport, CoverageRow, DatasetReport, DustbinReport, ExportReport,
    FORMAT_VERSION, ModelReport, N_LISTED_CLASSES, OutOfScopeReport, OutOfScopeRow, PortfolioPoint, ReliabilityBin,
    Report, ReportError, ShipAttempt, ShipReport, ShipWay, ThresholdRow,
};
pub use findings::{headline, supporting_sentences, warnings};
pub use format::counted;
pub use next_steps::{TrainingLength, few_steps, next_steps};
pub use page::{Curve, EpochPoint, Gallery, ReportPage, SoftTargetRow, SoftTargetSample, Tile};
pub use preview::{PreviewClass, PreviewExample, preview_page};
pub use text::{shortened, without_middle};

/// `report.html`. A [`ReportPage`] of any content makes a page; parts that it lacks are left out.
pub fn html_page(page: &ReportPage<'_>) -> String {
    html::render(document_of_run::document(page))
}

/// `report.md`.
pub fn markdown(report: &Report) -> String {
    markdown::render(&document_of_run::document(&ReportPage::of(report)))
}

/// A short summary for the terminal.
pub fn terminal_summary(report: &Report) -> String {
    terminal::render(&document_of_run::document(&ReportPage::of(report)))
}

#[cfg(test)]
mod tests;
