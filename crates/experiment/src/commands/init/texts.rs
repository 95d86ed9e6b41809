//! `init` for tables of texts.

use super::compose::{Recipe, quoted as toml_string};
use super::sizes::{InputKind, sizes};
use crate::error::Result;
use std::path::{Path, PathBuf};
use stillhouse_core::Seed;
use stillhouse_data::{DataConfig, LoadContext, TableGuess, guess_table};

/// A table, or the tables of a folder.
pub(super) struct RecognisedTable {
    /// lines of the `[data]` table that say where the files are
    files: String,
    place: PathBuf,
    guess: TableGuess,
    has_valid: bool,
}

const ENDINGS: [&str; 5] = ["csv", "tsv", "jsonl", "ndjson", "json"];

/// Recognises a table of texts, or a folder with `train.csv` (or another usual name and format).
///
/// # Errors
/// A table that cannot be read.
pub(super) fn recognise_table(path: &Path) -> Result<Option<RecognisedTable>> {
    let quoted = |path: &Path| toml_string(&path.display().to_string());
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

/// The config for a table of texts.
pub(super) fn recipe_for_texts(table: &RecognisedTable) -> Recipe {
    let RecognisedTable { files, place, guess, has_valid } = table;
    let TableGuess { text, label, has_names, n_labels, mean_characters } = guess;
    let column = |name: &str| if *has_names { toml_string(name) } else { name.to_owned() };
    let (text, label) = (column(text), column(label));
    let header = if *has_names { "" } else { "\nheader = false                         # columns are counted from 1" };
    let valid = if *has_valid {
        ""
    } else {
        "\nvalid_fraction = 0.1                   # carved from train; the test split is read once, by the evaluation"
    };
    let data = format!(
        r#"kind = "table"
{files}
text = {text}                          # column of the texts
label = {label}                        # column of the labels{header}{valid}
augment = {{ kind = "text", word_dropout = 0.1, character_noise = 0.02 }}"#
    );
    // the guess is from the first rows; it is used where the whole table cannot be read
    let (n_training, n_classes) = count(&data).unzip();
    let n_classes = n_classes.unwrap_or(*n_labels);
    Recipe {
        about: format!("Texts of {n_classes} classes, {mean_characters} characters on average, in {}.", place.display()),
        data,
        generalist: r#"{ kind = "ngram_bag", n_buckets = 65536, width = 64, ngrams = { characters = [1, 4], words = [1, 2], lowercase = true } }"#.to_owned(),
        pretrained: PRETRAINED.to_owned(),
        student: r#"{ kind = "ngram_bag", n_buckets = 32768, width = 64, ngrams = { characters = [1, 4], words = [1, 2], lowercase = true } }   # 8.4 MB; 8192 x 24 are 0.8 MB and 1 to 2 points less"#.to_owned(),
        optimizer: r#"{ kind = "adamw", weight_decay = 1e-4 }"#,
        peak_learning_rate: 1e-2,
        temperature: 1.0,
        sizes: sizes(n_training, Some(n_classes), InputKind::Texts),
    }
}

/// Comment lines that offer a pretrained encoder: better on most texts, but slower, and downloaded once.
const PRETRAINED: &str = r#"# A pretrained encoder (from the hub, 90 MB) is better on most texts, and slower; with it, n_epochs = 5 and learning rates of 3e-4:
# model = { kind = "bert", repo = "sentence-transformers/all-MiniLM-L6-v2", max_len = 64, learning_rate_decay = 0.9 }
# tokenizer = { kind = "hub", repo = "sentence-transformers/all-MiniLM-L6-v2" }
"#;

/// Numbers of training examples and of classes.
fn count(data: &str) -> Option<(usize, usize)> {
    let config: DataConfig = toml::from_str(data).ok()?;
    let dataset = config.load(&LoadContext::quiet(Seed(0))).ok()?;
    Some((dataset.train.len(), dataset.n_classes()))
}
