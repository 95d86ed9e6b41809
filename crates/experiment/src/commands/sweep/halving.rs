//! Successive halving: which cells go on after a share of their student's epochs.

use super::SweepCellSpec;
use super::folder::{DroppedCell, SweepRecord};
use crate::config::AxisValue;
use crate::error::Result;
use crate::files::read_json;
use crate::observer::{RunEvent, epochs_of_share};
use crate::report::Report;
use crate::report::sweep::validation_of;
use crate::role::Role;
use crate::run_dir::REPORT;
use crate::run_log::METRICS;
use std::path::Path;

/// The axis over which is averaged.
const SEED: &str = "seed";

/// The validation accuracy of a cell's student after a share of its epochs, with these and all of its epochs. A student that was
/// found trained has the accuracy of the finished run. None for a cell that has not come so far.
fn score(cell: &SweepCellSpec, sweep_dir: &Path, share: f64) -> Result<Option<DroppedCell>> {
    let run_dir = cell.run_dir(sweep_dir);
    let log = std::fs::read_to_string(run_dir.join(METRICS)).unwrap_or_default();
    let student = Role::Student.name();
    for event in log.lines().filter_map(|line| serde_json::from_str::<RunEvent>(line).ok()) {
        if let RunEvent::Epoch { stage, n_epochs, record } = event
            && stage == student
            && record.epoch == epochs_of_share(share, n_epochs)
            && let Some(valid_top1) = record.valid_top1
        {
            return Ok(Some(DroppedCell { n_epochs_done: record.epoch, n_epochs, valid_top1 }));
        }
    }
    if !cell.is_finished(sweep_dir) {
        return Ok(None);
    }
    let report: Report = read_json(&run_dir.join(REPORT))?;
    Ok(validation_of(&report).map(|(_, valid_top1)| DroppedCell { n_epochs_done: 0, n_epochs: 0, valid_top1 }))
}

/// A setting, and the scores of its cells by their names.
type Scored = (Vec<AxisValue>, Vec<(String, DroppedCell)>);

/// The cells that still take part and have not come so far.
///
/// # Errors
/// A report that cannot be read.
pub fn cells_without_score(record: &SweepRecord, sweep_dir: &Path, share: f64) -> Result<Vec<SweepCellSpec>> {
    let mut cells = Vec::new();
    for cell in record.cells.iter().filter(|cell| !record.dropped.contains_key(&cell.name)) {
        if score(cell, sweep_dir, share)?.is_none() {
            cells.push(cell.clone());
        }
    }
    Ok(cells)
}

/// Keeps one setting of `factor`, at least one, by the mean validation accuracy of its seeds, and notes the cells of the others.
/// Settings without a score, whose cells failed, are passed over.
///
/// # Errors
/// A report that cannot be read.
pub fn drop_the_worst(record: &mut SweepRecord, sweep_dir: &Path, share: f64, factor: usize) -> Result<()> {
    let mut settings: Vec<Scored> = Vec::new();
    for cell in record.cells.iter().filter(|cell| !record.dropped.contains_key(&cell.name)) {
        let Some(score) = score(cell, sweep_dir, share)? else { continue };
        let axes: Vec<AxisValue> = cell.axes.iter().filter(|(key, _)| key != SEED).cloned().collect();
        let scored = (cell.name.clone(), score);
        match settings.iter_mut().find(|(known, _)| *known == axes) {
            Some((_, cells)) => cells.push(scored),
            None => settings.push((axes, vec![scored])),
        }
    }
    let mean = |cells: &[(String, DroppedCell)]| {
        cells.iter().map(|(_, score)| score.valid_top1).sum::<f64>() / cells.len() as f64
    };
    // the first of equal ones goes on
    settings.sort_by(|(_, a), (_, b)| mean(b).total_cmp(&mean(a)));
    let n_kept = settings.len().div_ceil(factor);
    record.dropped.extend(settings.into_iter().skip(n_kept).flat_map(|(_, cells)| cells));
    Ok(())
}
