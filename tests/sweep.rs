//! Sweeps: cells as programs of their own, shared stages, one summary.

mod support;

use serde_json::Value as Json;
use support::{Scratch, TINY};

/// Two axes below the generalist: every cell needs the same one.
const GRID: &str = "
[sweep]
student.distillation.loss.temperature = [1.0, 4.0]
student.training.n_epochs = [1, 2]
";

fn with_sweep(sweep: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write("grid.toml", format!("{TINY}{sweep}"));
    scratch
}

/// Records of a CSV text; quoted fields may hold commas, quotes and line breaks.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let mut is_quoted = false;
    for c in text.trim_end().chars().filter(|c| *c != '\r') {
        let record = records.last_mut().unwrap();
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(String::new()),
            '\n' if !is_quoted => records.push(vec![String::new()]),
            other => record.last_mut().unwrap().push(other),
        }
    }
    records
}

fn column(records: &[Vec<String>], name: &str) -> Vec<String> {
    let index = records[0].iter().position(|field| field == name).unwrap_or_else(|| panic!("no {name}: {records:?}"));
    records[1..].iter().map(|record| record[index].clone()).collect()
}

#[test]
fn cells_share_the_stages_that_their_configs_have_in_common() {
    let scratch = with_sweep(GRID);
    let finished = scratch.succeed(&["sweep", "grid.toml", "--threads", "2"]);
    assert!(finished.stdout.contains("runs/grid/sweep.html"), "{}", finished.stdout);
    let stages: Vec<String> = std::fs::read_dir(scratch.path("runs/grid/stages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let n_of = |kind: &str| stages.iter().filter(|name| name.starts_with(&format!("{kind}-"))).count();
    assert_eq!((n_of("clustering"), n_of("specialist"), n_of("student")), (1, 3, 4), "{stages:?}");

    let summary = records(&scratch.text("runs/grid/summary.csv"));
    assert_eq!(summary.len(), 1 + 4);
    assert_eq!(column(&summary, "status"), ["ok"; 4]);
    assert_eq!(column(&summary, "student.training.n_epochs"), ["1", "2", "1", "2"]);
    let accuracies = column(&summary, "student.test_top1");
    assert!(accuracies.iter().all(|field| field.parse::<f64>().is_ok()), "{accuracies:?}");
    for file in ["sweep.md", "sweep.html"] {
        assert!(!scratch.bytes(&format!("runs/grid/{file}")).is_empty());
    }

    // everything is there, so a second sweep computes nothing and says the same
    let again = scratch.succeed(&["sweep", "grid.toml", "--json"]);
    let outcome: Json = serde_json::from_str(&again.stdout).unwrap();
    assert!(
        outcome["cells"]
            .as_array()
            .is_some_and(|cells| cells.len() == 4 && cells.iter().all(|cell| cell["ok"] == true))
    );
    let again = records(&scratch.text("runs/grid/summary.csv"));
    assert_eq!(column(&again, "student.test_top1"), accuracies);
    for cell in outcome["cells"].as_array().unwrap() {
        let log = scratch.text(&format!("{}/metrics.jsonl", cell["run_dir"].as_str().unwrap()));
        let students =
            log.lines().filter(|line| line.contains("stage_started") && line.contains("\"student\"")).count();
        assert_eq!(students, 1, "{log}");
    }
}

#[test]
fn a_cell_that_fails_is_recorded_beside_the_others() {
    let scratch = with_sweep("\n[sweep]\nclustering.method.n_clusters = [2, 99]\n");
    let finished = scratch.run(&["sweep", "grid.toml", "--threads", "2", "--out", "out"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("1 of 2 cells failed: 001,n_clusters=99"), "{}", finished.stderr);
    let summary = records(&scratch.text("out/summary.csv"));
    assert_eq!(column(&summary, "status"), ["ok", "failed"]);
    let messages = column(&summary, "message");
    assert!(messages[0].is_empty() && messages[1].contains("99"), "{messages:?}");
    assert!(scratch.path("out/cells/000,n_clusters=2/report.json").exists());
}

#[test]
fn a_dry_run_prints_commands_and_writes_nothing() {
    let scratch = with_sweep(GRID);
    let finished = scratch.succeed(&["sweep", "grid.toml", "--dry-run", "--set", "seed=5"]);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 4);
    for part in ["run grid.toml", "--set seed=5", "loss.temperature=4.0", "--stages runs/grid/stages", "--out "] {
        assert!(lines[3].contains(part), "no {part} in {}", lines[3]);
    }
    assert!(!scratch.path("runs").exists());
}

#[test]
fn a_config_without_a_sweep_is_refused() {
    let scratch = Scratch::with_tiny_config();
    let finished = scratch.run(&["sweep", "tiny.toml"]);
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("[sweep]") && finished.stderr.contains("hint:"), "{}", finished.stderr);
    // a run leaves the table aside
    with_sweep(GRID).succeed(&["check", "grid.toml"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_stops_its_cells_and_goes_on() {
    use nix::sys::signal::{Signal, kill};
    let scratch = with_sweep("\n[sweep]\nseed = [0, 1, 2]\n");
    let slow = ["--set", "specialists.training.n_epochs=200"];
    let words = [&["sweep", "grid.toml", "--threads", "2", "--out", "out"], &slow[..]].concat();
    let child = scratch.start(&words);
    for cell in ["000,seed=0", "001,seed=1"] {
        scratch.wait_for(&format!("out/cells/{cell}/metrics.jsonl"), "\"stage_started\",\"stage\":\"specialist_0\"");
    }
    kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let finished = support::Finished::from(support::limit::wait_with_output(child));
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(!scratch.path("out/summary.csv").exists());
    for cell in ["000,seed=0", "001,seed=1"] {
        let log = scratch.text(&format!("out/logs/{cell}.log"));
        assert!(log.contains("stopping after this step"), "{cell} was not asked to stop: {log}");
        let status = scratch.succeed(&["status", &format!("out/cells/{cell}")]).stdout;
        assert!(status.contains(": stopped"), "{status}");
    }
    scratch.succeed(&words);
    assert_eq!(column(&records(&scratch.text("out/summary.csv")), "status"), ["ok"; 3]);
}
