//! A whole run through the real program: its files, its second start, what it prints.

mod support;

use serde_json::Value as Json;
use std::collections::BTreeSet;
use support::{Scratch, without_times};

const STUDENT: &str = "runs/tiny/student";

#[test]
fn a_run_leaves_a_report_that_keeps_the_contract() {
    let scratch = Scratch::with_tiny_config();
    let finished = scratch.succeed(&["run", "tiny.toml", "--threads", "2"]);
    assert!(finished.stdout.contains("runs/tiny/report.html"), "{}", finished.stdout);
    assert!(finished.stdout.lines().all(|line| line.chars().count() <= 80), "{}", finished.stdout);

    let report = scratch.json("runs/tiny/report.json");
    assert_eq!((&report["format_version"], &report["name"], &report["seed"]), (&1.into(), &"tiny".into(), &0.into()));
    has(&report["dataset"], &["name", "n_classes", "n_train", "n_valid", "n_test", "fingerprint"]);
    has(&report, &["gain_kept", "coverage", "total_train_seconds", "wall_seconds"]);
    check_models(&report);
    let clusters = report["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), 3);
    for cluster in clusters {
        has(cluster, &["oracle_gain", "generalist_conditional_top1", "specialist_conditional_top1"]);
        assert!(cluster["classes"].as_array().is_some_and(|classes| classes.iter().all(Json::is_string)));
    }
    for comparison in report["comparisons"].as_array().unwrap() {
        has(comparison, &["a", "b", "delta", "p_value"]);
        assert_eq!(comparison["ci95"].as_array().map(Vec::len), Some(2));
        let verdict = comparison["verdict"].as_str().unwrap();
        assert!(["BEATS", "NO DIFFERENCE", "WORSE"].contains(&verdict), "{verdict}");
    }
    assert!(report["coverage"].as_array().is_some_and(|rows| !rows.is_empty()));
    for file in [
        "config.toml",
        "manifest.json",
        "predictions.csv",
        "classes.csv",
        "report.md",
        "report.html",
        "student/README.md",
        "student/labels.txt",
    ] {
        assert!(!scratch.bytes(&format!("runs/tiny/{file}")).is_empty(), "{file}");
    }
    assert!(scratch.text("runs/tiny/config.toml").parse::<toml::Table>().is_ok());
    has(&scratch.json("runs/tiny/manifest.json"), &["version", "commit", "seed", "device", "data_fingerprint"]);
}

fn check_models(report: &Json) {
    let models = report["models"].as_array().unwrap();
    let names: Vec<&str> = models.iter().map(|model| model["name"].as_str().unwrap()).collect();
    let expected = [
        "generalist",
        "ensemble",
        "student",
        "student_hard",
        "student_generalist",
        "generalist_ensemble",
        "student_generalist_ensemble",
        "specialist_0",
        "specialist_1",
        "specialist_2",
    ];
    for name in expected {
        assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name} in {names:?}");
    }
    for model in models {
        has(model, &["n_parameters", "bytes", "nll", "ece", "valid_top1", "train_seconds", "train_flops"]);
        has(model, &["latency_ms_p50", "latency_ms_p95"]);
        for share in ["top1", "top5", "ece", "valid_top1"] {
            assert!(model[share].as_f64().is_some_and(|share| (0.0..=1.0).contains(&share)), "{share} in {model}");
        }
    }
}

