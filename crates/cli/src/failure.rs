//! Failures of the program: a message on standard error and an exit code.

use crate::console;
use std::io;
use stillhouse_experiment::ExperimentError;
use stillhouse_experiment::config::ConfigProblems;
use stillhouse_launch::LaunchError;

/// A failure of the program.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A failure of the experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// Arguments that contradict each other, or a file that would be overwritten.
    #[error("{0}")]
    Usage(String),
    /// Cells of a sweep that failed; the others are complete.
    #[error("{} of {n_cells} cells failed: {}", failed.len(), failed.join(", "))]
    Cells {
        /// names
        failed: Vec<String>,
        /// cells of the sweep
        n_cells: usize,
    },
    /// The sweep's cells cannot be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A file that the program itself writes.
    #[error("{path}: cannot be written: {error}")]
    Write {
        /// the file
        path: String,
        /// the reason
        error: io::Error,
    },
    /// Standard output is closed or full.
    #[error("standard output cannot be written: {0}")]
    Stdout(io::Error),
    /// This program's own file, which the cells of a sweep run.
    #[error("this program cannot be found: {0}")]
    NoProgram(io::Error),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}")]
    NoThread(io::Error),
    /// A command that was stopped and does not go on where it was.
    #[error("stopped")]
    Stopped,
    /// Inputs of which none can be read.
    #[error("no input can be read, and {n_skipped} were skipped; nothing is written")]
    NoInput {
        /// inputs that were skipped
        n_skipped: u64,
    },
    /// A bug, reported by the panic hook already.
    #[error("stillhouse stopped because of a bug")]
    Panicked,
}

impl From<ConfigProblems> for Failure {
    fn from(problems: ConfigProblems) -> Self {
        Self::Experiment(problems.into())
    }
}

impl Failure {
    /// 0 where a reader of the output went away, 1 failed, 2 wrong usage or config, 3 bad data, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Experiment(error) => error.exit_code(),
            Self::Usage(_) => 2,
            Self::NoInput { .. } => 3,
            Self::Stopped => 130,
            failure if failure.is_closed_pipe() => 0,
            _ => 1,
        }
    }

    /// Writes the message to standard error.
    pub fn report(&self) {
        match self {
            Self::Panicked => {}
            Self::Experiment(ExperimentError::Interrupted) => {
                console::message("stopped\n  hint: the same command goes on from here");
            }
            Self::Stopped => console::message("stopped"),
            failure if failure.is_closed_pipe() => {}
            failure => console::message(&format!("error: {failure}")),
        }
    }

    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Makes a panic a short message with a request to report it; RUST_BACKTRACE=1 shows where it came from.
pub fn report_panics() {
    let with_backtrace = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if stillhouse_experiment::is_guarded() {
            return;
        }
        console::message(&format!("error: this is a bug in stillhouse; please report it with the next lines\n{panic}"));
        match std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            true => with_backtrace(panic),
            false => console::message("  hint: RUST_BACKTRACE=1 shows where it happened"),
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_contract() {
        let code = |failure: Failure| failure.exit_code();
        assert_eq!(code(Failure::Usage(String::new())), 2);
        assert_eq!(code(ExperimentError::Interrupted.into()), 130);
        assert_eq!(code(Failure::Cells { failed: vec!["a".into()], n_cells: 2 }), 1);
        assert_eq!(code(Failure::Stdout(io::ErrorKind::StorageFull.into())), 1);
        assert_eq!(code(Failure::Stdout(io::ErrorKind::BrokenPipe.into())), 0);
        assert_eq!(code(Failure::Panicked), 1);
    }
}
