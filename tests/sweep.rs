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

/// A grid of which the second cell fails when it runs: somebody else's file is in the place of its config.
fn with_failing_cell() -> Scratch {
    let scratch = with_sweep("\n[sweep]\nclustering.method.n_clusters = [2, 3]\n");
    scratch.write("out/cells/001,n_clusters=3/config.toml", "mine");
    scratch
}

#[test]
fn a_cell_that_fails_is_recorded_beside_the_others_and_run_again_alone() {
    let scratch = with_failing_cell();
    let words = ["sweep", "grid.toml", "--threads", "2", "--out", "out"];
    let finished = scratch.run(&words);
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("1 of 2 cells failed: 001,n_clusters=3"), "{}", finished.stderr);
    let summary = records(&scratch.text("out/summary.csv"));
    assert_eq!(column(&summary, "status"), ["ok", "failed"]);
    let messages = column(&summary, "message");
    assert!(messages[0].is_empty() && messages[1].contains("did not write it"), "{messages:?}");
    assert!(scratch.path("out/cells/000,n_clusters=2/report.json").exists());
    let status = scratch.succeed(&["status", "out"]).stdout;
    assert!(status.contains("grid: stopped (out)\n1 finished, 1 failed\ncells: number, n_clusters\n"), "{status}");
    assert!(status.lines().all(|line| line.chars().count() <= 80), "{status}");

    // once the cause is gone, the one cell alone is run
    std::fs::remove_file(scratch.path("out/cells/001,n_clusters=3/config.toml")).unwrap();
    let again: Json =
        serde_json::from_str(&scratch.succeed(&[&words[..], &["--only-failed", "--json"]].concat()).stdout).unwrap();
    let names: Vec<&Json> = again["cells"].as_array().unwrap().iter().map(|cell| &cell["name"]).collect();
    assert_eq!(names, ["001,n_clusters=3"]);
    assert_eq!(column(&records(&scratch.text("out/summary.csv")), "status"), ["ok", "ok"]);
    let status: Json = serde_json::from_str(&scratch.succeed(&["status", "out", "--json"]).stdout).unwrap();
    assert_eq!((&status["state"], &status["cells"][1]["state"]), (&"finished".into(), &"finished".into()));
    assert_eq!(status["cells"][1]["stage"], Json::Null);

    // the summaries are written again from what is there
    let bytes = scratch.bytes("out/sweep.html");
    std::fs::remove_file(scratch.path("out/sweep.html")).unwrap();
    assert!(scratch.succeed(&["report", "out"]).stdout.contains("out/sweep.html"));
    assert_eq!(scratch.bytes("out/sweep.html"), bytes);
}

#[test]
fn cells_of_other_axes_are_named_and_stay() {
    let scratch = with_sweep("\n[sweep]\nseed = [0, 1]\n");
    scratch.succeed(&["sweep", "grid.toml", "--threads", "2", "-q"]);
    scratch.write("grid.toml", format!("{TINY}\n[sweep]\nseed = [0, 2]\n"));
    let told = scratch.succeed(&["sweep", "grid.toml", "--threads", "2", "-q"]).stderr;
    assert!(told.contains("1 folder in runs/grid/cells belong to no cell of this sweep: 001,seed=1"), "{told}");
    assert!(scratch.path("runs/grid/cells/001,seed=1/report.json").exists());
    assert_eq!(column(&records(&scratch.text("runs/grid/summary.csv")), "seed"), ["0", "2"]);
    assert!(scratch.succeed(&["status", "runs/grid"]).stdout.contains("no cell of this sweep: 001,seed=1"));
}

