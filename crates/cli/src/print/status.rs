//! How far a run is.

use crate::text::{WIDTH, duration, percent, table, wrapped};
use std::path::Path;
use stillhouse_experiment::RunStatus;

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
