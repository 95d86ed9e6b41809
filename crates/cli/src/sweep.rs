//! `sweep`: every cell is a job, this program again; all of them share stages, and one summary follows.

use crate::console;
use crate::failure::Failure;
use crate::invocation::{Format, Invocation, SweepTask, Verbosity};
use crate::progress::CellProgress;
use crate::signals::{self, INTERRUPT, JOBS};
use crate::text::count;
use serde_json::{Value as Json, json};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use stillhouse_experiment::config::{ConfigSource, SweepSearch};
use stillhouse_experiment::{
    ExperimentError, SweepCellSpec, SweepRecord, SweepTrial, cells_without_score, check_sweep_outputs, collect_sweep,
    drop_the_worst, load_sweep, lock_sweep, sweep_trials, tell_trial,
};
use stillhouse_launch::{Job, JobOutcome, Local, command_lines, launch};

pub fn sweep(task: &SweepTask, invocation: &Invocation) -> Result<(), Failure> {
    let source = ConfigSource::File(task.arguments.config.clone());
    if task.arguments.ask || task.arguments.tell.is_some() {
        return search(task, &source, invocation);
    }
    let spec = load_sweep(&source, &task.overrides)?;
    let sweep_dir = task.folder(&spec.name);
    check_sweep_outputs(&source, &sweep_dir)?;
    let is_wanted = |cell: &&SweepCellSpec| !(task.arguments.only_failed && cell.is_finished(&sweep_dir));
    let first_share = match spec.space.search {
        SweepSearch::SuccessiveHalving(halving) => halving.shares().first().copied(),
        _ => None,
    };
    if task.arguments.dry_run {
        let wanted: Vec<&SweepCellSpec> = spec.cells.iter().filter(is_wanted).collect();
        let jobs = jobs(task, &wanted, &sweep_dir, share_threads(invocation.n_threads, wanted.len()), first_share)?;
        return console::print(&command_lines(&jobs)?.iter().map(|line| format!("{line}\n")).collect::<String>());
    }
    let _lock = lock_sweep(&sweep_dir)?;
    let mut record = SweepRecord::begin(&spec, &sweep_dir)?;
    tell_stale(&record, &sweep_dir)?;
    if let SweepSearch::SuccessiveHalving(halving) = spec.space.search {
        for share in halving.shares() {
            let cells = cells_without_score(&record, &sweep_dir, share)?;
            let cells: Vec<&SweepCellSpec> = cells.iter().collect();
            run_cells(task, &cells, Some(share), &mut record, invocation)?;
            drop_the_worst(&mut record, &sweep_dir, share, halving.factor)?;
            record.write(&sweep_dir)?;
        }
    }
    let dropped = record.dropped.clone();
    let is_left = |cell: &&SweepCellSpec| is_wanted(cell) && !dropped.contains_key(&cell.name);
    let wanted: Vec<&SweepCellSpec> = spec.cells.iter().filter(is_left).collect();
    let outcomes = run_cells(task, &wanted, None, &mut record, invocation)?;
    finish(&record, &sweep_dir, &outcomes, invocation)
}

/// Runs cells, all of each or until a share of its student's epochs, and notes which of them failed.
///
/// # Errors
/// An interruption; cells that cannot be launched.
fn run_cells(
    task: &SweepTask,
    cells: &[&SweepCellSpec],
    until: Option<f64>,
    record: &mut SweepRecord,
    invocation: &Invocation,
) -> Result<Vec<JobOutcome>, Failure> {
    let sweep_dir = task.folder(&record.name);
    let shares = share_threads(invocation.n_threads, cells.len());
    let jobs = jobs(task, cells, &sweep_dir, shares, until)?;
    signals::catch(signals::STOPPING);
    let progress = CellProgress::new(&record.name, jobs.len(), invocation.verbosity);
    let launcher = Local { n_workers: shares.n_workers };
    let outcomes = launch(&launcher, &jobs, &JOBS, &|event| progress.event(event))?;
    progress.close();
    take(record, &outcomes, &sweep_dir)?;
    if INTERRUPT.is_requested() {
        return Err(ExperimentError::Interrupted.into());
    }
    Ok(outcomes)
}

