//! `status`: how far a run is, from its events and its lock.

use crate::error::{ExperimentError, Result};
use crate::files::read_json;
use crate::report::Report;
use crate::run_dir::{Manifest, is_locked};
use serde::Serialize;
use serde_json::Value as Json;
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
    /// of the report, once there is one
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
    pub n_epochs_done: u64,
    /// epochs of the training; 0 for stages that do not train
    pub n_epochs: u64,
    /// validation accuracy after the last complete epoch
    pub valid_top1: Option<f64>,
    /// wall time of the stage once it is done
    pub elapsed_s: f64,
}

/// Reads how far a run is; works beside a running one.
///
/// # Errors
/// A folder without a run.
pub fn status(run_dir: &Path) -> Result<RunStatus> {
    let manifest = run_dir.join("manifest.json");
    if !manifest.is_file() {
        let hint = "give the folder that `stillhouse run` wrote, for example runs/quickstart";
        return Err(ExperimentError::Usage(format!(
            "{}: no run here (manifest.json is missing)\n  hint: {hint}",
            run_dir.display()
        )));
    }
    let manifest: Manifest = read_json(&manifest)?;
    let report_path = run_dir.join("report.json");
    let is_running = is_locked(run_dir);
    let report: Option<Report> = if report_path.is_file() { Some(read_json(&report_path)?) } else { None };
    let state = match (is_running, &report) {
        (true, _) => "running",
        (false, Some(_)) => "finished",
        (false, None) => "stopped",
    };
    let log = std::fs::read_to_string(run_dir.join("metrics.jsonl")).unwrap_or_default();
    let mut stages = stages_of(&log);
    for stage in stages.iter_mut().filter(|stage| stage.state == "running" && !is_running) {
        stage.state = "stopped".into();
    }
    let warnings = report.map_or(Vec::new(), |report| report.warnings);
    Ok(RunStatus { name: manifest.name, state: state.into(), stages, warnings })
}

/// Folds the events; a line that was cut off by a kill is passed over.
fn stages_of(log: &str) -> Vec<StageStatus> {
    let mut stages: Vec<StageStatus> = Vec::new();
    for event in log.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()) {
        let (Some(kind), Some(name)) = (event["event"].as_str(), event["stage"].as_str()) else { continue };
        if kind == "note" {
            continue;
        }
        let position = stages.iter().position(|stage| stage.name == name).unwrap_or_else(|| {
            stages.push(StageStatus { name: name.to_owned(), ..StageStatus::default() });
            stages.len() - 1
        });
        apply(&mut stages[position], kind, &event);
    }
    stages
}

fn apply(stage: &mut StageStatus, kind: &str, event: &Json) {
    match kind {
        "stage_started" => stage.state = "running".into(),
        "stage_cached" => stage.state = "done".into(),
        "stage_failed" => stage.state = "failed".into(),
        "stage_finished" => {
            stage.state = "done".into();
            stage.elapsed_s = event["elapsed_s"].as_f64().unwrap_or(0.0);
        }
        "epoch" => {
            stage.n_epochs = event["n_epochs"].as_u64().unwrap_or(0);
            stage.n_epochs_done = event["record"]["epoch"].as_u64().unwrap_or(0);
            stage.valid_top1 = event["record"]["valid_top1"].as_f64();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_fold_into_states() {
        let log = concat!(
            "{\"event\": \"stage_started\", \"stage\": \"generalist\"}\n",
            "{\"event\": \"epoch\", \"stage\": \"generalist\", \"n_epochs\": 3, \"record\": {\"epoch\": 2, \"valid_top1\": 0.5}}\n",
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