#[test]
fn all_cells_are_checked_before_the_first_starts() {
    let scratch = with_sweep("\n[sweep]\nseed = [0, 1]\nclustering.method.n_clusters = [2, 99]\nstudent.vews = [1]\n");
    for command in ["sweep", "check"] {
        let refused = scratch.run(&[command, "grid.toml"]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        let expected = ["student.vews: unknown key", "(in 4 of 4 cells)", "did you mean `views`?"];
        assert!(expected.iter().all(|part| refused.stderr.contains(part)), "{}", refused.stderr);
    }
    scratch.write("grid.toml", format!("{TINY}\n[sweep]\nseed = [0, 1]\nclustering.method.n_clusters = [2, 99]\n"));
    let refused = scratch.run(&["sweep", "grid.toml"]);
    let expected = "clustering.method.n_clusters: 99 clusters of 12 classes";
    assert!(refused.stderr.contains(expected) && refused.stderr.contains("(in 2 of 4 cells)"), "{}", refused.stderr);
    assert!(refused.stderr.contains("from [sweep], clustering.method.n_clusters=99"), "{}", refused.stderr);
    assert!(!scratch.path("runs").exists());
}

#[test]
fn halving_goes_on_with_the_better_ones_and_trains_nothing_twice() {
    let axes = "student.training.schedule.learning_rate = [1e-6, 3e-3, 1e-2, 3e-2]\nstudent.distillation.loss.temperature = [2.0]\n";
    let search = "search = { kind = \"successive_halving\", factor = 2, first_share = 0.25 }\n";
    let scratch = with_sweep(&format!("\n[sweep]\n{axes}{search}"));
    let words = ["sweep", "grid.toml", "--threads", "2", "--set", "student.training.n_epochs=8"];
    scratch.succeed(&words);
    let summary = records(&scratch.text("runs/grid/summary.csv"));
    let status = column(&summary, "status");
    assert_eq!(status.iter().filter(|status| *status == "ok").count(), 1, "{status:?}");
    assert_eq!(status[0], "dropped", "a learning rate of nearly nothing");
    let messages = column(&summary, "message");
    assert!(messages[0].starts_with("dropped after 2 of 8 epochs, validation top-1 "), "{messages:?}");
    let n_after = |epochs: &str| messages.iter().filter(|message| message.contains(epochs)).count();
    assert_eq!((n_after("after 2 of 8"), n_after("after 4 of 8")), (2, 1), "{messages:?}");

    // the winner has the bits of a run that was never stopped
    let winner = status.iter().position(|status| status == "ok").unwrap();
    let report = scratch.files("runs/grid/cells").into_iter().find(|file| file.ends_with("report.json")).unwrap();
    let own: Json = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let rate = &column(&summary, "student.training.schedule.learning_rate")[winner];
    let rate = format!("student.training.schedule.learning_rate={rate}");
    let others = ["student.training.n_epochs=8", &rate, "student.distillation.loss.temperature=2.0"];
    let sets = others.iter().flat_map(|set| ["--set", set]);
    scratch.succeed(&["run", "grid.toml", "-q", "--out", "whole"].into_iter().chain(sets).collect::<Vec<_>>());
    let accuracies = |report: &Json| -> Vec<(String, Json, Json)> {
        let models = report["models"].as_array().unwrap().iter();
        models.map(|model| (model["name"].to_string(), model["top1"].clone(), model["nll"].clone())).collect()
    };
    assert_eq!(accuracies(&own), accuracies(&scratch.json("whole/report.json")));
    let weights = std::fs::read(report.with_file_name("student").join("model.safetensors")).unwrap();
    assert!(weights == scratch.bytes("whole/student/model.safetensors"));
    let log = std::fs::read_to_string(report.with_file_name("metrics.jsonl")).unwrap();
    let epochs: Vec<u64> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        .filter(|event| event["event"] == "epoch" && event["stage"] == "student")
        .map(|event| event["record"]["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(epochs, [1, 2, 3, 4, 5, 6, 7, 8]);

    // a second start finds all decisions made
    scratch.succeed(&words);
    assert_eq!(column(&records(&scratch.text("runs/grid/summary.csv")), "status"), status);
    let told = scratch.succeed(&["status", "runs/grid"]).stdout;
    assert!(told.contains("grid: finished") && told.contains("1 finished") && told.contains("3 dropped"), "{told}");
    let html = scratch.text("runs/grid/sweep.html");
    assert!(html.contains("Dropped cells") && !html.contains("Failed cells"));
}

#[test]
fn cells_that_share_a_student_have_one_score() {
    let axes = "evaluation.n_samples = [1, 2]\nstudent.training.schedule.learning_rate = [1e-6, 1e-2]\n";
    let search = "search = { kind = \"successive_halving\", factor = 2, first_share = 0.25 }\n";
    let scratch = with_sweep(&format!("\n[sweep]\n{axes}{search}"));
    scratch.succeed(&["sweep", "grid.toml", "--threads", "1", "--set", "student.training.n_epochs=8"]);
    let summary = records(&scratch.text("runs/grid/summary.csv"));
    let messages = column(&summary, "message");
    // both cells of the low rate go after the first decision, with the same numbers
    assert!(messages[0].starts_with("dropped after 2 of 8 epochs") && messages[0] == messages[2], "{messages:?}");
}

#[test]
fn a_run_stops_at_a_share_of_a_training_that_it_has() {
    let scratch = Scratch::with_tiny_config();
    let stopped = scratch.succeed(&["run", "tiny.toml", "-q", "--until", "generalist:0.5"]);
    assert!(stopped.stdout.contains("stopped: generalist after 1 of 2 epochs"), "{}", stopped.stdout);
    assert!(!scratch.path("runs/tiny/report.json").exists());
    scratch.succeed(&["run", "tiny.toml", "-q"]);
    scratch.succeed(&["run", "tiny.toml", "-q", "--out", "whole"]);
    let weights = |run: &str| scratch.bytes(&format!("{run}/student/model.safetensors"));
    assert!(weights("runs/tiny") == weights("whole"));
    let refused = scratch.run(&["run", "tiny.toml", "--out", "other", "--until", "studnet:0.5"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("this run has no stage `studnet`, it has"), "{}", refused.stderr);
    assert!(scratch.run(&["run", "tiny.toml", "--until", "student:2"]).stderr.contains("above 0 and below 1"));
}

#[test]
fn another_program_drives_a_search() {
    let scratch = with_sweep(
        "\n[sweep]\nstudent.distillation.loss.temperature = [1.0, 4.0]\n\
         student.training.n_epochs = { from = 1, to = 3 }\nsearch = { kind = \"random\", n_trials = 9 }\n",
    );
    let ask = || -> Json { serde_json::from_str(&scratch.succeed(&["sweep", "grid.toml", "--ask"]).stdout).unwrap() };
    let space = &ask()["space"]["axes"];
    assert_eq!(space[0]["keys"], serde_json::json!(["student.distillation.loss.temperature"]));
    assert_eq!(space[0]["values"], serde_json::json!({ "listed": [["1.0"], ["4.0"]] }));
    let range = serde_json::json!({ "range": { "from": 1.0, "to": 3.0, "is_log": false, "is_whole": true } });
    assert_eq!(space[1]["values"], range);
    assert_eq!(ask()["trials"], serde_json::json!([]));

    let tell = |values: &str| -> Json {
        let told = scratch.succeed(&["sweep", "grid.toml", "--tell", values, "-q"]);
        assert_eq!(told.stdout.lines().count(), 1, "{}", told.stdout);
        serde_json::from_str(&told.stdout).unwrap()
    };
    let values = r#"{ "student.distillation.loss.temperature": 4.0, "student.training.n_epochs": 2 }"#;
    let first = tell(values);
    assert_eq!((&first["state"], &first["model"]), (&"finished".into(), &"student".into()));
    let report = scratch.json(&format!("{}/report.json", first["run_dir"].as_str().unwrap()));
    let student = report["models"].as_array().unwrap().iter().find(|model| model["name"] == "student").unwrap();
    assert_eq!(first["valid_top1"], student["valid_top1"]);
    // the same values are the same trial, in whatever order they are written
    let other_order = r#"{ "student.training.n_epochs": 2, "student.distillation.loss.temperature": 4.0 }"#;
    assert_eq!(tell(other_order), first);
    let second = tell(r#"{ "student.distillation.loss.temperature": 1.0, "student.training.n_epochs": 1 }"#);
    assert_eq!(ask()["trials"], serde_json::json!([first, second]));
    let generalists =
        scratch.files("runs/grid/stages").iter().filter(|file| file.to_string_lossy().contains("/generalist-")).count();
    assert!(generalists > 0 && scratch.path("runs/grid/sweep.html").exists());

    let refused = |values: &str, expected: &str| {
        let told = scratch.run(&["sweep", "grid.toml", "--tell", values]);
        assert!(told.code == Some(2) && told.stderr.contains(expected), "{values}: {}", told.stderr);
    };
    refused(r#"{ "seed": 3 }"#, "seed is not varied by [sweep]");
    refused("seed=3", "expected an object such as");
    refused(
        r#"{ "student.training.n_epochs": 0 }"#,
        "student.training.n_epochs: must be between 1 and 1000000, found 0",
    );
    assert_eq!(ask()["trials"].as_array().unwrap().len(), 2);
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
    // a run leaves the table aside, and says so
    let grid = with_sweep(GRID);
    let checked = grid.succeed(&["check", "grid.toml"]);
    assert!(checked.stderr.contains("all 4 cells of `stillhouse sweep grid.toml` are checked"), "{}", checked.stderr);
    let run = grid.succeed(&["run", "grid.toml"]);
    assert!(run.stderr.contains("this run is of the config without its [sweep] table"), "{}", run.stderr);
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
