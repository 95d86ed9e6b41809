//! The cells of a sweep as jobs: this program again, once for each cell.

use crate::failure::Failure;
use crate::invocation::SweepTask;
use std::num::NonZeroUsize;
use std::path::Path;
use stillhouse_experiment::{SweepCellSpec, SweepSpec};
use stillhouse_launch::Job;

/// How the threads are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Cells at a time.
    pub n_workers: NonZeroUsize,
    /// Threads of each.
    pub threads_each: usize,
}

/// One thread for each cell; more where there are more threads than cells.
pub fn share_threads(n_threads: NonZeroUsize, n_cells: usize) -> Shares {
    let n_workers = n_threads.min(NonZeroUsize::new(n_cells).unwrap_or(NonZeroUsize::MIN));
    Shares { n_workers, threads_each: n_threads.get() / n_workers.get() }
}

/// One job for each cell, in the cells' order. All of them share the stages that their configs have in common.
pub fn jobs(task: &SweepTask, spec: &SweepSpec, sweep_dir: &Path, shares: Shares) -> Result<Vec<Job>, Failure> {
    let program =
        std::env::current_exe().map_err(|error| Failure::Usage(format!("this program cannot be found: {error}")))?;
    let words = |cell: &SweepCellSpec| -> Vec<String> {
        let path = |path: &Path| path.display().to_string();
        let mut words = vec![path(&program), "run".into(), path(&task.path)];
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

    #[test]
    fn threads_are_shared_out_to_the_cells() {
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
