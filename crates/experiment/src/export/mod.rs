//! Models for other programs, as the command `export` and the end of a run write them.

pub(crate) mod calibration;
pub(crate) mod examples;
pub(crate) mod of_run;

use crate::config::{ALL_BITS, DEFAULT_BITS};
use crate::error::{ExperimentError, system_error};
use std::path::Path;
use stillhouse_export::ExportError;

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
