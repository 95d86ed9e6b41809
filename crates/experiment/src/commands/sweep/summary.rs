//! The reports of a sweep's cells, put together.

use super::SweepCellSpec;
use super::folder::{DroppedCell, SUMMARIES, SweepRecord};
use crate::error::Result;
use crate::files::{read_json, write_whole};
use crate::report::Report;
use crate::report::format::percent;
use crate::report::sweep::{SweepCell, summary_csv, sweep_html, sweep_markdown, sweep_terminal};
use crate::run_dir::REPORT;
use std::fmt;
use std::path::Path;

/// Reads the cells' reports below `<sweep_dir>/cells/` and writes `summary.csv`, `sweep.md` and `sweep.html`; returns
/// a summary for the terminal. Cells without a report are in it with the reason.
///
/// # Errors
/// A summary that cannot be written.
pub fn collect_sweep(record: &SweepRecord, sweep_dir: &Path) -> Result<String> {
    let outcome = |cell: &SweepCellSpec| -> std::result::Result<Report, String> {
        if let Some(message) = record.failures.get(&cell.name) {
            return Err(message.clone());
        }
        if let Some(dropped) = record.dropped.get(&cell.name) {
            return Err(dropped.to_string());
        }
        match cell.is_finished(sweep_dir) {
            true => read_json(&cell.run_dir(sweep_dir).join(REPORT)).map_err(|error| error.to_string()),
            false => Err("not finished yet".into()),
        }
    };
    let cell_of = |cell: &SweepCellSpec| SweepCell {
        axes: cell.axes.clone(),
        outcome: outcome(cell),
        is_dropped: record.dropped.contains_key(&cell.name),
    };
    let cells: Vec<SweepCell> = record.cells.iter().map(cell_of).collect();
    let texts = [summary_csv(&cells), sweep_markdown(&record.name, &cells), sweep_html(&record.name, &cells)];
    for (name, text) in SUMMARIES.iter().zip(texts) {
        write_whole(&sweep_dir.join(name), text.as_bytes())?;
    }
    Ok(sweep_terminal(&cells))
}

impl fmt::Display for DroppedCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_epochs_done, n_epochs, valid_top1 } = self;
        match n_epochs {
            0 => write!(f, "dropped; its student was found trained, ")?,
            _ => write!(f, "dropped after {n_epochs_done} of {n_epochs} epochs, ")?,
        }
        write!(f, "validation top-1 {} %", percent(*valid_top1))
    }
}

/// Writes the summaries of a sweep's folder anew; returns the one for the terminal.
///
/// # Errors
/// A folder without a sweep; a summary that cannot be written.
pub fn render_sweep(sweep_dir: &Path) -> Result<String> {
    collect_sweep(&SweepRecord::read(sweep_dir)?, sweep_dir)
}
