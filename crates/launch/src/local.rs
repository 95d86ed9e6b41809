//! Jobs as child processes of this program.

use crate::job::{Job, JobExit, JobOutcome};
use crate::launcher::JobEvent;
use crate::log_tail::last_lines;
use crate::stop::StopSignal;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Time between two looks at a running child.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Runs jobs, `n_workers` at a time, taken up in their order; outcomes in the jobs' order.
pub(crate) fn run_jobs(
    jobs: &[Job],
    n_workers: usize,
    stop: &StopSignal,
    on_event: &(dyn Fn(JobEvent<'_>) + Sync),
) -> Vec<JobOutcome> {
    let next = AtomicUsize::new(0);
    let outcomes: Vec<Mutex<Option<JobOutcome>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..n_workers.min(jobs.len()) {
            scope.spawn(|| {
                let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|job_idx| *job_idx < jobs.len());
                while let Some(job_idx) = take() {
                    let outcome = run_job(&jobs[job_idx], job_idx, stop, on_event);
                    on_event(JobEvent::Finished { outcome: &outcome });
                    *outcomes[job_idx].lock().expect("no holder panics") = Some(outcome);
                }
            });
        }
    });
    let finished = outcomes.into_iter().map(|slot| slot.into_inner().expect("no holder panics"));
    finished.map(|outcome| outcome.expect("every job was taken")).collect()
}

fn run_job(job: &Job, job_idx: usize, stop: &StopSignal, on_event: &(dyn Fn(JobEvent<'_>) + Sync)) -> JobOutcome {
    let start = Instant::now();
    let over = |exit, elapsed_s, message| JobOutcome { name: job.name.clone(), exit, elapsed_s, message };
    match stop.spawn(job_idx, || start_child(job)) {
        None => return over(JobExit::Cancelled, 0.0, String::new()),
        Some(Err(error)) => return over(JobExit::NotStarted(error.to_string()), 0.0, String::new()),
        Some(Ok(())) => on_event(JobEvent::Started { job }),
    }
    let exit = loop {
        match stop.poll(job_idx) {
            Ok(None) => std::thread::sleep(POLL_INTERVAL),
            Ok(Some(status)) => break JobExit::of_status(status),
            Err(error) => break JobExit::NotStarted(format!("lost sight of the process: {error}")),
        }
    };
    over(exit, start.elapsed().as_secs_f64(), last_lines(&job.log))
}

fn start_child(job: &Job) -> std::io::Result<Child> {
    let named = |error: std::io::Error| {
        std::io::Error::new(error.kind(), format!("{}: the log cannot be written: {error}", job.log.display()))
    };
    if let Some(folder) = job.log.parent() {
        std::fs::create_dir_all(folder).map_err(named)?;
    }
    let log = File::create(&job.log).map_err(named)?;
    let (program, arguments) = job.command.split_first().expect("checked by the launcher");
    let mut command = Command::new(program);
    command.args(arguments).envs(job.env.iter().cloned());
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(named)?).stderr(log);
    in_own_group(&mut command);
    with_default_signals(&mut command);
    command.spawn().map_err(|error| std::io::Error::new(error.kind(), format!("{program}: {error}")))
}

/// A terminal's Ctrl-C reaches the launching program alone, which passes it on once; a child that got it twice would
/// quit without saving its work.
#[cfg(unix)]
fn in_own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn in_own_group(_: &mut Command) {}

/// A script that starts a program in its background has it ignore SIGINT, and every child inherits that: a job could
/// not be asked to stop. SIGHUP stays as it is, since `nohup` means the jobs too.
#[cfg(unix)]
fn with_default_signals(command: &mut Command) {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    use std::os::unix::process::CommandExt;
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    let reset = move || {
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            // SAFETY: the default disposition runs no code of this program
            unsafe { sigaction(signal, &default) }?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only `sigaction` is called, which is async-signal-safe; nothing is allocated
    unsafe { command.pre_exec(reset) };
}

#[cfg(not(unix))]
fn with_default_signals(_: &mut Command) {}
