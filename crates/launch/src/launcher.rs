//! Where jobs run.

use crate::job::{Job, JobOutcome};
use crate::local;
use crate::stop::StopSignal;
use std::num::NonZeroUsize;

/// Where jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// Child processes of this program, side by side.
    Local {
        /// processes at a time
        n_workers: NonZeroUsize,
    },
    /// Nowhere: the command lines are returned.
    DryRun,
}

/// What a launch gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Launched {
    /// Every job is over; outcomes in the jobs' order.
    Finished(Vec<JobOutcome>),
    /// Nothing ran; what would have run, as lines for a shell, in the jobs' order.
    CommandLines(Vec<String>),
}

/// Something that happened to a job.
#[derive(Clone, Copy, Debug)]
pub enum JobEvent<'a> {
    /// It runs.
    Started {
        /// the job
        job: &'a Job,
    },
    /// It is over, or will not run.
    Finished {
        /// how it ended
        outcome: &'a JobOutcome,
    },
}

/// Jobs that cannot be launched at all.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LaunchError {
    /// A job without a program.
    #[error("job {name}: the command is empty, expected a program and its arguments")]
    EmptyCommand {
        /// the job
        name: String,
    },
    /// Two jobs with one name.
    #[error("job {name}: two jobs have this name, expected a name for each")]
    DuplicateName {
        /// the name
        name: String,
    },
}

impl Launcher {
    /// Runs jobs; `on_event` is called from the workers' threads. A job that fails does not stop the others.
    ///
    /// # Errors
    /// An empty command or two jobs of one name, before anything is started.
    pub fn launch(
        &self,
        jobs: &[Job],
        stop: &StopSignal,
        on_event: &(dyn Fn(JobEvent<'_>) + Sync),
    ) -> Result<Launched, LaunchError> {
        check(jobs)?;
        Ok(match self {
            Self::Local { n_workers } => Launched::Finished(local::run_jobs(jobs, n_workers.get(), stop, on_event)),
            Self::DryRun => Launched::CommandLines(jobs.iter().map(Job::command_line).collect()),
        })
    }
}

fn check(jobs: &[Job]) -> Result<(), LaunchError> {
    let mut names = std::collections::HashSet::new();
    for job in jobs {
        if job.command.is_empty() {
            return Err(LaunchError::EmptyCommand { name: job.name.clone() });
        }
        if !names.insert(&job.name) {
            return Err(LaunchError::DuplicateName { name: job.name.clone() });
        }
    }
    Ok(())
}
