//! What students learn from: one teacher, examples without labels, some of the training examples, no views.

mod support;

use serde_json::Value as Json;
use support::Scratch;

/// An experiment without specialists: one generalist and a student.
const ONE_TEACHER: &str = r#"seed = 0

[data]
kind = "glyphs"
n_classes = 12
train_per_class = 20
test_per_class = 20

[generalist]
model = { kind = "mlp", widths = [32] }
training = { n_epochs = 12, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 3e-3 } }

[student]
model = { kind = "mlp", widths = [32] }
training = { n_epochs = 12, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 3e-3 } }
"#;

fn run(overrides: &[&str]) -> Json {
    let scratch = Scratch::new();
    scratch.write("c.toml", ONE_TEACHER);
    run_in(&scratch, "runs/c", overrides)
}

fn run_in(scratch: &Scratch, out: &str, overrides: &[&str]) -> Json {
    let sets = overrides.iter().flat_map(|text| ["--set", text]);
    let words: Vec<&str> = ["run", "c.toml", "--out", out, "--stages", "stages"].into_iter().chain(sets).collect();
    scratch.succeed(&words);
    scratch.json(&format!("{out}/report.json"))
}

fn model<'a>(report: &'a Json, name: &str) -> &'a Json {
    let models = report["models"].as_array().unwrap();
    models.iter().find(|model| model["name"] == name).unwrap_or_else(|| panic!("no {name} in {models:?}"))
}

fn notes(report: &Json) -> String {
    report["notes"].to_string()
}

#[test]
fn generalists_alone_are_told_once_whatever_they_are_called() {
    let names = |overrides: &[&str]| -> Vec<String> {
        let report = run(overrides);
        let models = report["models"].as_array().unwrap();
        models.iter().map(|model| model["name"].as_str().unwrap().to_owned()).collect()
    };
    let two = ["generalist.n_models=2"];
    assert_eq!(names(&two), ["generalist", "ensemble", "student", "student_generalist", "student_hard"]);
    // another mean is another teacher
    let geometric = names(&[two[0], "merge.rule=\"geometric_mean\""]);
    assert!(geometric.contains(&"generalist_ensemble".to_owned()), "{geometric:?}");
}

