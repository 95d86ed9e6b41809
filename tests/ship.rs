//! The student in few bytes: `[ship]` in a config, and `compress` on a finished run.

mod support;

use serde_json::Value as Json;
use support::Scratch;

const CONFIG: &str = r#"seed = 0

[data]
kind = "glyphs"
n_classes = 12
train_per_class = 30
test_per_class = 20
valid_fraction = 0.4

[generalist]
model = { kind = "mlp", widths = [64] }
training = { n_epochs = 16, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 3e-3 } }

[student]
model = { kind = "mlp", widths = [32] }
training = { n_epochs = 16, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 3e-3 } }
"#;
/// Bytes of the student: 784 * 32 + 32 and 32 * 12 + 12 numbers of 4 bytes.
const STUDENT_BYTES: u64 = 4 * (784 * 32 + 32 + 32 * 12 + 12);

/// A recovery that recovers nothing.
const BARELY_TRAINED: &str = "ship.training={ n_epochs=1, schedule={ kind=\"constant\", learning_rate=1e-9 } }";

fn run() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("c.toml", CONFIG);
    scratch.succeed(&["run", "c.toml", "-q"]);
    scratch
}

fn model<'a>(report: &'a Json, name: &str) -> &'a Json {
    let models = report["models"].as_array().unwrap();
    models.iter().find(|model| model["name"] == name).unwrap_or_else(|| panic!("no {name} in {models:?}"))
}

fn weights_bytes(scratch: &Scratch, folder: &str) -> u64 {
    scratch.bytes(&format!("{folder}/model.safetensors")).len() as u64
}

#[test]
fn a_run_ships_what_is_within_its_limits() {
    let scratch = Scratch::new();
    let limits = format!("max_bytes = {}\nmax_loss = 100.0\ncompare_ways = true\n", STUDENT_BYTES / 4);
    scratch.write("c.toml", format!("{CONFIG}\n[ship]\n{limits}"));
    let plan = scratch.succeed(&["plan", "c.toml"]).stdout;
    assert!(plan.contains("shipped ") && plan.contains("shipped_twin"), "{plan}");
    scratch.succeed(&["run", "c.toml", "-q", "--threads", "1"]);
    let report = scratch.json("runs/c/report.json");
    let (student, shipped) = (model(&report, "student"), model(&report, "shipped"));
    assert_eq!(student["bytes"], STUDENT_BYTES);
    assert!(shipped["bytes"].as_u64().unwrap() <= STUDENT_BYTES / 4);
    assert_eq!(model(&report, "shipped_twin")["bytes"], shipped["bytes"]);
    // eight bits do not fit, six do, and are trained
    let attempts = report["ship"]["attempts"].as_array().unwrap();
    assert_eq!(attempts[0]["what"], "rounded to 6 bits");
    assert_eq!(attempts[1]["what"], "6 bits, 4 more epochs");
    assert_eq!(attempts.iter().filter(|attempt| attempt["is_shipped"] == true).count(), 1);
    assert!(attempts.iter().all(|attempt| attempt["latency_ms_p50"].as_f64().unwrap() > 0.0));
    each_way_by_itself(&report);
    assert!(scratch.text("runs/c/report.html").contains("Ways to a small student"));
    assert!(report["comparisons"].as_array().unwrap().iter().any(|c| c["a"] == "shipped" && c["b"] == "student"));
    // the folder holds codes: header and scales are all that comes on top
    assert!(weights_bytes(&scratch, "runs/c/shipped") < STUDENT_BYTES / 4 + 2000);
    let data =
        ["--data", "kind=glyphs", "n_classes=12", "train_per_class=30", "test_per_class=20", "valid_fraction=0.4"];
    let measured = scratch.succeed(&[&["evaluate", "runs/c/shipped", "--json"][..], &data].concat()).stdout;
    let measured: Json = serde_json::from_str(&measured).unwrap();
    assert_eq!(measured["top1"], shipped["top1"], "what is read back is what was measured");
    let calibration =
        report["calibration"].as_array().unwrap().iter().find(|model| model["model"] == "shipped").unwrap();
    assert!((measured["nll"].as_f64().unwrap() - calibration["nll"].as_f64().unwrap()).abs() < 1e-5);
    assert!(scratch.text("runs/c/report.md").contains("| rounded to 6 bits "));
    assert!(shipped["train_flops"].as_f64().unwrap() >= student["train_flops"].as_f64().unwrap());
    // the same bits for any number of threads
    scratch.succeed(&["run", "c.toml", "-q", "--threads", "3", "--out", "three"]);
    assert!(scratch.bytes("three/shipped/model.safetensors") == scratch.bytes("runs/c/shipped/model.safetensors"));
    let again = scratch.succeed(&["plan", "c.toml"]).stdout;
    assert!(again.contains("0 stages to do"), "{again}");
}

