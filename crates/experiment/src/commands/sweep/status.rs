//! How far the cells of a sweep are.

use super::folder::{DroppedCell, SweepRecord};
use crate::commands::status::{RunStatus, status};
use crate::error::Result;
use crate::run_dir::{MANIFEST, is_locked};
use serde::Serialize;
use std::path::Path;

/// How far a sweep is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepStatus {
    /// name of the sweep
    pub name: String,
    /// `running`, `finished` or `stopped`
    pub state: String,
    /// in the sweep's order
    pub cells: Vec<CellStatus>,
    /// folders of cells that are none of this sweep's
    pub stale: Vec<String>,
}

/// How far a cell is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CellStatus {
    /// name of its folder
    pub name: String,
    /// `waiting`, `running`, `finished`, `stopped`, `failed`, or `dropped` by successive halving
    pub state: String,
    /// the stage that runs, or ran last
    pub stage: Option<String>,
    /// complete epochs of that stage, and all of its epochs; none for a stage that does not train
    pub epochs: Option<[usize; 2]>,
    /// validation accuracy of the student, or of the last stage that trained
    pub valid_top1: Option<f64>,
    /// wall time of its stages in seconds
    pub elapsed_s: f64,
}

/// Reads how far the cells are, also while they run.
///
/// # Errors
/// A folder without a sweep; a cell's manifest or report that cannot be read.
pub fn sweep_status(sweep_dir: &Path) -> Result<SweepStatus> {
    let record = SweepRecord::read(sweep_dir)?;
    let mut cells = Vec::with_capacity(record.cells.len());
    for cell in &record.cells {
        let run_dir = cell.run_dir(sweep_dir);
        let run = if run_dir.join(MANIFEST).is_file() { Some(status(&run_dir)?) } else { None };
        if let Some(dropped) = record.dropped.get(&cell.name) {
            cells.push(dropped_status(&cell.name, run, *dropped));
            continue;
        }
        let has_failed = record.failures.contains_key(&cell.name) && !is_locked(&run_dir);
        cells.push(cell_status(&cell.name, run, has_failed));
    }
    let state = match () {
        () if is_locked(sweep_dir) => "running",
        () if cells.iter().all(|cell| ["finished", "dropped"].contains(&cell.state.as_str())) => "finished",
        () => "stopped",
    };
    let stale = record.stale(sweep_dir)?;
    Ok(SweepStatus { name: record.name, state: state.into(), cells, stale })
}

fn dropped_status(name: &str, run: Option<RunStatus>, dropped: DroppedCell) -> CellStatus {
    let DroppedCell { n_epochs_done, n_epochs, valid_top1 } = dropped;
    CellStatus {
        name: name.into(),
        state: "dropped".into(),
        stage: Some(crate::role::Role::Student.name()),
        epochs: (n_epochs > 0).then_some([n_epochs_done, n_epochs]),
        valid_top1: Some(valid_top1),
        elapsed_s: run.map_or(0.0, |run| run.stages.iter().map(|stage| stage.elapsed_s).sum()),
    }
}

fn cell_status(name: &str, run: Option<RunStatus>, has_failed: bool) -> CellStatus {
    let failed = has_failed.then(|| "failed".to_owned());
    let Some(run) = run else {
        let state = failed.unwrap_or_else(|| "waiting".into());
        return CellStatus { name: name.into(), state, ..CellStatus::default() };
    };
    let running = run.stages.iter().rfind(|stage| stage.state != "done");
    let shown = running.or(run.stages.last()).filter(|_| run.state != "finished");
    let student = run.stages.iter().find(|stage| stage.name == crate::role::Role::Student.name());
    let trained = student.or(run.stages.iter().rfind(|stage| stage.n_epochs > 0));
    CellStatus {
        name: name.into(),
        state: failed.unwrap_or(run.state),
        stage: shown.map(|stage| stage.name.clone()),
        epochs: shown.filter(|stage| stage.n_epochs > 0).map(|stage| [stage.n_epochs_done, stage.n_epochs]),
        valid_top1: trained.and_then(|stage| stage.valid_top1),
        elapsed_s: run.stages.iter().map(|stage| stage.elapsed_s).sum(),
    }
}
