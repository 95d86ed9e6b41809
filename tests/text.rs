//! Texts through the real program: from a table to a student that answers, a line at a time.

mod support;

use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use support::{Finished, Scratch, without_times};

/// Six made-up languages, told apart by their syllables; neighbours share half of them.
fn table(n_each: usize, first: usize) -> String {
    let syllables = ["ka", "lo", "mi", "ru", "se", "to", "va"];
    let row = |class: usize, nth: usize| {
        let word = |place: usize| {
            let pick = (nth * 7 + place * 3 + nth / 5) % 4;
            format!("{}{}", syllables[class + usize::from(pick < 2)], syllables[class])
        };
        format!("\"{} {} {}, {}\",lang{class}\n", word(0), word(1), word(2), word(nth % 3))
    };
    let rows = (first..first + n_each).flat_map(|nth| (0..6).map(move |class| row(class, nth)));
    format!("text,label\n{}", rows.collect::<String>())
}

const CONFIG: &str = r#"# Texts in a fraction of a second.
seed = 0

[data]
kind = "table"
train = "train.csv"
test = "test.csv"
augment = { kind = "text", word_dropout = 0.2, character_noise = 0.05 }

[generalist]
model = { kind = "ngram_bag", n_buckets = 512, width = 8, hidden = [16], ngrams = { characters = [1, 2] } }
training = { n_epochs = 3, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }

[clustering]
method = { kind = "k_means", n_clusters = 2 }

[specialists]
training = { n_epochs = 2, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 3e-3 } }

[student]
model = { kind = "ngram_bag", n_buckets = 256, width = 6, ngrams = { characters = [1, 3], lowercase = true } }
training = { n_epochs = 3, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }
views = 2

[evaluation]
n_samples = 2
"#;

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("texts.toml", CONFIG);
    scratch.write("train.csv", table(30, 0));
    scratch.write("test.csv", table(8, 100));
    scratch
}

const STUDENT: &str = "runs/texts/student";

#[test]
fn a_table_of_texts_becomes_a_student_that_answers() {
    let scratch = scratch();
    scratch.succeed(&["run", "texts.toml", "--threads", "2"]);
    let report = scratch.json("runs/texts/report.json");
    assert_eq!((&report["dataset"]["n_classes"], &report["dataset"]["n_test"]), (&6.into(), &48.into()));
    let top1 = |name: &str| {
        let models = report["models"].as_array().unwrap();
        models.iter().find(|model| model["name"] == name).unwrap()["top1"].as_f64().unwrap()
    };
    assert!(top1("generalist") > 0.5, "{}", top1("generalist"));
    assert!(scratch.text("runs/texts/report.html").contains("<q>"), "the page shows texts");

    let finished =
        scratch.succeed(&["evaluate", STUDENT, "--data", "kind=table", "train=train.csv", "test=test.csv", "--json"]);
    let evaluated: Json = serde_json::from_str(&finished.stdout).unwrap();
    assert!((evaluated["top1"].as_f64().unwrap() - top1("student")).abs() < 1e-9, "{evaluated}");
    answers_are_lines(&scratch);
}

