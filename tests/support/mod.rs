//! Runs the real program in a fresh folder.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod limit;
pub mod matrices;
pub mod python;

use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A fresh folder in which the program runs; removed at the end.
pub struct Scratch {
    folder: tempfile::TempDir,
}

/// A program that is over.
#[derive(Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

const TEXTS: &str = r#"seed = 0
[data]
kind = "table"
train = "t.csv"
test = "t.csv"
valid_fraction = 0.3
[generalist]
model = { kind = "ngram_bag", n_buckets = 512, width = 16, ngrams = { characters = [1, 2] } }
training = { n_epochs = 3, batch_size = 8, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }
[student]
model = { kind = "ngram_bag", n_buckets = 512, width = 16, ngrams = { characters = [1, 2] } }
training = { n_epochs = 3, batch_size = 8, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-2 } }
"#;

impl Scratch {
    /// An empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with the tiny experiment in `tiny.toml`.
    pub fn with_tiny_config() -> Self {
        let scratch = Self::new();
        scratch.write("tiny.toml", TINY);
        scratch
    }

    /// A folder with 60 texts of three classes in `t.csv`, and an experiment on them in `t.toml`.
    pub fn with_texts() -> Self {
        let scratch = Self::new();
        let words = ["red apple", "green leaf", "blue water"];
        let rows =
            (0..60).map(|row| format!("{} number {row},{}\n", words[row % 3], ["fruit", "plant", "sea"][row % 3]));
        scratch.write("t.csv", format!("text,label\n{}", rows.collect::<String>()));
        scratch.write("t.toml", TEXTS);
        scratch
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub fn write(&self, relative: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillhouse"));
        command.args(words).current_dir(self.folder.path()).env_remove("RUST_BACKTRACE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, words: &[&str]) -> Finished {
        output(&mut self.command(words)).into()
    }

    /// Starts the program.
    pub fn start(&self, words: &[&str]) -> Child {
        self.command(words).spawn().unwrap()
    }

    /// Runs the program to its end, which must be a good one.
    pub fn succeed(&self, words: &[&str]) -> Finished {
        let finished = self.run(words);
        assert_eq!(finished.code, Some(0), "{words:?}\n{}{}", finished.stdout, finished.stderr);
        finished
    }

    pub fn json(&self, relative: &str) -> Json {
        serde_json::from_str(&self.text(relative)).unwrap()
    }

    pub fn text(&self, relative: &str) -> String {
        String::from_utf8(self.bytes(relative)).unwrap()
    }

    pub fn bytes(&self, relative: &str) -> Vec<u8> {
        std::fs::read(self.path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
    }

    /// Waits until a file holds a text.
    pub fn wait_for(&self, relative: &str, text: &str) {
        let holds = || std::fs::read_to_string(self.path(relative)).is_ok_and(|found| found.contains(text));
        limit::wait_until(&format!("{text} in {relative}"), holds);
    }

    /// All files below a folder.
    pub fn files(&self, relative: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut pending = vec![self.path(relative)];
        while let Some(path) = pending.pop() {
            if path.is_dir() {
                pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if path.exists() {
                files.push(path);
            }
        }
        files.sort();
        files
    }
}

/// Runs a command to its end; `Command::output` would wait for ever.
pub fn output(command: &mut Command) -> Output {
    limit::wait_with_output(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A whole experiment of a fraction of a second.
pub const TINY: &str = r#"# A whole experiment of a fraction of a second.
seed = 0

[data]
kind = "glyphs"
n_classes = 12
train_per_class = 20
test_per_class = 8

[generalist]
model = { kind = "mlp", widths = [32] }
training = { n_epochs = 2, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 3e-3 } }

[clustering]
affinity = "prediction_covariance"
method = { kind = "k_means", n_clusters = 3 }

[specialists]
training = { n_epochs = 2, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 1e-3 } }

[student]
model = { kind = "mlp", widths = [16] }
training = { n_epochs = 2, batch_size = 16, optimizer = { kind = "adamw" }, schedule = { kind = "constant", learning_rate = 3e-3 } }
distillation = { loss = { kind = "soft_cross_entropy", temperature = 2.0 }, task_loss_weight = 0.1, distill_loss_weight = 0.9 }

[evaluation]
n_samples = 2
"#;

/// A report without what the clock measured: equal for two runs of one experiment.
pub fn without_times(mut report: Json) -> Json {
    fn remove(value: &mut Json) {
        const CLOCK: [&str; 5] =
            ["train_seconds", "latency_ms_p50", "latency_ms_p95", "total_train_seconds", "wall_seconds"];
        match value {
            Json::Object(table) => {
                table.retain(|key, _| !CLOCK.contains(&key.as_str()));
                table.values_mut().for_each(remove);
            }
            Json::Array(items) => items.iter_mut().for_each(remove),
            _ => {}
        }
    }
    remove(&mut report);
    report
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap()
}
