//! A run's soft targets as a data set for other programs: `targets export`, read back by Python where it has pyarrow.

mod support;

use std::collections::BTreeMap;
use std::process::Command;
use support::Scratch;
use support::matrices::{npy, npy_header};
use support::python::python_with;

/// Examples of each class, in the training and in the test file.
const N_TRAIN: usize = 40;
const N_TEST: usize = 20;
const N_CLASSES: usize = 3;

/// Two numbers that say the class, with some noise.
fn point(row: usize) -> [f64; 2] {
    let (class, noise) = (row % N_CLASSES, (row * 37 % 17) as f64 / 17.0 - 0.5);
    [[0.0, 4.0], [4.0, 0.0], [4.0, 4.0]][class].map(|value| value + noise)
}

fn features() -> Scratch {
    let scratch = Scratch::new();
    for (name, n_rows) in [("train", N_CLASSES * N_TRAIN), ("test", N_CLASSES * N_TEST)] {
        let points: Vec<Vec<f64>> = (0..n_rows).map(|row| point(row).to_vec()).collect();
        let labels: Vec<u8> = (0..n_rows as i64).flat_map(|row| (row % N_CLASSES as i64).to_le_bytes()).collect();
        let header = npy_header("<i8", &format!("({n_rows},)"));
        scratch.write(&format!("{name}.npy"), npy(&points));
        scratch.write(&format!("{name}_labels.npy"), [header, labels].concat());
    }
    scratch.write("names.txt", "a, \"b\"\nc/d\ne\n");
    scratch.write("mine.toml", CONFIG);
    scratch
}

const CONFIG: &str = r#"
seed = 0

[data]
kind = "features"
train = "train.npy"
train_labels = "train_labels.npy"
test = "test.npy"
test_labels = "test_labels.npy"
label_names = "names.txt"

[generalist]
model = { kind = "mlp", widths = [16] }
training = { n_epochs = 20, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }

[student]
model = { kind = "mlp", widths = [8] }
training = { n_epochs = 2, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 3e-3 } }
distillation = { loss = { kind = "soft_cross_entropy", temperature = 2.0 }, task_loss_weight = 0.1, distill_loss_weight = 0.9 }
"#;

/// The cells of a CSV file without quoted line breaks.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| {
        let (mut cells, mut is_quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    };
    text.lines().map(cells).collect()
}

#[test]
fn each_example_is_found_again() {
    let scratch = features();
    scratch.succeed(&["run", "mine.toml", "-q", "--threads", "2"]);
    let told = scratch.succeed(&["targets", "export", "runs/mine"]).stdout;
    assert!(told.contains("rows of 3 classes") && told.contains("runs/mine/soft_targets"), "{told}");
    let rows = rows(&scratch.text("runs/mine/soft_targets/examples.csv"));
    assert_eq!(rows[0], ["id", "source", "row", "path", "label"]);
    let names = ["a, b", "c/d", "e"];
    for row in &rows[1..] {
        let number: usize = row[2].parse().unwrap();
        assert_eq!((row[1].as_str(), row[4].as_str()), ("train", names[number % N_CLASSES]), "{row:?}");
    }
    // a tenth of the training file is the validation split, which no student learns from
    assert!((N_CLASSES * N_TRAIN / 2..N_CLASSES * N_TRAIN).contains(&(rows.len() - 1)), "{}", rows.len());

    // the same command writes the same bytes over its own folder, and never over another
    let before = scratch.bytes("runs/mine/soft_targets/targets.parquet");
    scratch.succeed(&["targets", "export", "runs/mine"]);
    assert_eq!(scratch.bytes("runs/mine/soft_targets/targets.parquet"), before);
    scratch.write("taken/mine.txt", "x");
    let refused = scratch.run(&["targets", "export", "runs/mine", "--out", "taken"]);
    assert_eq!((refused.code, scratch.files("taken").len()), (Some(2), 1), "{}", refused.stderr);
    assert!(refused.stderr.contains("holds something else"), "{}", refused.stderr);
}

