//! `sweep`: every cell of a grid as a run of its own, with shared stages, and one summary.

use super::sweep_jobs::{jobs, share_threads};
use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, Invocation, SweepTask, Verbosity};
use crate::progress::CellProgress;
use crate::signals::{self, CHILDREN, INTERRUPT};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stillhouse_experiment::config::ConfigSource;
use stillhouse_experiment::{ExperimentError, SweepSpec, check_sweep_outputs, collect_sweep, load_sweep};
use stillhouse_launch::{JobOutcome, Launched, Launcher};

pub fn sweep(task: &SweepTask, invocation: &Invocation) -> Result<(), Failure> {
    let source = ConfigSource::File(task.path.clone());
    let spec = load_sweep(&source, &task.overrides)?;
    let sweep_dir = task.out.clone().unwrap_or_else(|| Path::new("runs").join(&spec.name));
    check_sweep_outputs(&source, &sweep_dir)?;
    let shares = share_threads(invocation.n_threads, spec.cells.len());
    let jobs = jobs(task, &spec, &sweep_dir, shares)?;
    let launcher = if task.dry_run { Launcher::DryRun } else { Launcher::Local { n_workers: shares.n_workers } };

    signals::catch();
    let progress = CellProgress::new(&spec.name, jobs.len(), invocation.verbosity);
    let launched = launcher.launch(&jobs, &CHILDREN, &|event| progress.event(event))?;
    progress.close();
    match launched {
        Launched::CommandLines(lines) => {
            console::print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())
        }
        Launched::Finished(_) if INTERRUPT.is_requested() => Err(ExperimentError::Interrupted.into()),
        Launched::Finished(outcomes) => finish(&spec, &sweep_dir, &outcomes, invocation),
    }
}

fn finish(spec: &SweepSpec, sweep_dir: &Path, outcomes: &[JobOutcome], invocation: &Invocation) -> Result<(), Failure> {
    let failures: BTreeMap<String, String> = outcomes
        .iter()
        .filter(|outcome| !outcome.exit.is_success())
        .map(|outcome| (outcome.name.clone(), failure_text(outcome)))
        .collect();
    let summary = collect_sweep(spec, sweep_dir, &failures)?;
    match (invocation.format, invocation.verbosity) {
        (Format::Json, _) => console::print_json(&as_json(sweep_dir, outcomes))?,
        (Format::Text, Verbosity::Quiet) => {}
        (Format::Text, _) => console::print(&format!("{}\n{}", summary.trim_end(), places(sweep_dir)))?,
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Failure::Cells { failed: failures.into_keys().collect(), n_cells: spec.cells.len() })
}

/// The end of a cell's log, without the word that every error begins with.
fn failure_text(outcome: &JobOutcome) -> String {
    let message = outcome.message.rsplit_once("error: ").map_or(outcome.message.as_str(), |(_, message)| message);
    if message.is_empty() { outcome.exit.to_string() } else { message.to_owned() }
}

fn places(sweep_dir: &Path) -> String {
    let file = |name: &str| -> PathBuf { sweep_dir.join(name) };
    format!("\nreport   {}\ntable    {}\n", file("sweep.html").display(), file("summary.csv").display())
}

fn as_json(sweep_dir: &Path, outcomes: &[JobOutcome]) -> Json {
    let cell = |outcome: &JobOutcome| {
        let is_done = outcome.exit.is_success();
        let error = if is_done { Json::Null } else { failure_text(outcome).into() };
        let run_dir = sweep_dir.join("cells").join(&outcome.name);
        json!({ "name": outcome.name, "run_dir": run_dir, "ok": is_done, "error": error, "elapsed_s": outcome.elapsed_s })
    };
    let summary = sweep_dir.join("summary.csv");
    json!({ "sweep_dir": sweep_dir, "summary": summary, "cells": outcomes.iter().map(cell).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_launch::JobExit;

    #[test]
    fn failures_are_told_in_the_cells_own_words() {
        let outcome =
            |exit, message: &str| JobOutcome { name: "c".into(), exit, elapsed_s: 1.0, message: message.into() };
        assert_eq!(failure_text(&outcome(JobExit::Code(2), "note\nerror: seed: no\n  hint: x")), "seed: no\n  hint: x");
        assert_eq!(failure_text(&outcome(JobExit::Signal(9), "")), "ended by signal 9");
    }
}
