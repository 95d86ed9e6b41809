//! `sweep`: every cell of a grid is a job, this program again; all of them share stages, and one summary follows.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, Invocation, SweepTask, Verbosity};
use crate::progress::CellProgress;
use crate::signals::{self, INTERRUPT, JOBS};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use stillhouse_experiment::config::ConfigSource;
use stillhouse_experiment::{
    ExperimentError, SweepCellSpec, SweepSpec, check_sweep_outputs, collect_sweep, load_sweep, lock_sweep,
};
use stillhouse_launch::{Job, JobOutcome, Local, command_lines, launch};

pub fn sweep(task: &SweepTask, invocation: &Invocation) -> Result<(), Failure> {
    let source = ConfigSource::File(task.arguments.config.clone());
    let spec = load_sweep(&source, &task.overrides)?;
    let sweep_dir = task.out.clone().unwrap_or_else(|| Path::new("runs").join(&spec.name));
    check_sweep_outputs(&source, &sweep_dir)?;
    let shares = share_threads(invocation.n_threads, spec.cells.len());
    let jobs = jobs(task, &spec, &sweep_dir, shares)?;
    if task.arguments.dry_run {
        return console::print(&command_lines(&jobs)?.iter().map(|line| format!("{line}\n")).collect::<String>());
    }
    let _lock = lock_sweep(&sweep_dir)?;
    let launcher = Local { n_workers: shares.n_workers };
    signals::catch(signals::STOPPING);
    let progress = CellProgress::new(&spec.name, jobs.len(), invocation.verbosity);
    let outcomes = launch(&launcher, &jobs, &JOBS, &|event| progress.event(event))?;
    progress.close();
    if INTERRUPT.is_requested() {
        return Err(ExperimentError::Interrupted.into());
    }
    finish(&spec, &sweep_dir, &outcomes, invocation)
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

/// The last lines of a cell's log, without the word `error`.
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

/// How the threads are divided among the cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    /// Cells at a time.
    n_workers: NonZeroUsize,
    /// Threads of each.
    threads_each: usize,
}

/// One thread for each cell; more where there are more threads than cells.
fn share_threads(n_threads: NonZeroUsize, n_cells: usize) -> Shares {
    let n_workers = n_threads.min(NonZeroUsize::new(n_cells).unwrap_or(NonZeroUsize::MIN));
    Shares { n_workers, threads_each: n_threads.get() / n_workers.get() }
}

/// One job for each cell, in the cells' order. All of them share the stages that their configs have in common.
fn jobs(task: &SweepTask, spec: &SweepSpec, sweep_dir: &Path, shares: Shares) -> Result<Vec<Job>, Failure> {
    let program = std::env::current_exe().map_err(Failure::NoProgram)?;
    let words = |cell: &SweepCellSpec| -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut words = vec![path(&program), "run".into(), path(&task.arguments.config)];
        for text in task.overrides.iter().chain(&cell.overrides) {
            words.extend(["--set".into(), text.clone()]);
        }
        words.extend(["--out".into(), path(&sweep_dir.join("cells").join(&cell.name))]);
        words.extend(["--stages".into(), path(&sweep_dir.join("stages"))]);
        words.extend(["--threads".into(), shares.threads_each.to_string(), "--device".into(), task.device.clone()]);
        if let Some(n_bytes) = task.memory_bytes {
            words.extend(["--memory".into(), (n_bytes / shares.n_workers.get() as u64).to_string()]);
        }
        words.push("--quiet".into());
        words
    };
    let job = |cell: &SweepCellSpec| Job {
        name: cell.name.clone(),
        command: words(cell),
        env: Vec::new(),
        log: sweep_dir.join("logs").join(format!("{}.log", cell.name)),
    };
    Ok(spec.cells.iter().map(job).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_launch::JobExit;

    #[test]
    fn failures_are_reported_in_the_words_of_the_cell() {
        let outcome =
            |exit, message: &str| JobOutcome { name: "c".into(), exit, elapsed_s: 1.0, message: message.into() };
        assert_eq!(failure_text(&outcome(JobExit::Code(2), "note\nerror: seed: no\n  hint: x")), "seed: no\n  hint: x");
        assert_eq!(failure_text(&outcome(JobExit::Signal(9), "")), "ended by signal 9");
    }

    #[test]
    fn threads_are_divided_among_the_cells() {
        let shares = |n_threads: usize, n_cells| {
            let shares = share_threads(NonZeroUsize::new(n_threads).unwrap(), n_cells);
            (shares.n_workers.get(), shares.threads_each)
        };
        assert_eq!(shares(2, 4), (2, 1));
        assert_eq!(shares(8, 4), (4, 2));
        assert_eq!(shares(7, 4), (4, 1));
        assert_eq!(shares(2, 0), (1, 2));
    }
}