#[test]
fn a_run_without_kept_targets_says_so() {
    let scratch = features();
    scratch.succeed(&["run", "mine.toml", "-q", "--set", "soft_targets.keep=\"one_view\""]);
    let refused = scratch.run(&["targets", "export", "runs/mine"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("keeps no soft targets"), "{}", refused.stderr);
    assert!(!scratch.path("runs/mine/soft_targets").exists());
}

/// Reads a file and compares it with `examples.csv`; prints the probabilities' sum and what is in the schema.
const READ: &str = r#"
import json, sys, pyarrow.parquet, pyarrow.csv
folder = sys.argv[1]
table = pyarrow.parquet.read_table(folder + "/targets.parquet")
noted = json.loads(table.schema.metadata[b"stillhouse"])
print(json.dumps({
    "types": {field.name: str(field.type) for field in table.schema},
    "labels": noted["labels"], "tail_temperatures": noted["tail_temperatures"],
    "names": sorted(set(zip(table["label"].to_pylist(), table["label_name"].to_pylist()))),
    "rows": table.slice(0, 3).to_pylist(), "n_rows": table.num_rows,
    "same_ids": table["example_id"].to_pylist() == pyarrow.csv.read_csv(folder + "/examples.csv")["id"].to_pylist(),
}))
"#;

#[test]
fn python_reads_the_targets_and_trains_on_them() {
    let Some(python) = python_with("numpy, pyarrow.parquet, pyarrow.csv") else {
        println!("skipped: no Python with numpy and pyarrow (STILLHOUSE_PYTHON names one)");
        return;
    };
    let scratch = features();
    let run = |words: &[&str]| {
        let output = support::output(Command::new(&python).args(words).current_dir(scratch.path("")));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    scratch.succeed(&["run", "mine.toml", "-q", "--threads", "2"]);
    scratch.succeed(&["targets", "export", "runs/mine", "--out", "dense"]);
    let found: serde_json::Value = serde_json::from_str(&run(&["-c", READ, "dense"])).unwrap();
    let types: BTreeMap<String, String> = serde_json::from_value(found["types"].clone()).unwrap();
    let expected = [
        ("example_id", "uint64"),
        ("label", "int64"),
        ("label_name", "string"),
        ("probs", "list<element: float not null>"),
        ("view", "int64"),
    ];
    assert_eq!(types, BTreeMap::from(expected.map(|(name, kind)| (name.to_owned(), kind.to_owned()))));
    assert_eq!(found["labels"], serde_json::json!(["a, \"b\"", "c/d", "e"]));
    assert_eq!(found["names"], serde_json::json!([[0, "a, \"b\""], [1, "c/d"], [2, "e"]]));
    assert!(found["same_ids"] == true && found["rows"][0]["view"].is_null(), "{found}");
    let probs: Vec<f64> = serde_json::from_value(found["rows"][0]["probs"].clone()).unwrap();
    assert!(probs.len() == 3 && (probs.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{probs:?}");

    let script = support::repository().join("experiments/soft_targets/student.py");
    let told = run(&[script.to_str().unwrap(), "dense", "train.npy", "test.npy", "test_labels.npy"]);
    let accuracy: f64 = told.trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(accuracy > 0.9, "{told}");

    let sparse = "soft_targets.layout={ kind = \"sparse\", k = 2, temperatures = [2] }";
    scratch.succeed(&["run", "mine.toml", "-q", "--set", sparse, "--out", "runs/sparse"]);
    scratch.succeed(&["targets", "export", "runs/sparse", "--out", "sparse"]);
    let found: serde_json::Value = serde_json::from_str(&run(&["-c", READ, "sparse"])).unwrap();
    assert_eq!(found["tail_temperatures"][0], 1.0);
    let row = &found["rows"][0];
    let kept: Vec<f64> = serde_json::from_value(row["probs"].clone()).unwrap();
    assert_eq!(row["classes"].as_array().map(Vec::len), Some(2));
    let mass = kept.iter().sum::<f64>() + row["tails"][0].as_f64().unwrap();
    assert!((mass - 1.0).abs() < 1e-2, "{row}");
}
