//! `sweep`: many runs of one config, side by side.
//!
//! | file | subject |
//! |---|---|
//! | `cells.rs` | a run of the sweep: its name and what it overrides |
//! | `folder.rs` | the sweep's folder: what it remembers, what it may write, cells that are no longer its own |
//! | `halving.rs` | which cells of successive halving go on |
//! | `summary.rs` | the reports of all cells as one table and one page |
//! | `status.rs` | how far the cells are |
//! | `trials.rs` | a search that another program drives |

mod cells;
mod folder;
mod halving;
mod status;
mod summary;
mod trials;

pub use cells::SweepCellSpec;
pub use folder::{DroppedCell, SweepRecord, check_sweep_outputs, is_sweep, lock_sweep};
pub use halving::{cells_without_score, drop_the_worst};
pub use status::{CellStatus, SweepStatus, sweep_status};
pub use summary::{collect_sweep, render_sweep};
pub use trials::{SweepTrial, SweepTrials, sweep_trials, tell_trial};

use crate::config::{ConfigProblems, ConfigSource, Experiment, Halving, SweepSearch, SweepSpace};
use serde::Serialize;
use stillhouse_core::Problem;

/// All cells of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepSpec {
    /// name of the sweep and of its folder
    pub name: String,
    /// what is varied
    pub space: SweepSpace,
    /// the runs
    pub cells: Vec<SweepCellSpec>,
}

/// Cells of a sweep at most: each is a run with a folder of its own.
const MAX_CELLS: usize = 10_000;

/// Reads a sweep, lists its cells and checks each of them as `check` does.
///
/// # Errors
/// An unreadable file, no `[sweep]` table or one that cannot be understood, more than 10,000 cells, and all problems of all
/// cells.
pub fn load_sweep(source: &ConfigSource, overrides: &[String]) -> Result<SweepSpec, ConfigProblems> {
    let base = Experiment::load(source, overrides)?;
    let space = SweepSpace::load(source)?;
    // before a cell is made: a few axes of a few hundred values are more cells than memory holds
    let n_cells = match space.search {
        SweepSearch::Random { n_trials, .. } => n_trials as u128,
        SweepSearch::SuccessiveHalving(Halving { n_trials: Some(n_trials), .. }) => n_trials as u128,
        SweepSearch::Grid | SweepSearch::SuccessiveHalving(_) => space.n_combinations(),
    };
    let too_many = |n_cells: u128| {
        let text = format!("the axes make {n_cells} cells, expected at most {MAX_CELLS}");
        base.problems(vec![Problem::new("sweep", text).hint("divide it into several sweeps")])
    };
    if n_cells > MAX_CELLS as u128 {
        return Err(too_many(n_cells));
    }
    let combinations = match space.search {
        SweepSearch::Random { n_trials, seed }
        | SweepSearch::SuccessiveHalving(Halving { n_trials: Some(n_trials), seed, .. }) => {
            space.random(n_trials, seed)
        }
        SweepSearch::Grid | SweepSearch::SuccessiveHalving(_) => space.grid(),
    };
    if combinations.len() > MAX_CELLS {
        return Err(too_many(combinations.len() as u128));
    }
    let cells: Vec<SweepCellSpec> =
        combinations.into_iter().enumerate().map(|(index, axes)| SweepCellSpec::new(index, axes)).collect();
    let variants: Vec<Vec<String>> = cells.iter().map(SweepCellSpec::overrides).collect();
    Experiment::check_variants(source, overrides, &variants)?;
    Ok(SweepSpec { name: base.name().to_owned(), space, cells })
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
        let values: Vec<String> = (1..=100).map(|value| value.to_string()).collect();
        let values = values.join(",");
        let axis = |key: &str| format!("{key} = [{values}]\n");
        let keys = ["seed", "student.views", "student.training.n_epochs", "generalist.training.n_epochs"];
        let axes: String = keys.iter().map(|key| axis(key)).collect();
        let problems = sweep(&axes).unwrap_err().to_string();
        assert!(problems.contains("100000000 cells, expected at most 10000"), "{problems}");
    }

    #[test]
    fn cells_are_all_combinations_with_folder_names() {
        let spec = sweep("student.distillation.loss.temperature = [1.0, 4.0]\nseed = [0, 1, 2]\n").unwrap();
        assert_eq!(spec.cells.len(), 6);
        assert_eq!(spec.cells[1].name, "001,temperature=1.0,seed=1");
        assert_eq!(spec.cells[5].overrides(), ["student.distillation.loss.temperature=4.0", "seed=2"]);
    }

    #[test]
    fn a_problem_of_many_cells_is_told_once() {
        let axes = "seed = [0, 1, 2]\nstudent.distillation.loss.temperature = [1.0, -4.0]\nstudent.vews = [1]\n";
        let told = sweep(axes).unwrap_err().to_string();
        assert!(told.contains("2 problems"), "{told}");
        let negative =
            "student.distillation.loss.temperature: must be between 0.001 and 10000, found -4 (in 3 of 6 cells)";
        assert!(told.contains(negative), "{told}");
        assert!(told.contains("from [sweep], student.distillation.loss.temperature=-4.0"), "{told}");
        assert!(told.contains("student.vews: unknown key") && told.contains("(in 6 of 6 cells)"), "{told}");
        assert!(told.contains("did you mean `views`?"), "{told}");
    }
}