/// Sizes of all ways, and what pruning keeps.
fn each_way_by_itself(report: &Json) {
    let ways = report["ship"]["ways"].as_array().unwrap();
    let top1 = |what: &str| {
        let way = ways.iter().find(|way| way["what"] == what).unwrap_or_else(|| panic!("no {what} in {ways:?}"));
        (way["valid_top1"].as_f64().unwrap(), way["bytes"].as_u64().unwrap())
    };
    assert!(top1("8 bits").1 < STUDENT_BYTES / 3);
    let [low_rank, plain] = ["linear layers at 25 %", "linear layers by plain SVD at 25 %"].map(|what| top1(what).1);
    assert!(low_rank == plain && low_rank < STUDENT_BYTES / 2, "{low_rank} {plain}");
    let (pruned, bytes) = top1("units, channels and heads at 50 %");
    // 16 of 32 units
    assert_eq!(bytes, 4 * (784 * 16 + 16 + 16 * 12 + 12));
    assert!(pruned > 0.6, "{pruned}");
    let (_, bytes) = top1("all but the largest weights at 0, left 25 %");
    assert!(bytes < STUDENT_BYTES / 3, "{bytes}");
}

#[test]
fn fewer_units_leave_room_for_more_bits() {
    let scratch = run();
    let forced = ["--set", "ship.bits=[8]", "--set", "ship.low_rank=[]", "--out", "pruned"];
    let words = ["compress", "runs/c/student", "--max-bytes", "16kB", "--max-loss", "100"];
    let said = scratch.succeed(&[&words[..], &forced].concat()).stdout;
    assert!(said.contains("units, channels and heads at 50 %, rounded to 8 bits: "), "{said}");
    let config: Json = serde_json::from_str(&scratch.text("pruned/config.json")).unwrap();
    assert_eq!(config["units"]["layers.0"], 16);
    let data =
        ["--data", "kind=glyphs", "n_classes=12", "train_per_class=30", "test_per_class=20", "valid_fraction=0.4"];
    let measured = scratch.succeed(&[&["evaluate", "pruned", "--json"][..], &data].concat()).stdout;
    let measured: Json = serde_json::from_str(&measured).unwrap();
    assert!(measured["top1"].as_f64().unwrap() > 0.5, "{measured}");
    scratch.succeed(&["export", "pruned", "--to", "html", "--out", "page"]);
}

