//! `sweep`: the cells of a grid, and the summary of their reports.

use crate::config::{ConfigProblems, ConfigSource, Experiment, load_sweep_axes};
use crate::error::Result;
use crate::files::{read_json, write_whole};
use crate::outputs::check_outputs;
use crate::report::sweep::{SweepCell, summary_csv, sweep_html, sweep_markdown, sweep_terminal};
use crate::run_dir::{LOCK, lock_folder};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use stillhouse_core::Problem;

/// All cells of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepSpec {
    /// name of the sweep and of its folder
    pub name: String,
    /// keys and their values, in the file's order
    pub axes: Vec<(String, Vec<String>)>,
    /// every combination
    pub cells: Vec<SweepCellSpec>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepCellSpec {
    /// folder name
    pub name: String,
    /// `a.b=value`, for `--set`
    pub overrides: Vec<String>,
    /// key and value of each axis
    pub axes: Vec<(String, String)>,
}

/// Cells of a sweep at most: each is a run with a folder of its own.
const MAX_CELLS: usize = 10_000;

/// Reads a sweep and lists its cells, the last axis varying fastest. Cells are not checked here: one that cannot run is
/// reported as a failed cell.
///
/// # Errors
/// An unreadable file, no `[sweep]` table, more than 10,000 cells, or a base config that cannot run.
pub fn load_sweep(source: &ConfigSource, overrides: &[String]) -> Result<SweepSpec, ConfigProblems> {
    let base = Experiment::load(source, overrides)?;
    let axes: Vec<(String, Vec<String>)> = load_sweep_axes(source)?
        .into_iter()
        .map(|(key, values)| (key, values.iter().map(ToString::to_string).collect()))
        .collect();
    // before a cell is made: a few axes of a few hundred values are more cells than memory holds
    let n_cells = axes.iter().map(|(_, values)| values.len() as u128).fold(1, u128::saturating_mul);
    if n_cells > MAX_CELLS as u128 {
        let text = format!("the axes make {n_cells} cells, expected at most {MAX_CELLS}");
        return Err(base.problems(vec![Problem::new("sweep", text).hint("divide it into several sweeps")]));
    }
    let combinations = axes.iter().fold(vec![Vec::new()], |combinations, (key, values)| {
        let extended = |combination: &Vec<(String, String)>| -> Vec<Vec<(String, String)>> {
            let with = |value: &String| [combination.clone(), vec![(key.clone(), value.clone())]].concat();
            values.iter().map(with).collect()
        };
        combinations.iter().flat_map(extended).collect()
    });
    let cells = combinations.into_iter().enumerate().map(|(index, axes)| cell(index, axes)).collect();
    Ok(SweepSpec { name: base.name().to_owned(), axes, cells })
}

fn cell(index: usize, axes: Vec<(String, String)>) -> SweepCellSpec {
    let part = |(key, value): &(String, String)| {
        let short = key.rsplit('.').next().unwrap_or(key);
        let value: String =
            value.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')).collect();
        format!("{short}={}", value.chars().take(MAX_VALUE_LEN).collect::<String>())
    };
    let name = std::iter::once(format!("{index:03}")).chain(axes.iter().map(part)).collect::<Vec<_>>().join(",");
    // the number alone tells cells apart, and names of files have a limit
    let name: String = name.chars().take(MAX_NAME_LEN).collect();
    let overrides = axes.iter().map(|(key, value)| format!("{key}={value}")).collect();
    SweepCellSpec { name, overrides, axes }
}

/// Characters of a value in a folder's name.
const MAX_VALUE_LEN: usize = 24;
/// Characters of a folder's name; most file systems allow 255 bytes.
const MAX_NAME_LEN: usize = 160;

/// The folder of the cells' run directories.
const CELLS: &str = "cells";
/// The files that [`collect_sweep`] writes.
const SUMMARIES: [&str; 3] = ["summary.csv", "sweep.md", "sweep.html"];