#[test]
fn each_class_and_each_test_example_is_told() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml", "-q"]);
    let report = scratch.json("runs/tiny/report.json");
    let n_test = report["dataset"]["n_test"].as_u64().unwrap() as usize;
    let of = |model: &str| report["models"].as_array().unwrap().iter().find(|found| found["name"] == model).unwrap();
    let student = of("student");

    let classes = report["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 12);
    let scores = |class: &Json, key: &str| -> f64 {
        let models = class["models"].as_array().unwrap();
        let names: Vec<&str> = models.iter().map(|scores| scores["model"].as_str().unwrap()).collect();
        assert_eq!(names, ["generalist", "ensemble", "student", "student_hard"]);
        models[2][key].as_f64().unwrap()
    };
    let recalls: Vec<f64> = classes.iter().map(|class| scores(class, "recall")).collect();
    assert!(recalls.is_sorted(), "the worst class comes first: {recalls:?}");
    let mean = |key: &str| classes.iter().map(|class| scores(class, key)).sum::<f64>() / classes.len() as f64;
    assert!((mean("recall") - student["balanced_accuracy"].as_f64().unwrap()).abs() < 1e-12);
    assert!((mean("f1") - student["macro_f1"].as_f64().unwrap()).abs() < 1e-12);
    // each class has 8 test examples
    assert!((mean("recall") - student["top1"].as_f64().unwrap()).abs() < 1e-12);
    assert!(of("specialist_0").get("macro_f1").is_none());
    let compared = &report["class_comparison"];
    assert_eq!((&compared["a"], &compared["b"]), (&"student".into(), &"student_hard".into()));
    assert_eq!((&compared["n_classes"], &compared["median_examples"]), (&12.into(), &8.0.into()));
    let pairs = report["confused_pairs"].as_array().unwrap();
    assert!(pairs.len() <= 20 && pairs.iter().all(|pair| pair["label"] != pair["predicted"]), "{pairs:?}");

    let predictions = scratch.text("runs/tiny/predictions.csv");
    let rows: Vec<Vec<&str>> = predictions.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|found| *found == name).unwrap();
    assert_eq!(rows.len(), 1 + n_test);
    for model in ["generalist", "ensemble", "student", "student_hard"] {
        let n_right = rows[1..].iter().filter(|row| row[column("label")] == row[column(model)]).count();
        assert!((n_right as f64 / n_test as f64 - of(model)["top1"].as_f64().unwrap()).abs() < 1e-12, "{model}");
        let confidence = column(&format!("{model}_confidence"));
        assert!(rows[1..].iter().all(|row| (0.0..=1.0).contains(&row[confidence].parse::<f64>().unwrap())));
    }
    assert_eq!((rows[1][column("source")], rows[1][column("row")]), ("test", "0"));
    for pair in pairs {
        let row = &rows[1 + pair["test_row"].as_u64().unwrap() as usize];
        assert_eq!(
            (row[column("label")], row[column("student")]),
            (pair["label"].as_str().unwrap(), pair["predicted"].as_str().unwrap())
        );
    }
    assert_eq!(scratch.text("runs/tiny/classes.csv").lines().count(), 13);
    for page in ["report.md", "report.html"] {
        assert!(scratch.text(&format!("runs/tiny/{page}")).contains("The student’s worst classes"), "{page}");
    }
}

#[test]
fn predictions_name_files_and_escape_labels() {
    const CLASSES: [&str; 4] = ["=1+1", "a,b", "say \"x\"", "plain"];
    let scratch = Scratch::new();
    for (split, n_images) in [("train", 12), ("test", 3)] {
        for (class, name) in CLASSES.iter().enumerate() {
            for nth in 0..n_images {
                let path = scratch.write(&format!("images/{split}/{name}/{nth}.png"), "");
                let pixel = |x: u32, y: u32| image::Luma([((x * (class as u32 + 1) * 9) ^ (y * 5 + nth)) as u8]);
                image::GrayImage::from_fn(8, 8, pixel).save(path).unwrap();
            }
        }
    }
    let (_, rest) = support::TINY.split_once("[generalist]").unwrap();
    let data = "[data]\nkind = \"image_folder\"\npath = \"images\"\nchannels = 1\nvalid_fraction = 0.25\n";
    let config = format!("seed = 0\n{data}\n[generalist]{rest}").replace("n_clusters = 3", "n_clusters = 2");
    scratch.write("images.toml", config);
    scratch.succeed(&["run", "images.toml", "-q"]);
    let predictions = scratch.text("runs/images/predictions.csv");
    let lines: Vec<&str> = predictions.lines().collect();
    assert_eq!(lines.len(), 1 + 12);
    for written in
        ["images/test/=1+1/0.png,'=1+1,", "\"images/test/a,b/0.png\",\"a,b\",", "images/test/plain/2.png,plain,"]
    {
        assert!(lines.iter().any(|line| line.contains(written)), "{written}\n{predictions}");
    }
    assert!(predictions.contains("\"say \"\"x\"\"\""), "{predictions}");
    let classes = scratch.text("runs/images/classes.csv");
    assert!(classes.contains("'=1+1,3,") && classes.contains("\"a,b\",3,"), "{classes}");
}

