//! Launching real processes: small scripts of /bin/sh.
#![cfg(unix)]
#![allow(dead_code, reason = "the shared limits are used in part")]

#[path = "../../../tests/support/limit.rs"]
mod limit;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;
use stillhouse_launch::{Job, JobEvent, JobExit, JobOutcome, LaunchError, Local, StopSignal, command_lines};

fn job(folder: &Path, name: &str, script: &str) -> Job {
    let command = ["/bin/sh", "-c", script].map(String::from).to_vec();
    Job { name: name.into(), command, env: Vec::new(), log: folder.join(format!("logs/{name}.log")) }
}

fn local(n_workers: usize) -> Local {
    Local { n_workers: NonZeroUsize::new(n_workers).unwrap() }
}

/// A launch that is killed where it does not end.
fn launch(local: Local, jobs: &[Job], stop: &StopSignal, on_event: &(dyn Fn(JobEvent<'_>) + Sync)) -> Vec<JobOutcome> {
    let launch = || stillhouse_launch::launch(&local, jobs, stop, on_event).unwrap();
    limit::within_limit("the launch", || stop.kill(), launch)
}

fn outcomes(local: Local, jobs: &[Job], stop: &StopSignal) -> Vec<JobOutcome> {
    launch(local, jobs, stop, &|_| {})
}

#[test]
fn outcomes_come_in_the_jobs_order_and_a_failure_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = ["sleep 0.3; echo slow", "echo out; echo why >&2; exit 3", "kill -9 $$", "echo $NAME"];
    let mut jobs: Vec<Job> =
        scripts.iter().enumerate().map(|(index, script)| job(folder.path(), &format!("j{index}"), script)).collect();
    jobs[3].env.push(("NAME".into(), "stillhouse".into()));
    jobs.push(Job { command: vec!["/no/such/program".into()], ..job(folder.path(), "j4", "") });
    for n_workers in [1, 3, 8] {
        let outcomes = outcomes(local(n_workers), &jobs, &StopSignal::new());
        let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
        assert_eq!(names, ["j0", "j1", "j2", "j3", "j4"]);
        assert_eq!((&outcomes[0].exit, outcomes[0].message.as_str()), (&JobExit::Success, "slow"));
        assert!(outcomes[0].elapsed_s >= 0.3, "{}", outcomes[0].elapsed_s);
        assert_eq!((&outcomes[1].exit, outcomes[1].message.as_str()), (&JobExit::Code(3), "out\nwhy"));
        assert_eq!(outcomes[2].exit, JobExit::Signal(9));
        assert_eq!(outcomes[3].message, "stillhouse");
        assert!(matches!(&outcomes[4].exit, JobExit::NotStarted(why) if why.contains("/no/such/program")));
    }
}

#[test]
fn workers_run_side_by_side_and_no_more_than_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let jobs: Vec<Job> = (0..4).map(|index| job(folder.path(), &format!("j{index}"), "sleep 0.3")).collect();
    let seconds = |n_workers| {
        let start = Instant::now();
        outcomes(local(n_workers), &jobs, &StopSignal::new());
        start.elapsed().as_secs_f64()
    };
    let (two, four) = (seconds(2), seconds(4));
    assert!(two >= 0.6, "four jobs of 0.3 s took {two} s on two workers");
    assert!(four < two, "four workers took {four} s, two {two} s");
}

#[test]
fn every_job_is_announced_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = [job(folder.path(), "a", "true"), job(folder.path(), "b", "false")];
    let events = Mutex::new(Vec::new());
    let on_event = |event: JobEvent<'_>| {
        events.lock().unwrap().push(match event {
            JobEvent::Started { job } => format!("started {}", job.name),
            JobEvent::Finished { outcome } => format!("{} {}", outcome.name, outcome.exit),
        });
    };
    launch(local(1), &jobs, &StopSignal::new(), &on_event);
    assert_eq!(*events.lock().unwrap(), ["started a", "a done", "started b", "b exit code 1"]);
}

#[test]
fn a_stop_lets_running_jobs_end_well_and_starts_no_other() {
    let folder = tempfile::tempdir().unwrap();
    // the first job saves its work when it is asked to stop; it announces through its log that it can be asked
    let polite = "trap 'echo saved; exit 130' INT; echo ready; while :; do sleep 0.05; done";
    let jobs = [job(folder.path(), "polite", polite), job(folder.path(), "later", "true")];
    let stop = StopSignal::new();
    let outcomes = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(&jobs[0].log, "ready");
            stop.request();
        });
        outcomes(local(1), &jobs, &stop)
    });
    assert_eq!((&outcomes[0].exit, outcomes[0].message.as_str()), (&JobExit::Code(130), "ready\nsaved"));
    assert_eq!(outcomes[1].exit, JobExit::Cancelled);
}

#[test]
fn a_kill_ends_jobs_that_do_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let deaf = "trap '' INT; echo ready; while :; do sleep 0.05; done";
    let jobs = [job(folder.path(), "deaf", deaf)];
    let stop = StopSignal::new();
    let outcomes = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for(&jobs[0].log, "ready");
            stop.request();
            stop.kill();
        });
        outcomes(local(1), &jobs, &stop)
    });
    assert_eq!(outcomes[0].exit, JobExit::Signal(9));
}

fn wait_for(log: &Path, text: &str) {
    let what = format!("{text} in {}", log.display());
    limit::wait_until(&what, || std::fs::read_to_string(log).is_ok_and(|found| found.contains(text)));
}

#[test]
fn a_dry_run_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = [job(folder.path(), "a", "touch made")];
    assert_eq!(command_lines(&jobs).unwrap(), ["/bin/sh -c 'touch made'"]);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn impossible_jobs_are_refused_before_any_starts() {
    let folder = tempfile::tempdir().unwrap();
    let good = job(folder.path(), "a", "true");
    let empty = Job { name: "b".into(), command: Vec::new(), ..good.clone() };
    let launch = |jobs: &[Job]| stillhouse_launch::launch(&local(1), jobs, &StopSignal::new(), &|_| {}).unwrap_err();
    assert_eq!(launch(&[good.clone(), empty]), LaunchError::EmptyCommand { name: "b".into() });
    assert_eq!(launch(&[good.clone(), good.clone()]), LaunchError::DuplicateName { name: "a".into() });
    assert!(!good.log.exists());
}