#[test]
fn where_a_short_training_is_not_enough_the_nearest_form_learns_as_long_as_the_student() {
    let scratch = run();
    let words = ["compress", "runs/c/student", "--max-bytes", "9kB", "--max-loss", "2", "--json", "--out", "long"];
    let forced = ["--set", "ship.low_rank=[]", "--set", "ship.pruning=[]"];
    let outcome: Json = serde_json::from_str(&scratch.succeed(&[&words[..], &forced].concat()).stdout).unwrap();
    let attempts = outcome["ship"]["attempts"].as_array().unwrap();
    let whats: Vec<&str> = attempts.iter().map(|attempt| attempt["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["rounded to 2 bits", "2 bits, 4 more epochs", "2 bits, 16 more epochs"], "{outcome}");
    assert_eq!(attempts[2]["is_shipped"], true, "{outcome}");
}

#[test]
fn fewer_layers_leave_room_for_more_bits() {
    let scratch = Scratch::with_texts();
    let four_layers = [
        "student.model={ kind=\"transformer\", n_layers=4, n_heads=2, width=16 }",
        "student.tokenizer={ kind=\"bpe\", vocabulary_size=300 }",
        "student.training={ n_epochs=20, batch_size=8, optimizer={ kind=\"adamw\" }, \
         schedule={ kind=\"constant\", learning_rate=3e-3 } }",
    ];
    let four_layers: Vec<&str> = four_layers.iter().flat_map(|setting| ["--set", setting]).collect();
    scratch.succeed(&[&["run", "t.toml", "-q"][..], &four_layers].concat());
    let words = ["compress", "runs/t/student", "--max-bytes", "17kB", "--max-loss", "5", "--json", "--out", "shorter"];
    let forced = ["--set", "ship.bits=[8]", "--set", "ship.low_rank=[]", "--set", "ship.pruning=[]"];
    let outcome: Json = serde_json::from_str(&scratch.succeed(&[&words[..], &forced].concat()).stdout).unwrap();
    let attempt = &outcome["ship"]["attempts"][0];
    assert_eq!(attempt["what"], "layers or blocks at 50 %, rounded to 8 bits", "{outcome}");
    assert_eq!(attempt["is_shipped"], true, "what is left makes up for two layers: {outcome}");
    let config: Json = serde_json::from_str(&scratch.text("shorter/config.json")).unwrap();
    assert_eq!(config["left_out"].as_array().unwrap().len(), 2, "{config}");
    let found = scratch.succeed(&["predict", "shorter", "green leaf"]).stdout;
    assert!(found.contains("plant"), "{found}");
}

#[test]
fn a_table_keeps_no_more_numbers_a_row_than_there_are_classes() {
    let scratch = Scratch::with_texts();
    scratch.succeed(&["run", "t.toml", "-q"]);
    // half of 16 numbers a row would do; three of them carry all that three classes can tell apart
    let forced = ["--set", "ship.bits=[8]", "--set", "ship.low_rank=[]", "--out", "pruned"];
    let words = ["compress", "runs/t/student", "--max-bytes", "5kB", "--max-loss", "0"];
    scratch.succeed(&[&words[..], &forced].concat());
    let config: Json = serde_json::from_str(&scratch.text("pruned/config.json")).unwrap();
    assert_eq!(config["units"]["embedding"], 3);
}

#[test]
fn layers_of_low_rank_leave_room_for_more_bits() {
    let scratch = run();
    // 5 bits of the whole weights do not fit, those of three quarters of them do
    let words = ["compress", "runs/c/student", "--max-bytes", "14kB", "--max-loss", "100", "--out", "small", "--json"];
    let outcome: Json = serde_json::from_str(&scratch.succeed(&words).stdout).unwrap();
    let attempts = outcome["ship"]["attempts"].as_array().unwrap();
    let tried: Vec<&str> = attempts.iter().map(|attempt| attempt["what"].as_str().unwrap()).collect();
    assert!(
        tried[..3] == ["rounded to 4 bits", "4 bits, 4 more epochs", "linear layers at 75 %, rounded to 5 bits"],
        "{tried:?}"
    );
    assert!(attempts.iter().all(|attempt| attempt["bytes"].as_u64().unwrap() <= 14_000));
    // by hand
    let forced = ["--set", "ship.bits=[8]", "--out", "factored"];
    let words = ["compress", "runs/c/student", "--max-bytes", "16kB", "--max-loss", "100"];
    let said = scratch.succeed(&[&words[..], &forced].concat()).stdout;
    assert!(said.contains("linear layers at 50 %, rounded to 8 bits: "), "{said}");
    assert!(
        scratch.text("factored/config.json").contains("\"layers.0\": "),
        "{}",
        scratch.text("factored/config.json")
    );
    let data =
        ["--data", "kind=glyphs", "n_classes=12", "train_per_class=30", "test_per_class=20", "valid_fraction=0.4"];
    let measured = scratch.succeed(&[&["evaluate", "factored", "--json"][..], &data].concat()).stdout;
    let measured: Json = serde_json::from_str(&measured).unwrap();
    assert!(measured["top1"].as_f64().unwrap() > 0.5, "{measured}");
}

#[test]
fn a_finished_run_is_compressed_without_training_its_teachers_again() {
    let scratch = run();
    let before = scratch.files("runs/c/stages").len();
    let words = ["compress", "runs/c/student", "--max-bytes", "26kB", "--max-loss", "100", "--out", "small", "--json"];
    let outcome: Json = serde_json::from_str(&scratch.succeed(&words).stdout).unwrap();
    assert_eq!(outcome["ship"]["attempts"][0]["what"], "rounded to 8 bits");
    assert_eq!(outcome["ship"]["attempts"].as_array().unwrap().len(), 1, "eight bits need no training");
    assert!(scratch.files("runs/c/stages").len() > before, "the twin is kept");
    assert!(weights_bytes(&scratch, "small") < 28_000);
    assert!(scratch.text("small/README.md").contains("rounded to 8 bits"));
    assert!(scratch.text("small/config.json").contains("\"layers.0.weight\": 8"));
    // a choice of bits by hand, and a second time
    let words = ["compress", "runs/c/student", "--max-bytes", "26kB", "--max-loss", "100", "--out", "small"];
    let two_bits = scratch.succeed(&[&words[..], &["--set", "ship.bits=[2]"]].concat()).stdout;
    assert!(two_bits.contains("rounded to 2 bits") && two_bits.contains("taken"), "{two_bits}");
    assert!(weights_bytes(&scratch, "small") < 10_000);
}

#[test]
fn what_cannot_be_made_small_enough_is_an_error_and_writes_nothing() {
    let scratch = run();
    let compress =
        |model: &str, more: &[&str]| scratch.run(&[&["compress", model, "--out", "small"][..], more].concat());
    let too_small = compress("runs/c/student", &["--max-bytes", "1kB"]);
    assert_eq!(too_small.code, Some(1), "{}", too_small.stderr);
    assert!(too_small.stderr.contains("2 bits, too large"), "{}", too_small.stderr);
    let lossy = compress(
        "runs/c/student",
        &["--max-bytes", "9kB", "--max-loss", "0", "--set", BARELY_TRAINED, "--set", "ship.low_rank=[]"],
    );
    assert_eq!(lossy.code, Some(1), "{}", lossy.stderr);
    assert!(
        lossy.stderr.contains("no folder was written") && lossy.stderr.contains("rounded to 2 bits"),
        "{}",
        lossy.stderr
    );
    assert!(!scratch.path("small").exists());
    std::fs::create_dir(scratch.path("elsewhere")).unwrap();
    for file in ["model.safetensors", "config.json", "labels.txt"] {
        std::fs::copy(scratch.path(&format!("runs/c/student/{file}")), scratch.path(&format!("elsewhere/{file}")))
            .unwrap();
    }
    let alone = compress("elsewhere", &["--max-bytes", "9kB"]);
    assert_eq!(alone.code, Some(2), "{}", alone.stderr);
    assert!(alone.stderr.contains("lies in no run's folder"), "{}", alone.stderr);
    let without_out = scratch.run(&["compress", "runs/c/student", "--max-bytes", "9kB"]);
    assert!(without_out.code == Some(2) && without_out.stderr.contains("--out DIR"), "{}", without_out.stderr);
    let refused = scratch.run(&["check", "c.toml", "--set", "ship={ max_bytes = 100, bits = [9] }"]);
    assert!(refused.stderr.contains("ship.bits[0]: must be between 2 and 8"), "{}", refused.stderr);
}

#[test]
fn any_model_is_rounded_and_its_page_holds_the_same_codes() {
    let scratch = run();
    let words = ["compress", "runs/c/student", "--bits", "3", "--out", "rounded", "--json"];
    let outcome: Json = serde_json::from_str(&scratch.succeed(&words).stdout).unwrap();
    assert_eq!((&outcome["bits"], &outcome["bytes_before"]), (&3.into(), &STUDENT_BYTES.into()));
    // 784 numbers of 3 bits and a scale, 32 of 8 bits in the head
    let bytes = 32 * (294 + 2) + 12 * (32 + 2) + 4 * (32 + 12);
    assert_eq!(outcome["bytes"], bytes);
    assert!(weights_bytes(&scratch, "rounded") < bytes + 2000);
    // 40 % of 360 examples
    assert_eq!(outcome["loss"]["n_examples"], 144);
    assert!(outcome["loss"]["nll"].as_f64().unwrap() != outcome["loss"]["nll_before"].as_f64().unwrap());
    assert!(scratch.text("rounded/README.md").contains("| what rounding changed | top-1 "));
    // the page of the rounded model is that of the student in 3 bits: nothing is rounded twice
    let weights = |model: &str, bits: &str| {
        scratch.succeed(&["export", model, "--to", "html", "--bits", bits, "--out", "page"]);
        let page = scratch.text("page/index.html");
        page.split_once("id=\"weights\">").unwrap().1.split_once('<').unwrap().0.to_owned()
    };
    let of_folder = weights("rounded", "8");
    // a temperature is in the head's scales, which are no `f16` then
    let of_temperature = scratch.json("rounded/config.json").get("temperature").map_or(0, |_| 12 * 2);
    assert_eq!(of_folder.len(), (bytes as usize + of_temperature).div_ceil(3) * 4);
    assert_eq!(of_folder, weights("runs/c/student", "3"));
    assert!(!scratch.text("page/index.html").contains("NaN"));
    // away from its run, a model is rounded without being measured
    std::fs::rename(scratch.path("rounded"), scratch.path("elsewhere")).unwrap();
    let told = scratch.succeed(&["compress", "elsewhere", "--bits", "2", "--out", "two"]).stdout;
    assert!(told.contains("was not measured: elsewhere lies in no run's folder"), "{told}");
    for (words, found) in [
        (
            &["elsewhere", "--bits", "2", "--out", "elsewhere"][..],
            "the rounded model would take the place of the model",
        ),
        (&["elsewhere", "--bits", "2", "--out", "new", "--set", "seed=1"], "elsewhere: lies in no run's folder"),
        (&["elsewhere", "--bits", "9", "--out", "new"], "2..=8"),
        (&["elsewhere", "--bits", "4", "--max-bytes", "1kB", "--out", "new"], "cannot be used with"),
        (&["elsewhere", "--bits", "4", "--max-loss", "1", "--out", "new"], "cannot be used with"),
        (&["elsewhere", "--out", "new"], "--max-bytes"),
    ] {
        let refused = scratch.run(&[&["compress"], words].concat());
        assert_eq!(refused.code, Some(2), "{words:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(found), "{words:?}: {}", refused.stderr);
    }
}
