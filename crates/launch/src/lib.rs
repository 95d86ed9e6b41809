//! Launching jobs: a job is a command line with a log file, a [`Launcher`] starts it somewhere.
//!
//! [`launch`] starts jobs in their order, keeps going when one fails, and returns one [`JobOutcome`] for each, in the
//! jobs' order. A [`StopSignal`] ends everything early: running jobs are asked to stop and waited for, the others do not
//! start. The signal knows jobs only as [`RunningJob`], so it works for every launcher.
//!
//! **Absent on purpose:** any knowledge of what the jobs do (no config, no tensor, no report), retries, and dependencies
//! between jobs: a job that finds its inputs missing computes them or fails.

mod job;
mod launcher;
mod local;
mod log_tail;
mod stop;

pub use job::{Job, JobExit, JobOutcome};
pub use launcher::{JobEvent, LaunchError, Launcher, RunningJob, command_lines, launch};
pub use local::Local;
pub use stop::StopSignal;
