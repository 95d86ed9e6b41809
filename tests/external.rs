//! Teachers that other programs trained: beside a run's own, instead of them, and files that do not fit.

mod support;

use serde_json::Value as Json;
use support::Scratch;
use support::matrices::{Draw, npy, read_npy, softmax};

const N_CLASSES: usize = 6;
const N_TRAIN: usize = 180;
const N_TEST: usize = 90;

const DATA: &str = r#"seed = 0
[data]
kind = "features"
train = "train.npy"
train_labels = "train.txt"
test = "test.npy"
test_labels = "test.txt"
valid_fraction = 0.2
[student]
model = { kind = "mlp", widths = [8] }
training = { n_epochs = 20, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }
distillation = { loss = { kind = "soft_cross_entropy", temperature = 2.0 } }
[evaluation]
n_samples = 2
"#;

const GENERALIST: &str = r#"[generalist]
model = { kind = "mlp", widths = [16] }
training = { n_epochs = 2, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }
"#;

const SPECIALISTS: &str = r#"[clustering]
affinity = "prediction_covariance"
method = { kind = "k_means", n_clusters = 2 }
[specialists]
init = "scratch"
training = { n_epochs = 20, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }
"#;

const WHOLE: &str = "[[external_teacher]]\nname = \"whole\"\ntrain = \"whole_train.npy\"\ntest = \"whole_test.npy\"\nspace = \"logits\"\n";

const PART: &str = "[[external_teacher]]\nname = \"part\"\ntrain = \"part_train.npy\"\ntest = \"part_test.npy\"\nspace = \"logits\"\n\
                    classes = [4, 1, 3]\ndustbin = true\nweight = 2.0\n";

/// Features that tell the classes apart, labels, and two teachers' logits: one of every class, one of three and a
/// dustbin.
fn write_data(scratch: &Scratch) {
    let mut draw = Draw(7);
    for (split, n_examples) in [("train", N_TRAIN), ("test", N_TEST)] {
        let labels: Vec<usize> = (0..n_examples).map(|example| example % N_CLASSES).collect();
        let mut near = |label: usize, n: usize, strength: f64| -> Vec<f64> {
            let mut row = draw.logits(n);
            row[label] += strength;
            row
        };
        let features: Vec<Vec<f64>> = labels.iter().map(|label| near(*label, N_CLASSES, 6.0)).collect();
        let whole: Vec<Vec<f64>> = labels.iter().map(|label| near(*label, N_CLASSES, 4.0)).collect();
        let local = |label: &usize| [4, 1, 3].iter().position(|class| class == label).unwrap_or(3);
        let part: Vec<Vec<f64>> = labels.iter().map(|label| near(local(label), 4, 8.0)).collect();
        scratch.write(&format!("{split}.npy"), npy(&features));
        scratch.write(&format!("whole_{split}.npy"), npy(&whole));
        scratch.write(&format!("part_{split}.npy"), npy(&part));
        let lines: Vec<String> = labels.iter().map(ToString::to_string).collect();
        scratch.write(&format!("{split}.txt"), lines.join("\n"));
    }
}

/// The report of a run with these tables.
fn run(tables: &[&str]) -> (Scratch, Json) {
    let scratch = Scratch::new();
    write_data(&scratch);
    scratch.write("c.toml", [&[DATA], tables].concat().concat());
    scratch.succeed(&["run", "c.toml", "--threads", "2"]);
    let report = scratch.json("runs/c/report.json");
    (scratch, report)
}

fn top1(report: &Json, name: &str) -> f64 {
    let models = report["models"].as_array().unwrap();
    let model = models.iter().find(|model| model["name"] == name);
    model.unwrap_or_else(|| panic!("no {name} in {models:?}"))["top1"].as_f64().unwrap()
}

/// Share of the test rows whose largest value stands in the label's column.
fn share_right(rows: &[f64]) -> f64 {
    let is_right = |(example, row): (usize, &[f64])| {
        let best = (0..N_CLASSES).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        best == example % N_CLASSES
    };
    rows.chunks_exact(N_CLASSES).enumerate().filter(|row| is_right(*row)).count() as f64 / N_TEST as f64
}

