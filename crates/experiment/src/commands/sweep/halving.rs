//! Successive halving: which cells go on after a share of their student's epochs.

use super::SweepCellSpec;
use super::folder::{DroppedCell, SweepRecord};
use crate::config::AxisValue;
use crate::error::{ExperimentError, Result};
use crate::files::read_json;
use crate::observer::{RunEvent, epochs_of_share};
use crate::report::Report;
use crate::report::sweep::validation_of;
use crate::role::Role;
use crate::run_dir::{CONFIG, REPORT};
use crate::run_log::METRICS;
use std::path::{Path, PathBuf};

/// The axis over which is averaged.
const SEED: &str = "seed";

/// The validation accuracy of a cell's student after a share of its epochs, with these and all of its epochs. Cells that train the
/// same share their students, so it may be in the log of another one. A student that was found trained has the accuracy of the
/// finished run. None for a cell that has not come so far.
fn score(cell: &SweepCellSpec, record: &SweepRecord, sweep_dir: &Path, share: f64) -> Result<Option<DroppedCell>> {
    let run_dir = cell.run_dir(sweep_dir);
    let own = epochs_in_log(&run_dir);
    let exact = |epochs: &[DroppedCell]| epochs.iter().copied().find(|epoch| epoch.is_after(share));
    if let Some(score) = exact(&own) {
        return Ok(Some(score));
    }
    let trained = trained_tables(&run_dir);
    let others = record.cells.iter().filter(|other| other.name != cell.name).map(|other| other.run_dir(sweep_dir));
    let of_same = |other: &PathBuf| trained.is_some() && trained_tables(other) == trained;
    if let Some(score) = others.filter(of_same).find_map(|other| exact(&epochs_in_log(&other))) {
        return Ok(Some(score));
    }
    if !cell.is_finished(sweep_dir) {
        return Ok(None);
    }
    let report: Report = read_json(&run_dir.join(REPORT))?;
    Ok(validation_of(&report).map(|(_, valid_top1)| DroppedCell { n_epochs_done: 0, n_epochs: 0, valid_top1 }))
}

/// Each epoch of the student that a run logged.
fn epochs_in_log(run_dir: &Path) -> Vec<DroppedCell> {
    let log = std::fs::read_to_string(run_dir.join(METRICS)).unwrap_or_default();
    let student = Role::Student.name();
    let epoch = |line: &str| match serde_json::from_str::<RunEvent>(line) {
        Ok(RunEvent::Epoch { stage, n_epochs, record }) if stage == student => {
            Some(DroppedCell { n_epochs_done: record.epoch, n_epochs, valid_top1: record.valid_top1? })
        }
        _ => None,
    };
    log.lines().filter_map(epoch).collect()
}

/// The resolved config of a run without its name and what no training depends on.
fn trained_tables(run_dir: &Path) -> Option<toml::Table> {
    let mut table: toml::Table = std::fs::read_to_string(run_dir.join(CONFIG)).ok()?.parse().ok()?;
    for key in ["name", "evaluation", "export", "ship", "card"] {
        table.remove(key);
    }
    Some(table)
}

impl DroppedCell {
    fn is_after(&self, share: f64) -> bool {
        self.n_epochs_done == epochs_of_share(share, self.n_epochs)
    }
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
        if score(cell, record, sweep_dir, share)?.is_none() {
            cells.push(cell.clone());
        }
    }
    Ok(cells)
}

/// Keeps one setting of `factor`, at least one, by the mean validation accuracy of its seeds, and notes the cells of the others.
/// Settings without a score, whose cells failed, are passed over.
///
/// # Errors
/// A report that cannot be read; data without a validation split.
pub fn drop_the_worst(record: &mut SweepRecord, sweep_dir: &Path, share: f64, factor: usize) -> Result<()> {
    let mut settings: Vec<Scored> = Vec::new();
    for cell in record.cells.iter().filter(|cell| !record.dropped.contains_key(&cell.name)) {
        let Some(score) = score(cell, record, sweep_dir, share)? else { continue };
        let axes: Vec<AxisValue> = cell.axes.iter().filter(|(key, _)| key != SEED).cloned().collect();
        let scored = (cell.name.clone(), score);
        match settings.iter_mut().find(|(known, _)| *known == axes) {
            Some((_, cells)) => cells.push(scored),
            None => settings.push((axes, vec![scored])),
        }
    }
    let has_failed = |cell: &SweepCellSpec| record.failures.contains_key(&cell.name);
    if settings.is_empty() && !record.cells.iter().all(has_failed) {
        let text = "sweep: no student has a validation accuracy to decide by, expected a validation split";
        return Err(ExperimentError::Usage(text.into()));
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