#[test]
fn one_teacher_is_enough_and_nothing_is_trained_twice() {
    let report = run(&[]);
    let names: Vec<&str> =
        report["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["generalist", "student", "student_hard"]);
    assert_eq!(model(&report, "generalist")["agreement"], 1.0, "it is the student's teacher");
    let top1 = |name: &str| model(&report, name)["top1"].as_f64().unwrap();
    let kept = (top1("student") - top1("student_hard")) / (top1("generalist") - top1("student_hard"));
    match report["gain_kept"].as_f64() {
        Some(found) => assert!((found - kept).abs() < 1e-9, "{found} {kept}"),
        None => assert!(top1("generalist") <= top1("student_hard")),
    }
}

#[test]
fn nobody_speaks_of_a_merge_where_there_is_one_teacher() {
    let scratch = Scratch::new();
    scratch.write("c.toml", ONE_TEACHER);
    let check = scratch.succeed(&["check", "c.toml"]).stdout;
    let plan = scratch.succeed(&["plan", "c.toml"]).stdout;
    let run = scratch.succeed(&["run", "c.toml"]);
    let mut told = vec![check, plan, run.stdout, run.stderr];
    told.extend(
        ["config.toml", "report.md", "report.json", "page.json"].map(|file| scratch.text(&format!("runs/c/{file}"))),
    );
    // the page but its style
    told.push(scratch.text("runs/c/report.html").split("</style>").last().unwrap().to_owned());
    for text in told {
        let found = text.to_lowercase().find("merge").map(|at| &text[at.saturating_sub(80)..at + 20]);
        assert_eq!(found, None);
    }
    let stages = std::fs::read_dir(scratch.path("runs/c/stages")).unwrap();
    let mut names: Vec<String> = stages
        .map(|stage| stage.unwrap().file_name().into_string().unwrap().rsplit_once('-').unwrap().0.to_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    assert_eq!(names, ["calibration", "evaluation", "generalist", "soft_targets", "student", "student_hard"]);

    // a way to merge that nothing asks for is named
    let told = scratch.succeed(&["check", "c.toml", "--set", "merge.rule=arithmetic_mean"]);
    assert!((told.stdout + &told.stderr).contains("[merge] is not used: there is one teacher"));
}

#[test]
fn glyphs_without_labels_reach_the_student_and_tell_who_is_unsure() {
    let scratch = Scratch::new();
    scratch.write("c.toml", ONE_TEACHER);
    let transfer = "student.transfer={ per_class = 40, max_examples = 400 }";
    let none = "evaluation.out_of_scope={ per_class = 5 }";
    let plain = run_in(&scratch, "plain", &[]);
    let with = run_in(&scratch, "with", &[transfer, none]);
    assert!(notes(&with).contains("saw 400 examples without labels"), "{}", with["notes"]);
    assert_eq!(with["out_of_scope"]["n_examples"], 60);
    assert_eq!(
        model(&plain, "generalist")["nll"],
        model(&with, "generalist")["nll"],
        "teachers see no more than before"
    );
    let flops = |report: &Json| model(report, "student")["train_flops"].as_f64().unwrap();
    assert!(flops(&with) > 2.5 * flops(&plain));

    // examples of which the teacher is not sure enough are left out, and the report says how many
    let few = run_in(&scratch, "few", &[transfer, "student.min_confidence=0.9"]);
    let said = notes(&few);
    let n_kept: usize =
        said.split("students learned from ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
    assert!(n_kept > 0 && n_kept < 400, "{said}");
    let n_steps = |n_rows: usize| (n_rows / 16) as f64;
    let n_train = few["dataset"]["n_train"].as_u64().unwrap() as usize;
    let expected = n_steps(n_train + n_kept) / n_steps(n_train);
    assert!((flops(&few) / flops(&plain) - expected).abs() < 1e-9);
    assert_eq!(model(&few, "student_hard")["nll"], model(&plain, "student_hard")["nll"]);
    let refused = scratch.run(&["check", "c.toml", "--set", "student.transfer={ path = \"more\" }"]);
    assert!(
        refused.code == Some(2) && refused.stderr.contains("student.transfer.path: of no meaning"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_student_may_see_some_of_the_examples_or_of_the_classes() {
    let scratch = Scratch::new();
    scratch.write("c.toml", ONE_TEACHER);
    let all = run_in(&scratch, "all", &[]);
    let half = run_in(&scratch, "half", &["student.examples.fraction=0.5"]);
    let flops = |report: &Json, name: &str| model(report, name)["train_flops"].as_f64().unwrap();
    assert_eq!(flops(&all, "generalist"), flops(&half, "generalist"));
    for name in ["student", "student_hard"] {
        let share = flops(&half, name) / flops(&all, name);
        assert!((0.4..0.6).contains(&share), "{name}: {share}");
    }
    // without labels of ten classes its twin knows two; the student was told of the others
    let labels = scratch.text("all/student/labels.txt");
    let names: Vec<&str> = labels.lines().collect();
    let left_out = format!("student.examples.without_classes={:?}", &names[2..]);
    let two = run_in(
        &scratch,
        "two",
        &[
            &left_out,
            "student.distillation.loss={ kind = \"soft_cross_entropy\", temperature = 4.0 }",
            "student.training.n_epochs=60",
        ],
    );
    let of = |name: &str, measure: &str| model(&two, name)[measure].as_f64().unwrap();
    assert!(of("student_hard", "top1") <= 2.0 / 12.0 + 1e-9, "{}", of("student_hard", "top1"));
    assert!(
        of("student", "nll") < 0.7 * of("student_hard", "nll"),
        "{} {}",
        of("student", "nll"),
        of("student_hard", "nll")
    );
    let refused = scratch.run(&["check", "c.toml", "--set", "student.examples.without_classes=[\"nobody\"]"]);
    let text = "student.examples.without_classes: found \"nobody\"";
    assert!(refused.code == Some(2) && refused.stderr.contains(text), "{}", refused.stderr);
}

#[test]
fn no_view_is_the_example_itself() {
    let scratch = Scratch::new();
    scratch.write("c.toml", ONE_TEACHER);
    let shift = "data.augment={ kind = \"shift\", max_pixels = 2 }";
    let one = run_in(&scratch, "one", &[shift, "student.views=1"]);
    let none = run_in(&scratch, "none", &[shift, "student.views=0"]);
    assert_eq!(model(&one, "generalist")["nll"], model(&none, "generalist")["nll"]);
    for name in ["student", "student_hard"] {
        assert_ne!(model(&one, name)["nll"], model(&none, name)["nll"], "{name}");
    }
    let stored = |out: &str| {
        let config = scratch.text(&format!("{out}/config.toml"));
        let stages = scratch.files("stages").into_iter().filter(|path| path.ends_with("targets.safetensors"));
        (config, stages.count())
    };
    assert_eq!(stored("none").1, 2, "two stores of soft targets");
    let again = scratch.succeed(&["plan", "c.toml", "--set", shift, "--set", "student.views=0", "--stages", "stages"]);
    assert!(again.stdout.contains("0 stages to do"), "{}", again.stdout);
}

#[test]
fn mixed_views_are_for_students_on_soft_targets() {
    let scratch = Scratch::new();
    scratch.write("c.toml", ONE_TEACHER);
    let plain = run_in(&scratch, "plain", &["student.views=1"]);
    let some = run_in(&scratch, "some", &["student.mix={ share = 0.5 }", "student.views=12"]);
    let all = run_in(&scratch, "all", &["student.mix={}", "student.views=12"]);
    for report in [&some, &all] {
        assert_eq!(model(report, "student_hard")["nll"], model(&plain, "student_hard")["nll"]);
        assert_ne!(model(report, "student")["nll"], model(&plain, "student")["nll"]);
    }
    assert_ne!(model(&some, "student")["nll"], model(&all, "student")["nll"]);
    assert!(model(&all, "student")["top1"].as_f64().unwrap() > 0.3, "{}", model(&all, "student"));
    let stores = scratch.files("stages").into_iter().filter(|path| path.ends_with("targets.safetensors"));
    let said: Vec<String> =
        stores.map(|path| scratch.succeed(&["targets", "stats", path.to_str().unwrap()]).stdout).collect();
    assert!(said.iter().any(|text| text.contains("12 views, 50 % of them mixed with another example")), "{said:?}");
    let refused = scratch.run(&["check", "c.toml", "--set", "student.mix={}", "--set", "student.views=0"]);
    assert!(
        refused.code == Some(2) && refused.stderr.contains("student.views: must be at least 1"),
        "{}",
        refused.stderr
    );
}

#[test]
fn targets_in_passing_are_those_of_the_store() {
    let scratch = Scratch::new();
    scratch.write("c.toml", ONE_TEACHER);
    let views = ["data.augment={ kind = \"shift\", max_pixels = 2 }", "student.views=6"];
    let keep = [&views[..], &["soft_targets.keep=one_view"]].concat();
    let planned = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|text| ["--set", text]);
        let words: Vec<&str> = ["plan", "c.toml", "--stages", "stages"].into_iter().chain(sets).collect();
        scratch.succeed(&words).stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let note = "soft targets of all 6 views take";
    assert!(planned(&views).contains(note) && planned(&keep).contains(note), "{}", planned(&keep));
    let stored = run_in(&scratch, "stored", &views);
    let passing = run_in(&scratch, "passing", &keep);
    for measure in ["top1", "nll"] {
        let of = |report: &Json| model(report, "student")[measure].as_f64().unwrap();
        assert!((of(&stored) - of(&passing)).abs() < 1e-3, "{measure}: {} and {}", of(&stored), of(&passing));
    }
    assert_eq!(model(&stored, "student_hard")["nll"], model(&passing, "student_hard")["nll"]);
    let files = scratch.files("stages");
    let ends_with = |name: &str| files.iter().filter(|path| path.ends_with(name)).count();
    assert_eq!((ends_with("targets.safetensors"), ends_with("targets_of_epoch.safetensors")), (1, 0));
    assert!(planned(&keep).contains("0 stages to do"), "{}", planned(&keep));
    let refused =
        [&["check", "c.toml", "--set", "data.labelled_fraction=0.5", "--set", "student.min_confidence=0.5"][..]]
            .concat();
    let refused = scratch.run(&[&refused[..], &["--set", "soft_targets.keep=one_view"]].concat());
    assert!(refused.stderr.contains("student.min_confidence: asks for the targets of all views"), "{}", refused.stderr);
}

/// Twelve classes with 3, 4, ... 14 texts to learn from, and four more of each to test on.
fn long_tail(scratch: &Scratch) {
    let rows = |n: &dyn Fn(usize) -> usize, split: &str| {
        let texts = (0..12).flat_map(|class| (0..n(class)).map(move |nth| (class, nth)));
        let row = |(class, nth)| format!("class {class}\tword{class} {split} number{nth} of{}\n", (class + nth) % 5);
        format!("label\ttext\n{}", texts.map(row).collect::<String>())
    };
    scratch.write("train.tsv", rows(&|class| 3 + class, "train"));
    scratch.write("test.tsv", rows(&|_| 4, "test"));
    let model = "model = { kind = \"ngram_bag\", n_buckets = 512, width = 8, ngrams = { characters = [1, 3] } }";
    let training =
        "training = { n_epochs = 6, batch_size = 8, schedule = { kind = \"constant\", learning_rate = 1e-2 } }";
    let data = "[data]\nkind = \"table\"\ntrain = \"train.tsv\"\ntest = \"test.tsv\"\nlabel = \"label\"";
    scratch.write("c.toml", format!("{data}\n[generalist]\n{model}\n{training}\n[student]\n{model}\n{training}\n"));
}

#[test]
fn what_is_done_about_rare_classes_leaves_soft_targets_alone() {
    let scratch = Scratch::new();
    long_tail(&scratch);
    let [alone, labelled] = ["0.0", "0.5"].map(|weight| format!("student.distillation.task_loss_weight={weight}"));
    // the student's weights, and the predictions of its twin on labels
    let student = |out: &str, sets: &[&str]| {
        let report = run_in(&scratch, out, sets);
        (scratch.bytes(&format!("{out}/student/model.safetensors")), model(&report, "student_hard")["nll"].clone())
    };
    let (plain, plain_labelled) = (student("alone", &[&alone]), student("labelled", &[&labelled]));
    let settings = [
        "student.training.label_smoothing=0.2",
        "student.training.imbalance={ kind = \"class_weights\" }",
        "student.training.imbalance={ kind = \"logit_adjustment\" }",
    ];
    for (nth, setting) in settings.into_iter().enumerate() {
        let same = student(&format!("alone{nth}"), &[&alone, setting]);
        assert!(same.0 == plain.0, "{setting} changed what comes from soft targets");
        assert_ne!(same.1, plain.1, "{setting}: the twin on labels has it too");
        let other = student(&format!("labelled{nth}"), &[&labelled, setting]);
        assert!(other.0 != plain_labelled.0, "{setting} changed nothing of what comes from labels");
    }
    // which examples come is another matter: both parts see them
    let drawn = student("drawn", &[&alone, "student.training.imbalance={ kind = \"balanced_sampling\" }"]);
    assert!(drawn.0 != plain.0);
}