#[test]
fn instead_of_all_trained_teachers() {
    let (scratch, report) = run(&[WHOLE, PART]);
    let whole = read_npy(&scratch.bytes("whole_test.npy"));
    let probs: Vec<f64> = whole.chunks_exact(N_CLASSES).flat_map(softmax).collect();
    assert!((top1(&report, "generalist") - share_right(&probs)).abs() < 1e-12);

    scratch.write(
        "teachers.toml",
        "[[teacher]]\npredictions = \"whole_test.npy\"\nspace = \"logits\"\n[[teacher]]\npredictions = \"part_test.npy\"\n\
         space = \"logits\"\nclasses = [4, 1, 3]\ndustbin = true\nweight = 2.0\n",
    );
    scratch.succeed(&["merge", "teachers.toml", "--out", "merged.npy"]);
    let merged = share_right(&read_npy(&scratch.bytes("merged.npy")));
    assert!((top1(&report, "ensemble") - merged).abs() < 1e-12);
    assert!(merged > top1(&report, "generalist"));

    for name in ["student", "student_generalist"] {
        assert!(top1(&report, name) > 0.5, "{name}: {}", top1(&report, name));
    }
    assert_eq!(report["clusters"].as_array().map(Vec::len), Some(0));
    assert!(report["notes"][0].as_str().unwrap().ends_with("counted as nothing: whole, part."), "{}", report["notes"]);
    for page in ["report.md", "report.html"] {
        let page = scratch.text(&format!("runs/c/{page}"));
        assert!(page.contains("whole, part") && !page.contains("NaN"));
    }
    let stores = scratch.files("runs/c/stages");
    let store = stores.iter().find(|path| path.to_str().unwrap().contains("/soft_targets-")).unwrap();
    let folder = store.parent().unwrap().join("targets.safetensors");
    let verified = scratch.succeed(&["targets", "verify", folder.to_str().unwrap(), "--run", "runs/c"]).stdout;
    assert!(verified.contains("2 teachers"), "{verified}");
}

#[test]
fn beside_trained_ones() {
    let (_, alone) = run(&[GENERALIST, SPECIALISTS]);
    let (_, report) = run(&[GENERALIST, SPECIALISTS, WHOLE, PART]);
    assert_eq!(top1(&alone, "generalist"), top1(&report, "generalist"), "the run's own generalist");
    assert!(top1(&report, "ensemble") > top1(&alone, "ensemble"));
    assert_eq!(report["clusters"].as_array().map(Vec::len), Some(2));
}

#[test]
fn with_specialists_of_the_run_beside_them() {
    let (scratch, report) = run(&[WHOLE, SPECIALISTS, "model = { kind = \"mlp\", widths = [16] }\n"]);
    assert_eq!(report["clusters"].as_array().map(Vec::len), Some(2));
    let (merged, alone) = (top1(&report, "ensemble"), top1(&report, "generalist"));
    assert!(merged > alone, "{merged} {alone}");
    let plan = scratch.succeed(&["plan", "c.toml"]).stdout;
    assert!(plan.contains("0 stages to do"), "{plan}");
}

#[test]
fn a_second_start_finds_everything() {
    let (scratch, report) = run(&[WHOLE, PART]);
    let again = scratch.succeed(&["run", "c.toml", "--threads", "2"]);
    assert!(!again.stderr.contains("external_0: done"), "{}", again.stderr);
    assert_eq!(support::without_times(report), support::without_times(scratch.json("runs/c/report.json")));
    // other predictions are another teacher
    let mut whole = scratch.bytes("whole_train.npy");
    *whole.last_mut().unwrap() ^= 1;
    scratch.write("whole_train.npy", whole);
    let changed = scratch.succeed(&["run", "c.toml", "--threads", "2"]);
    assert!(
        changed.stderr.contains("external_0: done") && changed.stderr.contains("student: done"),
        "{}",
        changed.stderr
    );
}

