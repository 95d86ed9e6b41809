//! Starts jobs on a launcher in their order, a limited number at a time, and polls them until they are over.

use crate::job::{Job, JobExit, JobOutcome};
use crate::log_tail::last_lines;
use crate::stop::StopSignal;
use std::fmt::Debug;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A place where jobs run: this machine ([`Local`](crate::Local)), or a batch system.
pub trait Launcher: Sync {
    /// Jobs that are started at a time.
    fn n_at_once(&self) -> NonZeroUsize;

    /// Time between two calls of [`RunningJob::poll`].
    fn poll_interval(&self) -> Duration;

    /// Starts a job, whose output goes to its log.
    ///
    /// # Errors
    /// A job that cannot be started.
    fn start(&self, job: &Job) -> io::Result<Box<dyn RunningJob>>;
}

/// A job that was started. The [`StopSignal`] keeps it and calls it under a lock, so no function may wait for the job.
pub trait RunningJob: Debug + Send {
    /// How the job ended, if it did.
    ///
    /// # Errors
    /// A job whose state cannot be determined; it counts as lost.
    fn poll(&mut self) -> io::Result<Option<JobExit>>;

    /// Asks the job to stop; it may still save its work.
    fn interrupt(&mut self);

    /// Ends the job at once.
    fn kill(&mut self);
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

/// Runs jobs; outcomes are in the jobs' order. A job that fails does not stop the others. `on_event` is called from
/// several threads.
///
/// # Errors
/// An empty command or two jobs of one name, before anything is started.
pub fn launch(
    launcher: &dyn Launcher,
    jobs: &[Job],
    stop: &StopSignal,
    on_event: &(dyn Fn(JobEvent<'_>) + Sync),
) -> Result<Vec<JobOutcome>, LaunchError> {
    check(jobs)?;
    let next = AtomicUsize::new(0);
    let outcomes: Vec<Mutex<Option<JobOutcome>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|job_idx| *job_idx < jobs.len());
    let run_jobs = || {
        while let Some(job_idx) = take() {
            let outcome = run_job(launcher, &jobs[job_idx], job_idx, stop, on_event);
            on_event(JobEvent::Finished { outcome: &outcome });
            *outcomes[job_idx].lock().expect("no holder panics") = Some(outcome);
        }
    };
    std::thread::scope(|scope| {
        // this thread is one of them, and does the work of those that the system does not give
        for _ in 1..launcher.n_at_once().get().min(jobs.len()) {
            if std::thread::Builder::new().spawn_scoped(scope, run_jobs).is_err() {
                break;
            }
        }
        run_jobs();
    });
    let finished = outcomes.into_iter().map(|slot| slot.into_inner().expect("no holder panics"));
    Ok(finished.map(|outcome| outcome.expect("every job was taken")).collect())
}

/// A dry run: the jobs as lines for a POSIX shell, in their order.
///
/// # Errors
/// As [`launch`].
pub fn command_lines(jobs: &[Job]) -> Result<Vec<String>, LaunchError> {
    check(jobs)?;
    Ok(jobs.iter().map(Job::command_line).collect())
}

fn run_job(
    launcher: &dyn Launcher,
    job: &Job,
    job_idx: usize,
    stop: &StopSignal,
    on_event: &(dyn Fn(JobEvent<'_>) + Sync),
) -> JobOutcome {
    let begin = Instant::now();
    let outcome = |exit, elapsed_s, message| JobOutcome { name: job.name.clone(), exit, elapsed_s, message };
    match stop.start(job_idx, || launcher.start(job)) {
        None => return outcome(JobExit::Cancelled, 0.0, String::new()),
        Some(Err(error)) => return outcome(JobExit::NotStarted(error.to_string()), 0.0, String::new()),
        Some(Ok(())) => on_event(JobEvent::Started { job }),
    }
    let exit = loop {
        match stop.poll(job_idx) {
            Ok(None) => std::thread::sleep(launcher.poll_interval()),
            Ok(Some(exit)) => break exit,
            Err(error) => break JobExit::NotStarted(format!("lost sight of the job: {error}")),
        }
    };
    outcome(exit, begin.elapsed().as_secs_f64(), last_lines(&job.log))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A launcher without processes: a job runs until it is asked to stop, and a killed one is lost.
    struct Elsewhere;

    #[derive(Debug, Default)]
    struct RemoteJob {
        exit: Option<JobExit>,
        was_killed: bool,
    }

    impl Launcher for Elsewhere {
        fn n_at_once(&self) -> NonZeroUsize {
            NonZeroUsize::MIN
        }

        fn poll_interval(&self) -> Duration {
            Duration::from_millis(1)
        }

        fn start(&self, job: &Job) -> io::Result<Box<dyn RunningJob>> {
            let exit = (job.command == ["true"]).then_some(JobExit::Success);
            Ok(Box::new(RemoteJob { exit, was_killed: false }))
        }
    }

    impl RunningJob for RemoteJob {
        fn poll(&mut self) -> io::Result<Option<JobExit>> {
            if self.was_killed { Err(io::Error::other("gone")) } else { Ok(self.exit.clone()) }
        }

        fn interrupt(&mut self) {
            self.exit.get_or_insert(JobExit::Code(130));
        }

        fn kill(&mut self) {
            self.was_killed = true;
        }
    }

    /// Exits of a short, an endless and a late job, stopped by `stop_with` once the endless one runs.
    fn exits(stop_with: fn(&StopSignal)) -> Vec<JobExit> {
        let job = |name: &str, program: &str| Job {
            name: name.into(),
            command: vec![program.into()],
            env: Vec::new(),
            log: "no/such/log".into(),
        };
        let stop = Arc::new(StopSignal::new());
        let on_event = |event: JobEvent<'_>| {
            if matches!(event, JobEvent::Started { job } if job.name == "endless") {
                stop_with(&stop);
            }
        };
        let jobs = [job("short", "true"), job("endless", "sleep"), job("late", "true")];
        let outcomes = launch(&Elsewhere, &jobs, &stop, &on_event).unwrap();
        outcomes.into_iter().map(|outcome| outcome.exit).collect()
    }

    #[test]
    fn the_stop_signal_reaches_jobs_that_are_no_processes() {
        assert_eq!(exits(StopSignal::request), [JobExit::Success, JobExit::Code(130), JobExit::Cancelled]);
        let lost = JobExit::NotStarted("lost sight of the job: gone".into());
        assert_eq!(exits(StopSignal::kill), [JobExit::Success, lost, JobExit::Cancelled]);
    }
}
