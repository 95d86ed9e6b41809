//! A launch from a program that was started in the background of a script, where SIGINT is ignored. It stands in a file
//! of its own, since it changes what the whole process does with signals.
#![cfg(unix)]
#![allow(dead_code, reason = "the shared limits are used in part")]

#[path = "../../../tests/support/limit.rs"]
mod limit;

use nix::sys::signal::{SigHandler, Signal, signal};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use stillhouse_launch::{Job, JobEvent, JobExit, Local, StopSignal, launch};

/// A shell cannot trap a signal that was ignored when it started: without the default disposition this job would never
/// learn that it is to stop.
#[test]
fn jobs_can_be_stopped_although_the_launching_program_ignores_the_signals() {
    for ignored in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: ignoring a signal runs no code
        unsafe { signal(ignored, SigHandler::SigIgn) }.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let job = |name: &str, script: &str| Job {
        name: name.into(),
        command: ["/bin/sh", "-c", script].map(String::from).to_vec(),
        env: Vec::new(),
        log: folder.path().join(name),
    };
    let patient = "trap 'echo saved; exit 130' INT; echo ready; while :; do sleep 0.05; done";
    let terminated = "kill -TERM $$; echo 'SIGTERM is ignored'";
    let jobs = [job("patient", patient), job("terminated", terminated)];
    let (launcher, stop) = (Local { n_workers: NonZeroUsize::new(2).unwrap() }, StopSignal::new());
    let ready = || std::fs::read_to_string(&jobs[0].log).is_ok_and(|log| log.contains("ready"));
    let is_over = AtomicBool::new(false);
    let on_event = |event: JobEvent<'_>| {
        let is_second = matches!(event, JobEvent::Finished { outcome } if outcome.name == "terminated");
        is_over.fetch_or(is_second, Ordering::SeqCst);
    };
    let outcomes = std::thread::scope(|scope| {
        scope.spawn(|| {
            limit::wait_until("both jobs", || ready() && is_over.load(Ordering::SeqCst));
            stop.request();
        });
        limit::within_limit("the launch", || stop.kill(), || launch(&launcher, &jobs, &stop, &on_event).unwrap())
    });
    assert_eq!((&outcomes[0].exit, outcomes[0].message.as_str()), (&JobExit::Code(130), "ready\nsaved"));
    assert_eq!(outcomes[1].exit, JobExit::Signal(Signal::SIGTERM as i32), "{}", outcomes[1].message);
}
