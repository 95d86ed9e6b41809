//! `init` for tables of texts.

use super::init::n_clusters;
use crate::error::Result;
use std::path::{Path, PathBuf};
use stillhouse_data::{TableGuess, guess_table};

/// A table, or the tables of a folder.
pub(super) struct RecognisedTable {
    /// lines of the `[data]` table that say where the files are
    files: String,
    place: PathBuf,
    guess: TableGuess,
    has_valid: bool,
}

const ENDINGS: [&str; 5] = ["csv", "tsv", "jsonl", "ndjson", "json"];

/// Recognises a file of texts, or a folder with `train.csv` or the like.
pub(super) fn recognise_table(path: &Path) -> Result<Option<RecognisedTable>> {
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    if path.is_dir() {
        let Some(train) = find(path, &["train", "training"]) else { return Ok(None) };
        let valid = find(path, &["valid", "validation", "val", "dev"]);
        let mut files = format!("train = {}", quoted(&train));
        for (key, file) in [("valid", valid.clone()), ("test", find(path, &["test", "testing"]))] {
            if let Some(file) = file {
                files += &format!("\n{key} = {}", quoted(&file));
            }
        }
        let guess = guess_table(&train)?;
        return Ok(Some(RecognisedTable { files, place: path.to_owned(), guess, has_valid: valid.is_some() }));
    }
    if !path.is_file() || !has_known_ending(path) {
        return Ok(None);
    }
    let files = format!(
        "path = {}\n# split = \"split\"                    # a column that says train, valid or test; without it they are carved",
        quoted(path)
    );
    Ok(Some(RecognisedTable { files, place: path.to_owned(), guess: guess_table(path)?, has_valid: false }))
}

fn find(folder: &Path, stems: &[&str]) -> Option<PathBuf> {
    let names = stems.iter().flat_map(|stem| ENDINGS.iter().map(move |ending| format!("{stem}.{ending}")));
    let names = names.flat_map(|name| [format!("{name}.gz"), name].into_iter().rev());
    names.map(|name| folder.join(name)).find(|file| file.is_file())
}

fn has_known_ending(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let ending = name.trim_end_matches(".gz").rsplit('.').next().unwrap_or_default().to_owned();
    ENDINGS.contains(&ending.as_str())
}

pub(super) fn compose_texts(table: &RecognisedTable) -> String {
    let RecognisedTable { files, place, guess, has_valid } = table;
    let TableGuess { text, label, has_names, n_labels, mean_characters } = guess;
    let column = |name: &str| if *has_names { format!("{name:?}") } else { name.to_owned() };
    let (text, label) = (column(text), column(label));
    let header = if *has_names { "" } else { "\nheader = false                         # columns are counted from 1" };
    let valid = if *has_valid {
        ""
    } else {
        "\nvalid_fraction = 0.1                   # carved from train; the test split is read once, by the evaluation"
    };
    let n_clusters = n_clusters(Some(*n_labels));
    format!(
        r#"# Texts of {n_labels} or more classes, {mean_characters} characters on average, in {place}.
# Check    stillhouse check THIS_FILE
# Look     stillhouse data preview THIS_FILE
# Plan     stillhouse plan THIS_FILE
# Run      stillhouse run THIS_FILE
# Expect   (write here what you measured: accuracies, minutes, machine, date)
seed = 0

[data]
kind = "table"
{files}
text = {text}                          # column of the texts
label = {label}                        # column of the labels{header}{valid}
augment = {{ kind = "text", word_dropout = 0.1, character_noise = 0.02 }}

[generalist]                           # the big network that knows every class
model = {{ kind = "ngram_bag", n_buckets = 65536, width = 64, hidden = [256], ngrams = {{ characters = [1, 4], words = [1, 2], lowercase = true }} }}
training = {{ n_epochs = 15, optimizer = {{ kind = "adamw", weight_decay = 1e-4 }}, schedule = {{ kind = "one_cycle", peak_learning_rate = 1e-2 }} }}

[clustering]                           # which classes go to which specialist
affinity = "prediction_covariance"     # or "soft_confusion"
method = {{ kind = "k_means", n_clusters = {n_clusters} }}
coverage = 1                           # clusters that each class is in, at least

[specialists]                          # one network for each cluster, with a dustbin for all other classes
init = "generalist"                    # or "scratch"
training = {{ n_epochs = 6, optimizer = {{ kind = "adamw", weight_decay = 1e-4 }}, schedule = {{ kind = "one_cycle", peak_learning_rate = 3e-3 }} }}

[merge]
rule = "exact"
gate = {{ kind = "all" }}

[student]                              # the small network that is shipped: 8192 x 24 numbers are 0.8 MB
model = {{ kind = "ngram_bag", n_buckets = 8192, width = 24, ngrams = {{ characters = [1, 4], words = [1, 1], lowercase = true }} }}
training = {{ n_epochs = 30, optimizer = {{ kind = "adamw", weight_decay = 1e-4 }}, schedule = {{ kind = "one_cycle", peak_learning_rate = 1e-2 }} }}
distillation = {{ loss = {{ kind = "soft_cross_entropy", temperature = 2.0 }}, task_loss_weight = 0.1, distill_loss_weight = 0.9 }}
views = 4                              # views of each text for which soft targets are stored
"#,
        place = place.display()
    )
}