#[test]
fn with_predictions_for_examples_without_labels() {
    let scratch = Scratch::new();
    write_data(&scratch);
    let mut draw = Draw(11);
    let mut rows = |n_rows: usize| -> Vec<Vec<f64>> { (0..n_rows).map(|_| draw.logits(N_CLASSES)).collect() };
    for (name, n_rows) in [("more", 40), ("none", 15)] {
        scratch.write(&format!("{name}.npy"), npy(&rows(n_rows)));
        scratch.write(&format!("whole_{name}.npy"), npy(&rows(n_rows)));
    }
    let unlabelled = "[student.transfer]\npath = \"more.npy\"\nmax_examples = 30\n";
    let data =
        DATA.replace("[evaluation]", &format!("{unlabelled}[evaluation]\nout_of_scope = {{ path = \"none.npy\" }}"));
    let teacher = format!("{WHOLE}transfer = \"whole_more.npy\"\nout_of_scope = \"whole_none.npy\"\n");
    scratch.write("c.toml", data.clone() + &teacher);
    scratch.succeed(&["run", "c.toml"]);
    let report = scratch.json("runs/c/report.json");
    assert!(report["notes"].to_string().contains("saw 30 examples without labels"), "{}", report["notes"]);
    assert_eq!(report["out_of_scope"]["n_examples"], 15);
    // the student was told what the file says of these rows
    let store = scratch
        .files("runs/c/stages")
        .into_iter()
        .find(|path| path.ends_with("targets.safetensors") && path.to_str().unwrap().contains("/soft_targets-"));
    let verified = scratch.succeed(&["targets", "verify", store.unwrap().to_str().unwrap(), "--run", "runs/c"]).stdout;
    assert!(verified.contains("1 teacher"), "{verified}");

    let refuse = |from: &str, to: &str, code: i32, parts: &[&str]| {
        assert!(teacher.contains(from));
        scratch.write("c.toml", data.clone() + &teacher.replace(from, to));
        let finished = scratch.run(&["run", "c.toml"]);
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        parts.iter().for_each(|part| assert!(finished.stderr.contains(part), "{part} in\n{}", finished.stderr));
    };
    let line = "transfer = \"whole_more.npy\"\n";
    refuse(line, "", 2, &["\"whole\": transfer is missing", "[student.transfer] has examples without labels"]);
    refuse("whole_more.npy", "whole_none.npy", 3, &["found 15 rows, expected 40", "[student.transfer]"]);
    refuse("out_of_scope = \"whole_none.npy\"\n", "", 2, &["out_of_scope is missing"]);
}

/// One table of which all splits are carved: training, test and both kinds of examples without labels are rows of one source.
#[test]
fn predictions_for_examples_without_labels_are_found_in_a_carved_table() {
    let scratch = Scratch::new();
    let texts = |n_rows: usize, with_label: bool| {
        let row = |nth: usize| {
            let class = nth % 3;
            let text = format!("{} {nth}", ["aa bb", "cc dd", "ee ff"][class]);
            if with_label { format!("{text},{class}\n") } else { format!("{text}\n") }
        };
        let header = if with_label { "text,label\n" } else { "text\n" };
        header.to_owned() + &(0..n_rows).map(row).collect::<String>()
    };
    scratch.write("all.csv", texts(90, true));
    scratch.write("more.csv", texts(60, false));
    scratch.write("none.csv", texts(30, false));
    // sure of what has a label, unsure of what has none, and hopeless about what is of no class
    let probs = |n_rows: usize, top: f64| -> Vec<Vec<f64>> {
        let row =
            |nth: usize| (0..3).map(move |class| if class == nth % 3 { top } else { (1.0 - top) / 2.0 }).collect();
        (0..n_rows).map(row).collect()
    };
    for (name, n_rows, top) in [("train", 90, 0.98), ("more", 60, 0.6), ("none", 30, 1.0 / 3.0)] {
        scratch.write(&format!("p_{name}.npy"), npy(&probs(n_rows, top)));
    }
    let config = r#"seed = 0
[data]
kind = "table"
path = "all.csv"
valid_fraction = 0.2
[[external_teacher]]
name = "whole"
train = "p_train.npy"
transfer = "p_more.npy"
out_of_scope = "p_none.npy"
[student]
model = { kind = "ngram_bag", n_buckets = 64, width = 4, ngrams = { characters = [1, 2] } }
training = { n_epochs = 5, batch_size = 8, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }
transfer = { path = "more.csv" }
[evaluation]
out_of_scope = { path = "none.csv" }
"#;
    scratch.write("c.toml", config);
    let entropy = |top: f64| -(top * top.ln() + (1.0 - top) * ((1.0 - top) / 2.0).ln());
    for (name, sets, n_labelled) in [("all", vec![], 66), ("some", vec!["--set", "data.labelled_fraction=0.5"], 66)] {
        scratch.succeed(&[&["run", "c.toml", "--out", name][..], &sets].concat());
        let report = scratch.json(&format!("{name}/report.json"));
        assert!((top1(&report, "generalist") - 1.0).abs() < 1e-12);
        let expected = (f64::from(n_labelled) * entropy(0.98) + 60.0 * entropy(0.6)) / f64::from(n_labelled + 60);
        let found = report["soft_target_entropy"].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-4, "{name}: {found} {expected}");
        let rows = report["out_of_scope"]["rows"].as_array().unwrap();
        let generalist = rows.iter().find(|row| row["model"] == "generalist").unwrap();
        assert_eq!(generalist["aurocs"][0], 1.0, "{name}");
    }
    let refused = scratch.run(&["check", "c.toml", "--set", "student.min_confidence=0.5", "--set", "student.mix={}"]);
    let text = "student.min_confidence: of two mixed examples";
    assert!(refused.code == Some(2) && refused.stderr.contains(text), "{}", refused.stderr);
    scratch.write("d.toml", config.replace("transfer = { path = \"more.csv\" }\n", ""));
    let refused = scratch.run(&["check", "d.toml"]);
    let text = "external_teacher[0].transfer: predictions for no examples";
    assert!(refused.code == Some(2) && refused.stderr.contains(text), "{}", refused.stderr);
}

