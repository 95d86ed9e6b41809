//! Models for other programs, as the command `export` and the end of a run write them.

pub(crate) mod calibration;
pub(crate) mod examples;
pub(crate) mod of_run;

use crate::config::{ALL_BITS, BITS_OF_TABLES, DEFAULT_BITS};
use crate::error::{ExperimentError, system_error};
use std::path::Path;
use stillhouse_export::ExportError;
use stillhouse_export::onnx::TableBits;

/// The tables of an ONNX folder's second network for a chosen number of bits; none without such a network.
pub(crate) fn table_bits(chosen: Option<u8>) -> Option<TableBits> {
    match chosen {
        Some(BITS_OF_TABLES) => Some(TableBits::Four),
        Some(DEFAULT_BITS) => Some(TableBits::Eight),
        _ => None,
    }
}

/// Bits at most for pages and C source; none for weights as the model has them.
pub(crate) fn most_bits(chosen: Option<u8>) -> Option<u8> {
    Some(chosen.unwrap_or(DEFAULT_BITS)).filter(|bits| *bits != ALL_BITS)
}

/// The place is wrong usage, what the system says is told by its kind, and anything else is a failure.
pub(crate) fn export_error(out: &Path, error: ExportError) -> ExperimentError {
    match error {
        ExportError::Occupied { .. } => ExperimentError::Usage(error.to_string()),
        ExportError::Io { path, source } => system_error(&path, "cannot be written", &source),
        error => ExperimentError::Failed(anyhow::anyhow!("{}: {error}", out.display())),
    }
}
