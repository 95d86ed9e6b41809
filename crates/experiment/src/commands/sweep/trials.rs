//! A search that another program drives: it asks what there is to choose, and tells what it chose.

use super::SweepCellSpec;
use super::folder::SweepRecord;
use crate::config::{ConfigProblems, ConfigSource, Experiment, SweepSpace};
use crate::error::{ExperimentError, Result};
use crate::files::read_json;
use crate::report::Report;
use crate::report::sweep::validation_of;
use crate::run_dir::REPORT;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use std::path::{Path, PathBuf};
use stillhouse_core::{Problem, toml_of_json};

/// What there is to choose, and what was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepTrials {
    /// name of the sweep
    pub name: String,
    /// keys and what they may be
    pub space: SweepSpace,
    /// in the order of trying
    pub trials: Vec<SweepTrial>,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepTrial {
    /// name of its folder
    pub cell: String,
    /// its run directory
    pub run_dir: PathBuf,
    /// what was chosen: a value for each key
    pub values: Map<String, Json>,
    /// `finished`, `failed` or `stopped`
    pub state: String,
    /// the model whose validation accuracy counts: the student, or the last teacher of a config without one
    pub model: Option<String>,
    /// its validation top-1
    pub valid_top1: Option<f64>,
    /// why the trial failed
    pub error: Option<String>,
}

/// The search space of a config's `[sweep]`, with the trials in the sweep's folder.
///
/// # Errors
/// A `[sweep]` table that cannot be understood; a record that cannot be read.
pub fn sweep_trials(source: &ConfigSource, overrides: &[String], sweep_dir: &Path) -> Result<SweepTrials> {
    let name = Experiment::load(source, overrides)?.name().to_owned();
    let space = SweepSpace::load(source)?;
    let record = if super::is_sweep(sweep_dir) { SweepRecord::read(sweep_dir)? } else { SweepRecord::default() };
    let trials = record.cells.iter().map(|cell| SweepTrial::of(cell, &record, sweep_dir)).collect::<Result<_>>()?;
    Ok(SweepTrials { name, space, trials })
}

/// Takes a trial into the folder's record: the known cell of these values, or a new one. `values` is a JSON object with a value for
/// keys of the sweep.
///
/// # Errors
/// Text that is no JSON object, a key that the sweep does not vary, a config that cannot run.
pub fn tell_trial(
    source: &ConfigSource,
    overrides: &[String],
    values: &str,
    sweep_dir: &Path,
) -> Result<(SweepRecord, SweepCellSpec)> {
    let space = SweepSpace::load(source)?;
    let values: Map<String, Json> = serde_json::from_str(values).map_err(|error| {
        ExperimentError::Usage(format!("--tell: {error}, expected an object such as {{\"seed\": 1}}"))
    })?;
    let known: Vec<&str> = space.keys().collect();
    if let Some(key) = values.keys().find(|key| !known.contains(&key.as_str())) {
        let text = format!("--tell: {key} is not varied by [sweep], expected {}", known.join(", "));
        return Err(ExperimentError::Usage(text));
    }
    // in the order of the table, so that the same values are the same cell
    let given = known.iter().filter_map(|key| Some(((*key).to_owned(), toml_of_json(values.get(*key)?).to_string())));
    let axes: Vec<(String, String)> = given.collect();
    let mut record = if super::is_sweep(sweep_dir) { SweepRecord::read(sweep_dir)? } else { SweepRecord::default() };
    record.name = Experiment::load(source, overrides)?.name().to_owned();
    if let Some(cell) = record.cells.iter().find(|cell| cell.axes == axes) {
        return Ok((record.clone(), cell.clone()));
    }
    let cell = SweepCellSpec::new(record.cells.len(), axes);
    Experiment::check_variants(source, overrides, &[cell.overrides()]).map_err(one_trial)?;
    record.cells.push(cell.clone());
    Ok((record, cell))
}

/// The problems of a trial say `--tell` and not how many cells they are in.
fn one_trial(problems: ConfigProblems) -> ConfigProblems {
    let told = |mut placed: crate::config::PlacedProblem| {
        let Problem { message, .. } = &mut placed.problem;
        *message = message.trim_end_matches(" (in 1 of 1 cells)").to_owned();
        placed
    };
    ConfigProblems { problems: problems.problems.into_iter().map(told).collect(), ..problems }
}

impl SweepTrial {
    /// What became of a cell.
    ///
    /// # Errors
    /// A report that cannot be read.
    pub fn of(cell: &SweepCellSpec, record: &SweepRecord, sweep_dir: &Path) -> Result<Self> {
        let run_dir = cell.run_dir(sweep_dir);
        let error = record.failures.get(&cell.name).cloned();
        let report: Option<Report> = match error.is_none() && cell.is_finished(sweep_dir) {
            true => Some(read_json(&run_dir.join(REPORT))?),
            false => None,
        };
        let state = match (&error, &report) {
            (Some(_), _) => "failed",
            (None, Some(_)) => "finished",
            (None, None) => "stopped",
        };
        let (model, valid_top1) = report.as_ref().and_then(validation_of).unzip();
        let values = cell.axes.iter().map(|(key, value)| (key.clone(), json_of(value))).collect();
        Ok(Self { cell: cell.name.clone(), run_dir, values, state: state.into(), model, valid_top1, error })
    }
}

/// A TOML value as JSON.
fn json_of(value: &str) -> Json {
    let table = format!("value = {value}").parse::<toml::Table>();
    let value = table.ok().and_then(|mut table| table.remove("value"));
    value.and_then(|value| serde_json::to_value(value).ok()).unwrap_or(Json::Null)
}
