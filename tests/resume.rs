//! A run that is killed or interrupted goes on as if nothing had happened.
#![cfg(unix)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Child;
use std::time::{Duration, Instant};
use support::{Finished, Scratch, without_times};

/// Long enough to be hit in the middle: one or two seconds.
const LONGER: [&str; 6] = [
    "--set",
    "generalist.training.n_epochs=120",
    "--set",
    "specialists.training.n_epochs=120",
    "--set",
    "student.training.n_epochs=120",
];
const N_KILLS: usize = 5;
/// Longest time before a kill, as a share of an undisturbed run.
const MAX_SHARE: f64 = 0.33;

fn longer(out: &str) -> Vec<String> {
    let words = ["run", "tiny.toml", "--threads", "2", "--out", out];
    words.iter().chain(&LONGER).map(|word| (*word).to_owned()).collect()
}

fn as_words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// Shares of a run's time that look random but are the same every time: a Weyl sequence.
fn random_share(index: usize) -> f64 {
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
    ((index as f64 + 0.5) * GOLDEN_RATIO).fract()
}

fn assert_same_results(scratch: &Scratch, out: &str, undisturbed: &str) {
    let report = |out: &str| without_times(scratch.json(&format!("{out}/report.json")));
    assert_eq!(report(out), report(undisturbed));
    let model = |out: &str| scratch.bytes(&format!("{out}/student/model.safetensors"));
    assert!(model(out) == model(undisturbed), "the students' weights differ");
}

#[test]
fn five_kills_at_any_moment_change_nothing() {
    let scratch = Scratch::with_tiny_config();
    let start = Instant::now();
    scratch.succeed(&as_words(&longer("undisturbed")));
    let whole = start.elapsed();
    let mut n_hits = 0;
    for index in 0..N_KILLS {
        // a third of a run at most, so that all kills together hardly reach the end
        let mut child = scratch.start(&as_words(&longer("killed")));
        std::thread::sleep(whole.mul_f64(MAX_SHARE * random_share(index)));
        child.kill().unwrap();
        support::limit::wait(&mut child);
        n_hits += usize::from(!scratch.path("killed/report.json").exists());
    }
    // on a machine that is busy by fits and starts some kills may come too late
    assert!(n_hits >= 2, "{n_hits} kills of {N_KILLS} came before the end");
    scratch.succeed(&as_words(&longer("killed")));
    assert_same_results(&scratch, "killed", "undisturbed");
    let leftovers = scratch.files("killed").into_iter().filter(|path| path.to_string_lossy().contains(".partial"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn targets_in_passing_go_on_after_an_interruption() {
    let scratch = Scratch::with_tiny_config();
    let augment = "data.augment={kind=\"shift\", max_pixels=2}";
    let short = ["generalist.training.n_epochs=5", "specialists.training.n_epochs=5"];
    let sets = [augment, "student.views=40", "soft_targets.keep=one_view", short[0], short[1]];
    let words = |out: &str| {
        let sets = sets.iter().flat_map(|text| ["--set".to_owned(), (*text).to_owned()]);
        longer(out).into_iter().chain(sets).collect::<Vec<String>>()
    };
    scratch.succeed(&as_words(&words("undisturbed")));
    for _ in 0..2 {
        let child = scratch.start(&as_words(&words("interrupted")));
        scratch.wait_for("interrupted/metrics.jsonl", "\"stage_started\",\"stage\":\"student\"");
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, Signal::SIGINT);
        let finished = Finished::from(support::limit::wait_with_output(child));
        assert!(matches!(finished.code, Some(0 | 130)), "{}", finished.stderr);
    }
    scratch.succeed(&as_words(&words("interrupted")));
    assert_same_results(&scratch, "interrupted", "undisturbed");
}

#[test]
fn an_interrupted_run_says_how_to_go_on_and_does() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&as_words(&longer("undisturbed")));
    for (out, wish) in [("interrupted", Signal::SIGINT), ("terminated", Signal::SIGTERM)] {
        let child = scratch.start(&as_words(&longer(out)));
        scratch.wait_for(&format!("{out}/metrics.jsonl"), "\"stage_started\",\"stage\":\"specialist_0\"");
        signal(&child, wish);
        let finished = Finished::from(support::limit::wait_with_output(child));
        assert_eq!(finished.code, Some(130), "{}", finished.stderr);
        assert!(finished.stderr.contains("stopping after this step"), "{}", finished.stderr);
        assert!(finished.stderr.contains("the same command goes on from here"), "{}", finished.stderr);
        assert!(!scratch.path(&format!("{out}/report.json")).exists());
        let status = scratch.succeed(&["status", out]).stdout;
        assert!(status.contains(": stopped"), "{status}");

        let resumed = scratch.succeed(&as_words(&longer(out)));
        assert!(resumed.stderr.contains("generalist: cached"), "{}", resumed.stderr);
        assert_same_results(&scratch, out, "undisturbed");
    }
}

#[test]
fn a_second_interrupt_quits_at_once() {
    let scratch = Scratch::with_tiny_config();
    // a step of many seconds: the first interrupt has to wait for its end
    let slow = ["--set", "data.train_per_class=4000", "--set", "generalist.training.batch_size=40000"];
    let wide = ["--set", "generalist.model.widths=[8000, 8000]", "--threads", "1"];
    let child = scratch.start(&[&["run", "tiny.toml", "--out", "out"], &slow[..], &wide[..]].concat());
    scratch.wait_for("out/metrics.jsonl", "{\"event\":\"stage_started\",\"stage\":\"generalist\"");
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    signal(&child, Signal::SIGINT);
    let finished = Finished::from(support::limit::wait_with_output(child));
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(!finished.stderr.contains("goes on from here\n"), "it did not wait: {}", finished.stderr);
}
