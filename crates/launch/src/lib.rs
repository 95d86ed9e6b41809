//! Launching jobs: a job is a command line with a log file, a [`Launcher`] decides where it runs.
//!
//! [`Launcher::launch`] takes up jobs in their order, keeps going when one fails, and answers with one [`JobOutcome`]
//! for each, in the jobs' order. A [`StopSignal`] ends everything early: running jobs are asked to stop and waited for,
//! the others do not start.
//!
//! **Absent on purpose:** any knowledge of what the jobs do (no config, no tensor, no report), retries, and dependencies
//! between jobs: a job that finds its inputs missing computes them or fails.

mod job;
mod launcher;
mod local;
mod log_tail;
mod stop;

pub use job::{Job, JobExit, JobOutcome};
pub use launcher::{JobEvent, LaunchError, Launched, Launcher};
pub use stop::StopSignal;
