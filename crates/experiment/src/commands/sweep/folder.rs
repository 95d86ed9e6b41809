//! A sweep's folder: `cells/`, `logs/`, the stages that cells share, summaries, and `sweep.json`, which says what they are of.

use super::{SweepCellSpec, SweepSpec};
use crate::config::{ConfigSource, Experiment};
use crate::error::{ExperimentError, Result, system_error};
use crate::files::{read_json, write_json};
use crate::outputs::check_outputs;
use crate::run_dir::{LOCK, REPORT, is_locked, lock_folder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The folder of the cells' run directories.
const CELLS: &str = "cells";
/// What the sweep remembers.
const RECORD: &str = "sweep.json";
/// The files that summaries are written into.
pub(super) const SUMMARIES: [&str; 3] = ["summary.csv", "sweep.md", "sweep.html"];

/// `sweep.json`: the cells of the last sweep in this folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SweepRecord {
    /// name of the sweep
    pub name: String,
    /// its runs
    pub cells: Vec<SweepCellSpec>,
    /// the cells that failed when they were last run, and why
    #[serde(default)]
    pub failures: BTreeMap<String, String>,
    /// the cells that successive halving does not go on with
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: BTreeMap<String, DroppedCell>,
}

/// A cell that was not trained to its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DroppedCell {
    /// complete epochs of its student; 0 where the student was found trained
    pub n_epochs_done: usize,
    /// all of its epochs
    pub n_epochs: usize,
    /// validation accuracy then
    pub valid_top1: f64,
}

impl SweepRecord {
    /// A sweep that begins; failures of cells that it still has are kept until they are run again.
    pub fn begin(spec: &SweepSpec, sweep_dir: &Path) -> Result<Self> {
        let mut record = Self { name: spec.name.clone(), cells: spec.cells.clone(), ..Self::default() };
        if is_sweep(sweep_dir) {
            let earlier = Self::read(sweep_dir)?;
            let is_kept =
                |name: &String| earlier.cells.iter().any(|cell| cell.name == *name && record.cells.contains(cell));
            record.failures = earlier
                .failures
                .iter()
                .filter(|(name, _)| is_kept(name))
                .map(|(a, b)| (a.clone(), b.clone()))
                .collect();
        }
        record.write(sweep_dir)?;
        Ok(record)
    }

    /// Reads what a folder remembers.
    ///
    /// # Errors
    /// A folder without a sweep, or a record that cannot be read.
    pub fn read(sweep_dir: &Path) -> Result<Self> {
        if !is_sweep(sweep_dir) {
            let text = format!("{}: no sweep here ({RECORD} is missing)", sweep_dir.display());
            return Err(ExperimentError::Usage(text));
        }
        read_json(&sweep_dir.join(RECORD))
    }

    /// Writes the record.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn write(&self, sweep_dir: &Path) -> Result<()> {
        write_json(&sweep_dir.join(RECORD), self)
    }

    /// Folders of cells that are none of this sweep's, by name. They stay; a change of the axes gives cells other names.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn stale(&self, sweep_dir: &Path) -> Result<Vec<String>> {
        let folder = sweep_dir.join(CELLS);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let entries =
            stillhouse_files::entries(&folder).map_err(|error| system_error(&folder, "cannot be listed", &error))?;
        let names = entries.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        Ok(names.filter(|name| self.cells.iter().all(|cell| cell.name != *name)).collect())
    }
}

impl SweepCellSpec {
    /// The cell's run directory.
    pub fn run_dir(&self, sweep_dir: &Path) -> PathBuf {
        sweep_dir.join(CELLS).join(&self.name)
    }

    /// The log of the cell's last run.
    pub fn log(&self, sweep_dir: &Path) -> PathBuf {
        sweep_dir.join("logs").join(format!("{}.log", self.name))
    }

    /// Whether the cell's run is finished.
    pub fn is_finished(&self, sweep_dir: &Path) -> bool {
        let run_dir = self.run_dir(sweep_dir);
        run_dir.join(REPORT).is_file() && !is_locked(&run_dir)
    }
}

/// Whether a folder is a sweep's.
pub fn is_sweep(folder: &Path) -> bool {
    folder.join(RECORD).is_file()
}

/// Refuses a folder in which the summaries would overwrite what the sweep reads, or what no sweep wrote.
///
/// # Errors
/// The first such file; a base config that cannot run.
pub fn check_sweep_outputs(source: &ConfigSource, sweep_dir: &Path) -> Result<()> {
    let is_of_a_sweep = [LOCK, CELLS].iter().any(|name| sweep_dir.join(name).exists());
    let names: Vec<&str> = SUMMARIES.into_iter().chain([RECORD]).collect();
    check_outputs(&Experiment::load(source, &[])?, sweep_dir, &names, is_of_a_sweep)
}

/// Makes a sweep's folder and takes its lock, which ends with the returned file.
///
/// # Errors
/// A folder that another sweep or run works in: the two would run into each other's cells.
pub fn lock_sweep(sweep_dir: &Path) -> Result<File> {
    lock_folder(sweep_dir, "sweep's folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_sweeps() {
        let folder = tempfile::tempdir().unwrap();
        let _first = lock_sweep(folder.path()).unwrap();
        let error = lock_sweep(folder.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("another stillhouse is using this sweep's folder"), "{error}");
    }
}