#[test]
fn how_much_a_teacher_counts_is_part_of_what_a_finished_stage_is_found_by() {
    let (scratch, _) = run(&[WHOLE, PART]);
    let config = scratch.text("c.toml").replace("weight = 2.0", "weight = 3.0");
    assert!(config.contains("weight = 3.0"));
    scratch.write("c.toml", config);
    let plan: Json = serde_json::from_str(&scratch.succeed(&["plan", "c.toml", "--json"]).stdout).unwrap();
    let is_cached = |name: &str| {
        let stages = plan["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage["name"] == name).unwrap()["cached"].as_bool().unwrap()
    };
    assert!(is_cached("student_hard"));
    for name in ["merged", "soft_targets", "student", "evaluation"] {
        assert!(!is_cached(name), "{name}");
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    let scratch = Scratch::new();
    write_data(&scratch);
    let fail = |tables: &[&str], code: i32, parts: &[&str]| {
        scratch.write("c.toml", [&[DATA], tables].concat().concat());
        let finished = scratch.run(&["run", "c.toml"]);
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        for part in parts {
            assert!(finished.stderr.contains(part), "{part} in\n{}", finished.stderr);
        }
    };
    scratch.write("short.npy", npy(&vec![vec![0.0; N_CLASSES]; 50]));
    scratch.write("narrow.npy", npy(&vec![vec![0.0; 4]; N_TRAIN]));
    let mut bad = vec![vec![1.0 / 6.0; N_CLASSES]; N_TRAIN];
    bad[17][2] = -0.25;
    scratch.write("bad.npy", npy(&bad));
    let with_train = |file: &str| WHOLE.replace("whole_train.npy", file);
    fail(&[&with_train("short.npy")], 3, &["short.npy", "found 50 rows, expected 180", "validation"]);
    fail(&[&with_train("narrow.npy")], 3, &["narrow.npy", "found 4 columns, expected 6"]);
    fail(&[&with_train("bad.npy").replace("logits", "probs")], 3, &["bad.npy", "row 17", "found -0.25"]);
    fail(&[&with_train("absent.npy")], 3, &["absent.npy"]);
    fail(&[&WHOLE.replace("test = \"whole_test.npy\"\n", "")], 2, &["\"whole\": test is missing"]);
    fail(&[WHOLE, &PART.replace("[4, 1, 3]", "[4, 1, 6]")], 3, &["part_train.npy: classes: ", "6"]);
}

#[test]
fn combinations_that_make_no_run_are_refused() {
    let scratch = Scratch::new();
    let refuse = |tables: &[&str], parts: &[&str]| {
        scratch.write("c.toml", [&[DATA], tables].concat().concat());
        let finished = scratch.run(&["check", "c.toml"]);
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        for part in parts {
            assert!(finished.stderr.contains(part), "{part} in\n{}", finished.stderr);
        }
    };
    refuse(
        &[GENERALIST, "[clustering]\naffinity = \"prediction_covariance\"\nmethod = { kind = \"spectral\" }\n"],
        &["specialists: missing"],
    );
    refuse(&[PART], &["generalist: missing; or an [[external_teacher]] that knows every class"]);
    refuse(&[WHOLE, WHOLE], &["external_teacher[1].name: \"whole\" is the name of an earlier one"]);
    refuse(&[WHOLE, SPECIALISTS], &["specialists.model: missing"]);
    refuse(&[WHOLE, "weight = -1\n"], &["external_teacher[0].weight: must be above 0"]);
    refuse(&[WHOLE, "dustbin = true\n"], &["external_teacher[0].dustbin"]);
    refuse(&[WHOLE, "clases = \"all\"\n"], &["clases: unknown key", "did you mean `classes`?"]);
}