fn has(table: &Json, keys: &[&str]) {
    for key in keys {
        assert!(table.get(key).is_some(), "{key} is missing in {table}");
    }
}

#[test]
fn a_second_run_computes_nothing_and_reports_the_same() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml"]);
    let (report, model) =
        (scratch.json("runs/tiny/report.json"), scratch.bytes(&format!("{STUDENT}/model.safetensors")));
    let log_before = scratch.text("runs/tiny/metrics.jsonl");
    let again = scratch.succeed(&["run", "tiny.toml"]);
    // times of trainings are read back as well, so only what is measured at the end may differ
    assert_eq!(without_times(scratch.json("runs/tiny/report.json")), without_times(report));
    assert_eq!(scratch.bytes(&format!("{STUDENT}/model.safetensors")), model);
    let log = scratch.text("runs/tiny/metrics.jsonl");
    let events: Vec<Json> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let n_before = log_before.lines().count();
    let started = |event: &&Json| event["event"] == "stage_started" && event["stage"] != "data";
    let computed: Vec<&Json> = events[n_before..].iter().filter(started).collect();
    assert!(computed.is_empty(), "{computed:?}");
    assert!(events[..n_before].iter().any(|event| event["event"] == "epoch" && event["record"]["train_loss"].is_f64()));
    assert!(again.stderr.contains("generalist: cached"), "{}", again.stderr);
}

#[test]
fn force_computes_finished_stages_again() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml"]);
    let model = scratch.bytes(&format!("{STUDENT}/model.safetensors"));
    let forced = scratch.succeed(&["run", "tiny.toml", "--force"]);
    assert!(forced.stderr.contains("generalist: started") && !forced.stderr.contains("cached"), "{}", forced.stderr);
    assert_eq!(scratch.bytes(&format!("{STUDENT}/model.safetensors")), model);
}

#[test]
fn every_loss_and_each_of_its_settings_makes_another_student() {
    let scratch = Scratch::with_tiny_config();
    let losses = [
        "{ kind = \"soft_cross_entropy\", temperature = 2.0 }",
        "{ kind = \"logit_l2\" }",
        "{ kind = \"standardised_soft_cross_entropy\", temperature = 2.0 }",
        "{ kind = \"standardised_soft_cross_entropy\", temperature = 3.0 }",
        "{ kind = \"decoupled\", temperature = 2.0, target_weight = 1.0, non_target_weight = 8.0 }",
        "{ kind = \"decoupled\", temperature = 3.0, target_weight = 1.0, non_target_weight = 8.0 }",
        "{ kind = \"decoupled\", temperature = 2.0, target_weight = 0.5, non_target_weight = 8.0 }",
        "{ kind = \"decoupled\", temperature = 2.0, target_weight = 1.0, non_target_weight = 2.0 }",
    ];
    let mut students = BTreeSet::new();
    for (nth, loss) in losses.iter().enumerate() {
        // half of the examples have no label: each loss has to do without
        let settings = [format!("student.distillation.loss={loss}"), "data.labelled_fraction=0.5".to_owned()];
        let [loss, labels] = settings.each_ref().map(String::as_str);
        let out = format!("runs/{nth}");
        scratch.succeed(&[
            "run",
            "tiny.toml",
            "-q",
            "--out",
            &out,
            "--stages",
            "stages",
            "--set",
            loss,
            "--set",
            labels,
        ]);
        students.insert(scratch.bytes(&format!("{out}/student/model.safetensors")));
    }
    assert_eq!(students.len(), losses.len());
}