/// A search that another program drives.
fn search(task: &SweepTask, source: &ConfigSource, invocation: &Invocation) -> Result<(), Failure> {
    let name = stillhouse_experiment::config::Experiment::load(source, &task.overrides)?.name().to_owned();
    let sweep_dir = task.folder(&name);
    let Some(values) = &task.arguments.tell else {
        let asked = sweep_trials(source, &task.overrides, &sweep_dir)?;
        return console::print_json(&json!(asked));
    };
    check_sweep_outputs(source, &sweep_dir)?;
    let _lock = lock_sweep(&sweep_dir)?;
    let (mut record, cell) = tell_trial(source, &task.overrides, values, &sweep_dir)?;
    record.write(&sweep_dir)?;
    if !cell.is_finished(&sweep_dir) {
        run_cells(task, &[&cell], None, &mut record, invocation)?;
        collect_sweep(&record, &sweep_dir)?;
    }
    let trial = SweepTrial::of(&cell, &record, &sweep_dir)?;
    console::print_json_lines(&format!("{}\n", json!(trial)))
}

/// Notes which cells failed. What was stopped has not failed, and what was not run again keeps its note.
fn take(record: &mut SweepRecord, outcomes: &[JobOutcome], sweep_dir: &Path) -> Result<(), Failure> {
    for outcome in outcomes {
        match outcome.exit.is_success() || INTERRUPT.is_requested() {
            true => record.failures.remove(&outcome.name),
            false => record.failures.insert(outcome.name.clone(), failure_text(outcome)),
        };
    }
    Ok(record.write(sweep_dir)?)
}

fn tell_stale(record: &SweepRecord, sweep_dir: &Path) -> Result<(), Failure> {
    let stale = record.stale(sweep_dir)?;
    if !stale.is_empty() {
        let (n, names) = (count(stale.len(), "folder"), shortened(&stale));
        console::message(&format!(
            "note: {n} in {} belong to no cell of this sweep: {names}",
            sweep_dir.join("cells").display()
        ));
    }
    Ok(())
}

/// The first names, and how many more there are.
pub fn shortened(names: &[String]) -> String {
    const N_SHOWN: usize = 5;
    let more = names.len().saturating_sub(N_SHOWN);
    let shown = names.iter().take(N_SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{shown}; and {more} more") } else { shown }
}

fn finish(
    record: &SweepRecord,
    sweep_dir: &Path,
    outcomes: &[JobOutcome],
    invocation: &Invocation,
) -> Result<(), Failure> {
    let summary = collect_sweep(record, sweep_dir)?;
    match (invocation.format, invocation.verbosity) {
        (Format::Json, _) => console::print_json(&as_json(sweep_dir, outcomes))?,
        (Format::Text, Verbosity::Quiet) => {}
        (Format::Text, _) => console::print(&format!("{}\n{}", summary.trim_end(), places(sweep_dir)))?,
    }
    if record.failures.is_empty() {
        return Ok(());
    }
    Err(Failure::Cells { failed: record.failures.keys().cloned().collect(), n_cells: record.cells.len() })
}

impl SweepTask {
    /// The sweep's folder.
    fn folder(&self, name: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| Path::new("runs").join(name))
    }
}

/// The last lines of a cell's log, without the word `error`.
fn failure_text(outcome: &JobOutcome) -> String {
    let message = outcome.message.rsplit_once("error: ").map_or(outcome.message.as_str(), |(_, message)| message);
    if message.is_empty() { outcome.exit.to_string() } else { message.to_owned() }
}

pub fn places(sweep_dir: &Path) -> String {
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
fn jobs(
    task: &SweepTask,
    cells: &[&SweepCellSpec],
    sweep_dir: &Path,
    shares: Shares,
    until: Option<f64>,
) -> Result<Vec<Job>, Failure> {
    let program = std::env::current_exe().map_err(Failure::NoProgram)?;
    let words = |cell: &SweepCellSpec| -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut words = vec![path(&program), "run".into(), path(&task.arguments.config)];
        for text in task.overrides.iter().chain(&cell.overrides()) {
            words.extend(["--set".into(), text.clone()]);
        }
        words.extend(["--out".into(), path(&cell.run_dir(sweep_dir))]);
        words.extend(["--stages".into(), path(&sweep_dir.join("stages"))]);
        words.extend(["--threads".into(), shares.threads_each.to_string(), "--device".into(), task.device.clone()]);
        if let Some(n_bytes) = task.memory_bytes {
            words.extend(["--memory".into(), (n_bytes / shares.n_workers.get() as u64).to_string()]);
        }
        if let Some(share) = until {
            words.extend(["--until".into(), format!("student:{share}")]);
        }
        words.push("--quiet".into());
        words
    };
    let job = |cell: &SweepCellSpec| Job {
        name: cell.name.clone(),
        command: words(cell),
        env: Vec::new(),
        log: cell.log(sweep_dir),
    };
    Ok(cells.iter().map(|cell| job(cell)).collect())
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
