//! `status`: how far a run is, from its events and its lock.

use crate::error::{ExperimentError, Result, system_error};
use crate::files::read_json;
use crate::observer::RunEvent;
use crate::report::Report;
use crate::run_dir::{MANIFEST, Manifest, REPORT, is_locked};
use crate::run_log::METRICS;
use serde::Serialize;
use std::io::ErrorKind;
use std::path::Path;

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunStatus {
    /// name of the experiment
    pub name: String,
    /// `running`, `finished` or `stopped`
    pub state: String,
    /// stages in the order in which they first began
    pub stages: Vec<StageStatus>,
    /// warnings of the report; empty before there is one
    pub warnings: Vec<String>,
}

/// How far a stage is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StageStatus {
    /// for example `specialist_3`
    pub name: String,
    /// `running`, `done`, `failed` or `stopped`
    pub state: String,
    /// complete epochs; 0 for stages that do not train
    pub n_epochs_done: usize,
    /// epochs of the training; 0 for stages that do not train
    pub n_epochs: usize,
    /// validation accuracy after the last complete epoch
    pub valid_top1: Option<f64>,
    /// wall time of the stage once it is done
    pub elapsed_s: f64,
}

/// Reads how far a run is, also while it runs.
///
/// # Errors
/// A folder without a run, a manifest or a report that cannot be read.
pub fn status(run_dir: &Path) -> Result<RunStatus> {
    let manifest = run_dir.join(MANIFEST);
    if !manifest.is_file() {
        let hint = "give the folder that `stillhouse run` wrote, for example runs/quickstart";
        return Err(ExperimentError::Usage(format!(
            "{}: no run here (manifest.json is missing)\n  hint: {hint}",
            run_dir.display()
        )));
    }
    let manifest: Manifest = read_json(&manifest)?;
    let report_path = run_dir.join(REPORT);
    let is_running = is_locked(run_dir);
    let report: Option<Report> = if report_path.is_file() { Some(read_json(&report_path)?) } else { None };
    let state = match (is_running, &report) {
        (true, _) => "running",
        (false, Some(_)) => "finished",
        (false, None) => "stopped",
    };
    let mut stages = stages_of(&read_log(&run_dir.join(METRICS))?);
    for stage in stages.iter_mut().filter(|stage| stage.state == "running" && !is_running) {
        stage.state = "stopped".into();
    }
    let warnings = report.map_or(Vec::new(), |report| report.warnings);
    Ok(RunStatus { name: manifest.name, state: state.into(), stages, warnings })
}

/// The events so far; a character that was cut off by a kill spoils its own line alone.
fn read_log(path: &Path) -> Result<String> {
    match stillhouse_files::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(system_error(path, "cannot be read", &error)),
    }
}

/// The stages as the events leave them; a line that was cut off by a kill is skipped.
fn stages_of(log: &str) -> Vec<StageStatus> {
    let mut stages: Vec<StageStatus> = Vec::new();
    for event in log.lines().filter_map(|line| serde_json::from_str::<RunEvent>(line).ok()) {
        let name = match &event {
            RunEvent::Planned { .. } | RunEvent::Note { .. } | RunEvent::Warning { .. } => continue,
            RunEvent::StageStarted { stage }
            | RunEvent::StageCached { stage }
            | RunEvent::StageFinished { stage, .. }
            | RunEvent::StageFailed { stage, .. }
            | RunEvent::Epoch { stage, .. } => stage,
        };
        let position = stages.iter().position(|stage| stage.name == *name).unwrap_or_else(|| {
            stages.push(StageStatus { name: name.clone(), ..StageStatus::default() });
            stages.len() - 1
        });
        stages[position].apply(&event);
    }
    stages
}

impl StageStatus {
    fn apply(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Planned { .. } | RunEvent::Note { .. } | RunEvent::Warning { .. } => {}
            RunEvent::StageStarted { .. } => self.state = "running".into(),
            RunEvent::StageCached { .. } => self.state = "done".into(),
            RunEvent::StageFailed { .. } => self.state = "failed".into(),
            RunEvent::StageFinished { elapsed_s, .. } => {
                self.state = "done".into();
                self.elapsed_s = *elapsed_s;
            }
            RunEvent::Epoch { n_epochs, record, .. } => {
                self.n_epochs = *n_epochs;
                self.n_epochs_done = record.epoch;
                self.valid_top1 = record.valid_top1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_states() {
        let log = concat!(
            "{\"event\": \"stage_started\", \"stage\": \"generalist\"}\n",
            "{\"event\": \"epoch\", \"stage\": \"generalist\", \"n_epochs\": 3, ",
            "\"record\": {\"epoch\": 2, \"train_loss\": 1.0, \"valid_top1\": 0.5, \"learning_rate\": 0.1, \"elapsed_s\": 1.0}}\n",
            "{\"event\": \"stage_finished\", \"stage\": \"data\", \"elapsed_s\": 1.5}\n",
            "{\"event\": \"stage_fin",
        );
        let stages = stages_of(log);
        assert_eq!(stages.len(), 2);
        assert_eq!(
            (stages[0].state.as_str(), stages[0].n_epochs_done, stages[0].valid_top1),
            ("running", 2, Some(0.5))
        );
        assert_eq!((stages[1].state.as_str(), stages[1].elapsed_s), ("done", 1.5));
    }
}