fn answers_are_lines(scratch: &Scratch) {
    let texts = ["kaka loka", "", "mimi, ru \"mi\""];
    let arguments = [&["predict", STUDENT, "--json", "--top-k", "2"], &texts[..]].concat();
    let expected = scratch.succeed(&arguments).stdout;
    let lines: Vec<Json> = expected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["input"].as_str().unwrap()).collect::<Vec<_>>(), texts);
    // an empty text has no answer
    assert_eq!(lines.iter().map(|line| line["top"].as_array().unwrap().len()).collect::<Vec<_>>(), [2, 0, 2]);
    scratch.write("lines.txt", texts.join("\r\n"));
    let from_file = scratch.succeed(&["predict", STUDENT, "--json", "--top-k", "2", "--lines", "lines.txt"]).stdout;
    // but for where an input comes from, which is a row now
    let answers = |json: &str| -> Vec<[Json; 2]> {
        let lines = json.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        lines.map(|mut line| [line["input"].take(), line["top"].take()]).collect()
    };
    assert_eq!(answers(&from_file), answers(&expected));
    let mut command = scratch.command(&["predict", STUDENT, "--json", "--top-k", "2"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(texts.join("\n").as_bytes()).unwrap();
    let piped = String::from_utf8(support::limit::wait_with_output(child).stdout).unwrap();
    assert_eq!(answers(&piped), answers(&expected));
    assert!(piped.contains(r#""source":"stdin","row":0"#), "{piped}");
    let plain = scratch.succeed(&["predict", STUDENT, "kaka loka"]).stdout;
    assert!(plain.starts_with("kaka loka: lang"), "{plain}");
    scratch.write("latin1.txt", b"caf\xe9\n");
    let refused = scratch.run(&["predict", STUDENT, "--lines", "latin1.txt"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("no UTF-8 in line 1"), "{}", refused.stderr);
}

#[test]
fn threads_and_order_of_jobs_leave_no_trace() {
    let scratch = scratch();
    let run = |out: &str, more: &[&str]| {
        scratch.succeed(&[&["run", "texts.toml", "--out", out], more].concat());
        (
            without_times(scratch.json(&format!("{out}/report.json"))),
            scratch.bytes(&format!("{out}/student/model.safetensors")),
        )
    };
    let reference = run("a", &["--threads", "1"]);
    assert_eq!(run("b", &["--threads", "3", "--reverse-jobs"]), reference);
}

#[test]
fn windows_are_examples() {
    let scratch = scratch();
    let windows = "data.windows={ length = 8, train_stride = 3, test_stride = 8 }";
    let shift = "data.augment={ kind = \"text\", shift = 2 }";
    scratch.succeed(&["run", "texts.toml", "--set", windows, "--set", shift, "--out", "w"]);
    let report = scratch.json("w/report.json");
    assert!(report["dataset"]["n_train"].as_u64() > Some(600), "{}", report["dataset"]);
    assert!(report["dataset"]["n_test"].as_u64() > Some(48), "{}", report["dataset"]);
}

#[test]
fn a_preview_is_a_page_and_a_plan_has_times() {
    let scratch = scratch();
    let finished = scratch.succeed(&["data", "preview", "texts.toml"]);
    assert_eq!(finished.stdout.trim(), "texts-preview.html");
    let page = scratch.text("texts-preview.html");
    assert!(page.contains("lang5") && page.contains("<li>"), "classes and views");
    let plan: Json = serde_json::from_str(&scratch.succeed(&["plan", "texts.toml", "--json"]).stdout).unwrap();
    assert!(plan["stages"][0]["estimated_seconds"].as_f64() > Some(0.0), "{plan}");
}

#[test]
fn a_plan_trains_no_tokenizer() {
    let scratch = scratch();
    let model = "student.model={ kind = \"transformer\", n_layers = 1, n_heads = 2, width = 8, max_len = 12 }";
    let tokenizer = "student.tokenizer={ kind = \"bpe\", vocabulary_size = 300 }";
    scratch.succeed(&["plan", "texts.toml", "--set", model, "--set", tokenizer]);
    assert!(!scratch.path("runs").exists(), "a plan writes nothing");
}

#[test]
fn a_config_is_written_for_a_table() {
    let scratch = scratch();
    let made = scratch.succeed(&["init", "train.csv"]).stdout;
    scratch.write("made.toml", &made);
    // six classes: generalists alone
    let quick = ["generalist.training.n_epochs=1", "student.training.n_epochs=1"];
    let sets = quick.iter().flat_map(|set| ["--set", set]).collect::<Vec<_>>();
    scratch.succeed(&[&["run", "made.toml"], &sets[..]].concat());
}

#[test]
fn dirt_and_misfits_are_refused_with_their_place() {
    let scratch = scratch();
    scratch.write("train.csv", format!("{}one column\n", table(30, 0)));
    let refused = scratch.run(&["run", "texts.toml"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("train.csv: found 1 columns in line 182"), "{}", refused.stderr);
    scratch.write("train.csv", table(30, 0));
    let misfit = scratch.run(&["run", "texts.toml", "--set", "student.model={ kind = \"mlp\", widths = [8] }"]);
    assert_eq!(misfit.code, Some(2), "{}", misfit.stderr);
    assert!(misfit.stderr.contains("needs numbers, the data has texts"), "{}", misfit.stderr);
    let images = scratch.run(&["check", "texts.toml", "--set", "data.augment={ kind = \"shift\", max_pixels = 2 }"]);
    assert_eq!(images.code, Some(2), "{}", images.stderr);
}

#[test]
fn models_of_tokens_have_tokenizers_of_their_own() {
    let scratch = scratch();
    let sets = [
        "generalist.model={ kind = \"transformer\", n_layers = 1, n_heads = 2, width = 8, max_len = 12 }",
        "generalist.tokenizer={ kind = \"bpe\", vocabulary_size = 280 }",
        "student.model={ kind = \"transformer\", n_layers = 1, n_heads = 1, width = 8, positions = \"rotary\", max_len = 8 }",
        "student.tokenizer={ kind = \"bpe\", vocabulary_size = 270 }",
        "evaluation.baselines=[]",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let run = |out: &str, n_threads: &str| {
        scratch.succeed(&[&["run", "texts.toml", "--out", out, "--threads", n_threads], &sets[..]].concat());
        let tokenizers =
            scratch.files(&format!("{out}/stages")).into_iter().filter(|file| file.ends_with("tokenizer.json"));
        let mut files: Vec<Vec<u8>> = tokenizers.map(|file| std::fs::read(file).unwrap()).collect();
        files.sort();
        files.push(scratch.bytes(&format!("{out}/student/tokenizer.json")));
        files.push(scratch.bytes(&format!("{out}/student/model.safetensors")));
        files
    };
    let files = run("a", "1");
    assert_eq!(files.len(), 4, "a tokenizer of the teachers and one of the student, with which it is shipped");
    assert_eq!(run("b", "3"), files);
    let answer = scratch.succeed(&["predict", "a/student", "kaka loka, unheard-of \u{1F600}", "--json"]).stdout;
    assert!(answer.contains("lang"), "{answer}");
    std::fs::remove_file(scratch.path("a/student/tokenizer.json")).unwrap();
    let refused = scratch.run(&["predict", "a/student", "kaka"]);
    assert!(refused.code == Some(3) && refused.stderr.contains("tokenizer.json"), "{}", refused.stderr);
}

#[test]
fn two_classes_run_without_specialists_and_say_so() {
    let scratch = scratch();
    for file in ["train.csv", "test.csv"] {
        let of_two = scratch.text(file).replace("lang2", "lang0").replace("lang3", "lang1");
        scratch.write(file, of_two.replace("lang4", "lang0").replace("lang5", "lang1"));
    }
    scratch.succeed(&["check", "texts.toml"]);
    scratch.succeed(&["run", "texts.toml"]);
    let report = scratch.json("runs/texts/report.json");
    assert_eq!(report["dataset"]["n_classes"], 2);
    assert!(report["warnings"][0].as_str().unwrap().contains("no specialists are trained"), "{}", report["warnings"]);
    assert!(report["models"].as_array().unwrap().iter().all(|model| model["role"] != "specialist"));
    assert!(scratch.succeed(&["plan", "texts.toml"]).stdout.contains("0 stages to do"));
}

#[test]
fn held_back_labels_leave_examples_for_the_student() {
    let scratch = scratch();
    scratch.succeed(&["run", "texts.toml", "--set", "data.labelled_fraction=0.2"]);
    let report = scratch.json("runs/texts/report.json");
    // 162 training texts, of which 5 of 27 in each class keep their labels
    assert_eq!(report["dataset"]["n_train"], 30);
    assert!(scratch.text("runs/texts/report.md").contains("132 examples without labels"));
    let train_flops = |name: &str| {
        let models = report["models"].as_array().unwrap();
        models.iter().find(|model| model["name"] == name).unwrap()["train_flops"].as_f64().unwrap()
    };
    // ten whole batches of 16 in an epoch where labels alone make one
    assert!(train_flops("student") > 5.0 * train_flops("student_hard"));
}

#[test]
fn a_student_learns_from_texts_without_labels() {
    let scratch = scratch();
    let more: String = (0..14).map(|nth| format!("{nth}\tkaka loka {nth}, milo\n")).collect();
    scratch.write("more.tsv", format!("id\tutterance\n{more}"));
    let transfer = ["--set", "student.transfer={ path = \"more.tsv\", text = \"utterance\" }"];
    scratch.succeed(&["run", "texts.toml", "--out", "without"]);
    scratch.succeed(&[&["run", "texts.toml", "--out", "with"][..], &transfer].concat());
    let number = |run: &str, name: &str, key: &str| {
        let report = scratch.json(&format!("{run}/report.json"));
        let models = report["models"].as_array().unwrap();
        models.iter().find(|model| model["name"] == name).unwrap()[key].as_f64().unwrap()
    };
    let both = |name: &str, key: &str| (number("with", name, key), number("without", name, key));
    // 27 training texts of each class are ten whole batches of 16, and with the others eleven
    let (with, without) = both("student", "train_flops");
    assert!((with / without - 1.1).abs() < 1e-6, "{with} {without}");
    let (with, without) = both("student", "nll");
    assert_ne!(with, without);
    for name in ["student_hard", "generalist"] {
        for key in ["train_flops", "nll"] {
            let (with, without) = both(name, key);
            assert_eq!(with, without, "{name} {key}");
        }
    }
    let plan = scratch.succeed(&[&["plan", "texts.toml", "--out", "with"][..], &transfer].concat()).stdout;
    assert!(plan.contains("0 stages to do"), "{plan}");
    let stores = scratch.files("with/stages").into_iter().filter(|file| file.ends_with("targets.safetensors"));
    let stores: Vec<_> = stores.collect();
    assert_eq!(stores.len(), 3);
    assert!(scratch.text("with/report.md").contains("14 examples without labels"));
    for store in stores {
        scratch.succeed(&["targets", "verify", store.to_str().unwrap(), "--run", "with"]);
    }
}

#[test]
fn a_transfer_that_cannot_be_is_refused() {
    let scratch = scratch();
    scratch.write("empty.tsv", "text\n");
    let refusal = |words: &[&str]| {
        let sets = words.iter().flat_map(|set| ["--set", set]);
        let refused = scratch.run(&["run", "texts.toml"].into_iter().chain(sets).collect::<Vec<_>>());
        assert_ne!(refused.code, Some(0));
        refused.stderr
    };
    let images = refusal(&["student.transfer={ path = \"a.tsv\" }", "data={ kind = \"glyphs\" }"]);
    assert!(images.contains("student.transfer") && images.contains("texts"), "{images}");
    let missing = refusal(&["student.transfer={ path = \"a.tsv\" }"]);
    assert!(missing.contains("a.tsv"), "{missing}");
    let column = refusal(&["student.transfer={ path = \"train.csv\", text = \"words\" }"]);
    assert!(column.contains("no column `words`") && column.contains("`text`"), "{column}");
    assert!(refusal(&["student.transfer={ path = \"empty.tsv\" }"]).contains("empty.tsv"));
}

#[test]
fn the_report_tells_how_well_confidence_knows_texts_of_no_class() {
    let scratch = scratch();
    scratch.write("other.csv", "text\n77 88 99\n0 0 0 0\n12345 54321\n");
    let run = |path: &str| {
        let out_of_scope = format!("evaluation.out_of_scope={{ path = \"{path}\" }}");
        scratch.succeed(&["run", "texts.toml", "--out", "run", "--set", &out_of_scope]);
        scratch.json("run/report.json")
    };
    scratch.succeed(&["run", "texts.toml", "--out", "run"]);
    let without = scratch.json("run/report.json");
    assert!(without["out_of_scope"].is_null());
    let aurocs = |report: &Json| -> Vec<(String, Vec<f64>)> {
        let rows = report["out_of_scope"]["rows"].as_array().unwrap();
        let of = |row: &Json| row["aurocs"].as_array().unwrap().iter().map(|auroc| auroc.as_f64().unwrap()).collect();
        rows.iter().map(|row| (row["model"].as_str().unwrap().to_owned(), of(row))).collect()
    };
    let other = run("other.csv");
    assert_eq!(other["out_of_scope"]["n_examples"], 3);
    for name in ["ensemble", "student", "student_hard"] {
        assert!(aurocs(&other).iter().any(|(model, of)| model == name && of.len() == 4), "{other}");
    }
    assert!(aurocs(&other).iter().all(|(_, of)| of.iter().all(|auroc| (0.0..=1.0).contains(auroc))));
    for (list, key) in [("models", "top1"), ("models", "nll"), ("comparisons", "delta")] {
        let numbers = |report: &Json| -> Vec<f64> {
            report[list].as_array().unwrap().iter().map(|entry| entry[key].as_f64().unwrap()).collect()
        };
        assert_eq!(numbers(&other), numbers(&without), "{list} {key}");
    }
    assert!(scratch.text("run/report.md").contains("## Examples of no class"));
    assert!(scratch.text("run/report.html").contains("id=\"out-of-scope\""));

    // test texts cannot be told from themselves
    let same = run("test.csv");
    assert!(aurocs(&same).iter().all(|(_, of)| of.iter().all(|auroc| *auroc == 0.5)), "{same}");
    assert!(scratch.text("run/manifest.json").contains("texts of no class that are test texts"));
    let refused =
        scratch.run(&["check", "texts.toml", "--set", "evaluation.out_of_scope={ path = \"a.csv\", list = \"b\" }"]);
    assert!(refused.code != Some(0) && refused.stderr.contains("evaluation.out_of_scope"), "{}", refused.stderr);
}

const COMMIT: &str = "0123456789012345678901234567890123456789";

#[test]
fn an_encoder_of_the_hub_is_pinned_and_found_again_offline() {
    let scratch = scratch();
    let repo = "hf/hub/models--tiny--bert";
    scratch.write(&format!("{repo}/refs/main"), COMMIT);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures/tiny_bert");
    for file in ["config.json", "model.safetensors"] {
        scratch.write(&format!("{repo}/snapshots/{COMMIT}/{file}"), std::fs::read(fixture.join(file)).unwrap());
    }
    let vocabulary = json!({ "[UNK]": 0, "kaka": 1, "loka": 2, "lolo": 3, "milo": 4, "mimi": 5, "rumi": 6, "ruru": 7 });
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]" },
    });
    scratch.write(&format!("{repo}/snapshots/{COMMIT}/tokenizer.json"), tokenizer.to_string());
    let offline = |words: &[&str], encoder: &str| {
        let sets = [
            format!("generalist.model={{ kind = \"bert\", {encoder}, max_len = 6 }}"),
            "generalist.tokenizer={ kind = \"hub\", repo = \"tiny/bert\" }".to_owned(),
            "evaluation.baselines=[]".to_owned(),
        ];
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let mut command = scratch.command(&words.iter().copied().chain(sets).collect::<Vec<_>>());
        Finished::from(support::output(command.env("HF_HOME", scratch.path("hf")).env("HF_HUB_OFFLINE", "1")))
    };
    let encoder = "repo = \"tiny/bert\"";
    let finished = offline(&["run", "texts.toml"], encoder);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let manifest = scratch.text("runs/texts/manifest.json");
    assert!(manifest.contains("encoder tiny/bert") && manifest.contains(COMMIT), "{manifest}");
    let plan = offline(&["plan", "texts.toml"], encoder);
    assert!(plan.stdout.contains("0 stages to do"), "{}{}", plan.stdout, plan.stderr);

    let absent = offline(&["run", "texts.toml"], "repo = \"tiny/absent\"");
    assert!(absent.code == Some(3) && absent.stderr.contains("tiny/absent"), "{}", absent.stderr);
    let both = offline(&["check", "texts.toml"], "repo = \"tiny/bert\", pretrained = \"tiny\"");
    assert!(both.code == Some(2) && both.stderr.contains("keep one of them"), "{}", both.stderr);
}

#[test]
fn missing_and_useless_tokenizers_are_config_errors() {
    let scratch = scratch();
    let transformer = "student.model={ kind = \"transformer\", n_layers = 1, n_heads = 1, width = 8 }";
    let refused = scratch.run(&["check", "texts.toml", "--set", transformer]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("student.tokenizer: missing"), "{}", refused.stderr);
    let useless = "student.tokenizer={ kind = \"bpe\", vocabulary_size = 100 }";
    let refused = scratch.run(&["check", "texts.toml", "--set", useless]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("takes no tokens") && refused.stderr.contains("vocabulary_size"),
        "{}",
        refused.stderr
    );
}