#[test]
fn the_student_predicts_without_its_run() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml"]);
    std::fs::rename(scratch.path(STUDENT), scratch.path("shipped")).unwrap();
    std::fs::remove_dir_all(scratch.path("runs")).unwrap();
    let image = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([((x * 9) ^ (y * 5)) as u8]));
    for name in ["a.png", "b.png"] {
        std::fs::create_dir_all(scratch.path("pictures")).unwrap();
        image.save(scratch.path("pictures").join(name)).unwrap();
    }
    let labels: Vec<String> = scratch.text("shipped/labels.txt").lines().map(str::to_owned).collect();
    let finished = scratch.succeed(&["predict", "shipped", "pictures/a.png", "pictures", "--top-k", "12", "--json"]);
    let predictions: Json = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(predictions.as_array().map(Vec::len), Some(3));
    assert_eq!(predictions[0]["top"], predictions[2]["top"], "the same image in a folder");
    let top = predictions[0]["top"].as_array().unwrap();
    let shares: Vec<f64> = top.iter().map(|entry| entry[1].as_f64().unwrap()).collect();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-4, "{shares:?}");
    assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
    assert!(top.iter().all(|entry| labels.contains(&entry[0].as_str().unwrap().to_owned())));
    let text = scratch.succeed(&["predict", "shipped", "pictures/a.png", "--top-k", "1"]).stdout;
    assert!(text.starts_with(&format!("pictures/a.png: {} ", top[0][0].as_str().unwrap())), "{text}");
}

#[test]
fn a_model_is_evaluated_as_in_its_report() {
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml"]);
    let keys = ["kind=glyphs", "n_classes=12", "train_per_class=20", "test_per_class=8"];
    let words = [&["evaluate", STUDENT, "--json", "--data"], &keys[..]].concat();
    let outcome: Json = serde_json::from_str(&scratch.succeed(&words).stdout).unwrap();
    let report = scratch.json("runs/tiny/report.json");
    let student = report["models"].as_array().unwrap().iter().find(|model| model["name"] == "student").unwrap();
    assert_eq!(outcome["n_examples"], report["dataset"]["n_test"]);
    assert_eq!(outcome["top1"], student["top1"]);
    for key in ["balanced_accuracy", "macro_f1"] {
        assert!((outcome[key].as_f64().unwrap() - student[key].as_f64().unwrap()).abs() < 1e-12, "{key}");
    }
    assert_eq!(outcome["classes"].as_array().map(Vec::len), Some(12));
    let words: Vec<&str> = words.into_iter().filter(|word| *word != "--json").collect();
    let told = scratch.succeed(&words).stdout;
    assert!(told.contains("macro F1") && told.contains("(12 classes with examples)"), "{told}");
    // what leaves the run has the temperature that was fitted to the validation split
    let calibration = &report["calibration"][0];
    for key in ["nll", "ece"] {
        assert!(
            (outcome[key].as_f64().unwrap() - calibration[key].as_f64().unwrap()).abs() < 1e-6,
            "{outcome} {calibration}"
        );
    }
    assert_eq!(calibration["nll_as_trained"], student["nll"]);
    let config = scratch.json("runs/tiny/student/config.json");
    assert_eq!(config.get("temperature").unwrap_or(&1.0.into()), &calibration["temperature"]);
    let n_in_bins: u64 =
        calibration["bins"].as_array().unwrap().iter().map(|bin| bin["n_examples"].as_u64().unwrap()).sum();
    assert_eq!(report["dataset"]["n_test"], n_in_bins);
    let card = scratch.text("runs/tiny/student/README.md");
    assert!(card.contains("| temperature, fitted on validation |"), "{card}");
}

