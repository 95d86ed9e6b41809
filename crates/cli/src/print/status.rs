//! How far a run is.

use crate::sweep::shortened;
use crate::text::{WIDTH, duration, percent, table, wrapped};
use std::path::Path;
use stillhouse_experiment::{RunStatus, SweepStatus};

/// The stages of a run with their states, and its warnings.
pub fn status(status: &RunStatus, run_dir: &Path) -> String {
    let mut rows = vec![["stage", "state", "epochs", "valid", "time"].map(str::to_owned).to_vec()];
    rows.extend(status.stages.iter().map(|stage| {
        let epochs =
            if stage.n_epochs > 0 { format!("{}/{}", stage.n_epochs_done, stage.n_epochs) } else { String::new() };
        let time = if stage.elapsed_s > 0.0 { duration(stage.elapsed_s) } else { String::new() };
        vec![stage.name.clone(), stage.state.clone(), epochs, stage.valid_top1.map_or(String::new(), percent), time]
    }));
    let mut text = format!("{}: {} ({})\n\n{}", status.name, status.state, run_dir.display(), table(&rows));
    for warning in &status.warnings {
        text += &format!("{}\n", wrapped("warning: ", warning, WIDTH));
    }
    text
}

/// The cells of a sweep with their states.
pub fn sweep_status(status: &SweepStatus, sweep_dir: &Path) -> String {
    let mut rows = vec![["cell", "state", "stage", "epochs", "valid", "time"].map(str::to_owned).to_vec()];
    let keys = status.cells.first().map_or(String::new(), |cell| keys(&cell.name));
    rows.extend(status.cells.iter().map(|cell| {
        let epochs = cell.epochs.map_or(String::new(), |[n_done, n_epochs]| format!("{n_done}/{n_epochs}"));
        let time = if cell.elapsed_s > 0.0 { duration(cell.elapsed_s) } else { String::new() };
        let stage = cell.stage.as_deref().map_or(String::new(), |stage| cut(stage, 14));
        let valid = cell.valid_top1.map_or(String::new(), percent);
        vec![cut(&values(&cell.name), 28), cell.state.clone(), stage, epochs, valid, time]
    }));
    let n_of = |state: &str| status.cells.iter().filter(|cell| cell.state == state).count();
    let counts = ["finished", "running", "failed", "dropped", "stopped", "waiting"].map(|state| (n_of(state), state));
    let counts = counts.iter().filter(|(n, _)| *n > 0).map(|(n, state)| format!("{n} {state}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let mut text = format!("{}: {} ({})\n{counts}\n", status.name, status.state, sweep_dir.display());
    text += &format!("{}\n\n{}", wrapped("cells: number, ", &keys, WIDTH), table(&rows));
    if !status.stale.is_empty() {
        text += &wrapped("no cell of this sweep: ", &shortened(&status.stale), WIDTH);
        text.push('\n');
    }
    text
}

/// The parts of a cell's name, which begins with its number.
fn parts(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.split(',').map(|part| part.split_once('=').unwrap_or(("", part)))
}

fn keys(name: &str) -> String {
    parts(name).map(|(key, _)| key).filter(|key| !key.is_empty()).collect::<Vec<_>>().join(", ")
}

fn values(name: &str) -> String {
    parts(name).map(|(_, value)| value).collect::<Vec<_>>().join(" ")
}

/// A name with its end cut off where it is too long for a column.
fn cut(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 3).chain("...".chars()).collect()
}
