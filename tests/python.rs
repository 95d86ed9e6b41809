//! The Python module against the command line, to the bit; only where Python with numpy is at hand.

mod support;

use std::process::Command;
use support::matrices::{Draw, npy, softmax};
use support::python::python_with;
use support::{Scratch, repository};

#[test]
fn the_module_says_what_the_command_line_says() {
    let Some(python) = python_with("numpy") else {
        println!("skipped: no Python with numpy (STILLHOUSE_PYTHON names one)");
        return;
    };
    let scratch = Scratch::with_tiny_config();
    let sparse = "soft_targets.layout={ kind = \"sparse\", k = 4 }";
    let loss = "student.distillation.loss={ kind = \"soft_cross_entropy\", temperature = 4.0 }";
    scratch.succeed(&["run", "tiny.toml", "-q", "--out", "run", "--set", sparse, "--set", loss]);
    let dense = "soft_targets.layout={ kind = \"dense\" }";
    scratch.succeed(&["run", "tiny.toml", "-q", "--out", "dense", "--set", dense, "--set", loss]);
    let image = image::GrayImage::from_fn(28, 28, |x, y| image::Luma([((x * 9) ^ (y * 5)) as u8]));
    image.save(scratch.path("image.png")).unwrap();
    scratch.succeed(&["predict", "run/student", "image.png", "--out", "probs.npy", "-q"]);

    let texts = Scratch::with_texts();
    texts.succeed(&["run", "t.toml", "-q", "--out", "run"]);
    std::fs::rename(texts.path("run/student"), scratch.path("texts")).unwrap();

    let mut draw = Draw(3);
    let generalist: Vec<Vec<f64>> = (0..40).map(|_| softmax(&draw.logits(6))).collect();
    let labels: Vec<Vec<f64>> = (0..40).map(|_| vec![draw.below(6) as f64]).collect();
    scratch.write("generalist.npy", npy(&generalist));
    scratch.write("specialist.npy", npy(&(0..40).map(|_| draw.logits(4)).collect::<Vec<_>>()));
    scratch.write("labels.txt", labels.iter().map(|row| format!("{}\n", row[0])).collect::<String>());
    scratch.write(
        "teachers.toml",
        "[[teacher]]\npredictions = \"generalist.npy\"\n[[teacher]]\npredictions = \"specialist.npy\"\n\
         space = \"logits\"\nclasses = [4, 1, 2]\ndustbin = true\nweight = 0.5\n",
    );
    scratch.succeed(&["merge", "teachers.toml", "--out", "merged.npy", "-q"]);
    scratch.succeed(&["merge", "teachers.toml", "--out", "merged.safetensors", "--format", "store", "-q"]);
    let cluster =
        ["cluster", "generalist.npy", "--labels", "labels.txt", "--n-clusters", "2", "--out", "clusters.json"];
    scratch.succeed(&cluster);

    let run = Command::new(python)
        .arg(repository().join("tests/support/module.py"))
        .current_dir(scratch.path(""))
        .env("PYTHONPATH", repository().join("crates/cli/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("STILLHOUSE", env!("CARGO_BIN_EXE_stillhouse"))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(String::from_utf8_lossy(&run.stdout).trim(), "all the same");
}

/// A tracker that prints what it is given.
const TRACKER: &str = r#"
import contextlib

@contextlib.contextmanager
def start_run(run_name):
    print("run", run_name)
    yield

def log_metrics(values, step):
    for name, value in values.items():
        print(name, step, value)

def log_metric(name, value):
    print(name, value)
"#;

#[test]
fn the_bridge_to_a_tracker_sends_every_epoch() {
    let Some(python) = python_with("json") else {
        println!("skipped: no Python (STILLHOUSE_PYTHON names one)");
        return;
    };
    let scratch = Scratch::with_tiny_config();
    scratch.succeed(&["run", "tiny.toml", "-q", "--out", "tiny"]);
    scratch.write("mlflow.py", TRACKER);
    let run = Command::new(python)
        .arg(repository().join("experiments/tracker/bridge.py"))
        .arg(scratch.path("tiny"))
        .env("PYTHONPATH", scratch.path(""))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let said = String::from_utf8_lossy(&run.stdout);
    let metrics = scratch.text("tiny/metrics.csv");
    let n_epochs = metrics.lines().count() - 1;
    assert_eq!(said.lines().filter(|line| line.contains("/train_loss ")).count(), n_epochs, "{said}\n{metrics}");
    let student = scratch.json("tiny/report.json")["models"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|model| (model["name"] == "student").then(|| format!("student/test_top1 {}", model["top1"])));
    assert!(said.lines().any(|line| line == student.as_deref().unwrap()), "{said}");
}