#[test]
fn pipes_get_plain_lines_and_data_only_on_stdout() {
    let scratch = Scratch::with_tiny_config();
    let finished = scratch.succeed(&["run", "tiny.toml", "--json", "-v"]);
    let printed: Json = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(printed, scratch.json("runs/tiny/report.json"));
    assert!(finished.stderr.contains("student: epoch 1/2, loss "), "{}", finished.stderr);
    let is_plain = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
    assert!(is_plain(&finished.stderr), "{:?}", finished.stderr);
    let summary = scratch.succeed(&["report", "runs/tiny"]);
    assert!(is_plain(&summary.stdout) && summary.stderr.is_empty(), "{summary:?}");
    let quiet = scratch.succeed(&["run", "tiny.toml", "--force", "-q"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scratch = Scratch::new();
    let mut child = scratch.start(&["schema"]);
    // closed before the program writes, or while it does: more than a pipe holds
    drop(child.stdout.take());
    let finished = support::Finished::from(support::limit::wait_with_output(child));
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
}

#[test]
fn plan_and_status_tell_what_is_done() {
    let scratch = Scratch::with_tiny_config();
    let plan = |words: &[&str]| -> Json { serde_json::from_str(&scratch.succeed(words).stdout).unwrap() };
    let before = plan(&["plan", "tiny.toml", "--json"]);
    assert!(!scratch.path("runs").exists(), "a plan writes nothing");
    let told = scratch.succeed(&["run", "tiny.toml"]).stderr;
    assert!(told.contains("of the validation examples the merged ensemble gets "), "{told}");
    let after = plan(&["plan", "tiny.toml", "--json"]);
    let names =
        |plan: &Json| -> Vec<Json> { plan["stages"].as_array().unwrap().iter().map(|s| s["name"].clone()).collect() };
    assert_eq!(names(&before), names(&after));
    let is_cached = |plan: &Json, name: &str| -> bool {
        let stages = plan["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage["name"] == name).unwrap()["cached"].as_bool().unwrap()
    };
    let seconds = |plan: &Json, name: &str| -> Option<f64> {
        let stages = plan["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage["name"] == name).unwrap()["estimated_seconds"].as_f64()
    };
    for name in ["generalist", "specialist_2", "validation", "merged", "soft_targets", "student_hard", "evaluation"] {
        assert!(!is_cached(&before, name) && is_cached(&after, name), "{name}");
        assert!(seconds(&before, name) > Some(0.0) && seconds(&after, name).is_none(), "{name}");
    }
    let changed = plan(&["plan", "tiny.toml", "--json", "--set", "student.training.n_epochs=3"]);
    assert!(is_cached(&changed, "specialist_2") && !is_cached(&changed, "student"));

    let forced = plan(&["plan", "tiny.toml", "--json", "--force"]);
    assert!(forced["stages"].as_array().unwrap().iter().all(|stage| stage["cached"] == false), "{forced}");
    assert!(is_cached(&plan(&["plan", "tiny.toml", "--json"]), "student"), "a plan changes nothing");

    let status: Json = serde_json::from_str(&scratch.succeed(&["status", "runs/tiny", "--json"]).stdout).unwrap();
    assert_eq!((&status["name"], &status["state"]), (&"tiny".into(), &"finished".into()));
    assert!(status["stages"].as_array().unwrap().iter().all(|stage| stage["state"] == "done"));
    let text = scratch.succeed(&["status", "runs/tiny"]).stdout;
    assert!(text.contains("tiny: finished") && text.contains("2/2"), "{text}");
}

#[test]
fn init_writes_a_config_that_passes_and_overwrites_nothing() {
    let scratch = Scratch::new();
    for class in ["cat", "dog", "fox"] {
        for index in 0..6_u8 {
            let path = scratch.write(&format!("pets/train/{class}/{index}.png"), "");
            image::RgbImage::from_pixel(8, 8, image::Rgb([index * 40, 7, 7])).save(path).unwrap();
        }
    }
    scratch.succeed(&["init", "pets", "--out", "pets.toml"]);
    let config = scratch.text("pets.toml");
    assert!(config.starts_with('#'), "{config}");
    scratch.succeed(&["check", "pets.toml"]);
    let schema = scratch.succeed(&["schema"]).stdout;
    assert_eq!(scratch.text("stillhouse.schema.json"), schema);
    // without a file there is no place for the schema, so nothing names it
    let printed = scratch.succeed(&["init", "pets"]).stdout;
    assert_eq!(config, format!("#:schema ./stillhouse.schema.json\n{printed}"));
    let again = scratch.run(&["init", "pets", "--out", "pets.toml"]);
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    assert!(again.stderr.contains("exists already"), "{}", again.stderr);
    assert_eq!(scratch.text("pets.toml"), config);
}

#[test]
fn a_preview_shows_pictures() {
    let scratch = Scratch::with_tiny_config();
    let finished = scratch.succeed(&["data", "preview", "tiny.toml", "--out", "page.html", "-q"]);
    assert_eq!(finished.stdout, "page.html\n");
    let page = scratch.text("page.html");
    assert_eq!((page.matches("<h3>").count(), page.matches("<img ").count()), (12, 12 * 12));
    scratch.succeed(&["data", "preview", "tiny.toml", "--out", "sheet.png", "-q"]);
    let sheet = image::open(scratch.path("sheet.png")).unwrap();
    assert_eq!(sheet.width(), sheet.height(), "12 images of each of 12 classes, which are as wide as high");
    let refused = scratch.run(&["data", "preview", "tiny.toml", "--out", "sheet.gif"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
}