/// Refuses a folder in which the summaries would overwrite what the sweep reads, or what no sweep wrote.
///
/// # Errors
/// The first such file; a base config that cannot run.
pub fn check_sweep_outputs(source: &ConfigSource, sweep_dir: &Path) -> Result<()> {
    let is_of_a_sweep = [LOCK, CELLS].iter().any(|name| sweep_dir.join(name).exists());
    check_outputs(&Experiment::load(source, &[])?, sweep_dir, &SUMMARIES, is_of_a_sweep)
}

/// Makes a sweep's folder and takes its lock, which ends with the returned file.
///
/// # Errors
/// A folder that another sweep or run works in: the two would run into each other's cells.
pub fn lock_sweep(sweep_dir: &Path) -> Result<File> {
    lock_folder(sweep_dir, "sweep's folder")
}

/// Reads the cells' reports below `<sweep_dir>/cells/` and writes `summary.csv`, `sweep.md` and `sweep.html`; returns
/// a summary for the terminal.
///
/// # Errors
/// A report that cannot be read, or a summary that cannot be written.
pub fn collect_sweep(spec: &SweepSpec, sweep_dir: &Path, failures: &BTreeMap<String, String>) -> Result<String> {
    let outcome = |cell: &SweepCellSpec| {
        if let Some(message) = failures.get(&cell.name) {
            return Err(message.clone());
        }
        let path = sweep_dir.join(CELLS).join(&cell.name).join("report.json");
        read_json(&path).map_err(|error| error.to_string())
    };
    let cells: Vec<SweepCell> =
        spec.cells.iter().map(|cell| SweepCell { axes: cell.axes.clone(), outcome: outcome(cell) }).collect();
    let texts = [summary_csv(&cells), sweep_markdown(&spec.name, &cells), sweep_html(&spec.name, &cells)];
    for (name, text) in SUMMARIES.iter().zip(texts) {
        write_whole(&sweep_dir.join(name), text.as_bytes())?;
    }
    Ok(sweep_terminal(&cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(axes: &str) -> Result<SweepSpec, ConfigProblems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.toml");
        std::fs::write(&path, format!("{}\n[sweep]\n{axes}", crate::config::QUICKSTART)).unwrap();
        load_sweep(&ConfigSource::File(path), &[])
    }

    #[test]
    fn too_many_cells_are_refused_before_they_are_made() {
        let values: Vec<String> = (0..100).map(|value| value.to_string()).collect();
        let values = values.join(",");
        let axis = |key: &str| format!("{key} = [{values}]\n");
        let keys = ["seed", "student.views", "student.training.n_epochs", "generalist.training.n_epochs"];
        let axes: String = keys.iter().map(|key| axis(key)).collect();
        let problems = sweep(&axes).unwrap_err().to_string();
        assert!(problems.contains("100000000 cells, expected at most 10000"), "{problems}");
        assert_eq!(sweep(&(axis("seed") + &axis("student.views"))).unwrap().cells.len(), MAX_CELLS);
    }

    #[test]
    fn a_name_fits_into_a_folder() {
        let axes = (0..40).map(|nth| (format!("key_{nth}"), "value".to_owned())).collect();
        let cell = cell(7, axes);
        assert!(cell.name.len() <= 200 && cell.name.starts_with("007,"), "{}", cell.name);
        assert_eq!(cell.overrides.len(), 40);
    }

    #[test]
    fn a_folder_is_one_sweeps() {
        let folder = tempfile::tempdir().unwrap();
        let _first = lock_sweep(folder.path()).unwrap();
        let error = lock_sweep(folder.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("another stillhouse is using this sweep's folder"), "{error}");
    }

    #[test]
    fn cells_are_all_combinations_with_folder_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.toml");
        let sweep = "\n[sweep]\nstudent.distillation.loss.temperature = [1.0, 4.0]\nseed = [0, 1, 2]\n";
        std::fs::write(&path, format!("{}{sweep}", crate::config::QUICKSTART)).unwrap();
        let spec = load_sweep(&ConfigSource::File(path), &[]).unwrap();
        assert_eq!(spec.cells.len(), 6);
        assert_eq!(spec.cells[1].name, "001,temperature=1.0,seed=1");
        assert_eq!(spec.cells[5].overrides, ["student.distillation.loss.temperature=4.0", "seed=2"]);
    }
}
