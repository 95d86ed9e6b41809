//! `init` for tables of texts.

use super::compose::{Recipe, quoted as toml_string};
use super::files::{Listed, file_name, listed};
use super::recognised::{Content, Counted, Recognised, in_words};
use super::sizes::{InputKind, sizes};
use crate::error::{ExperimentError, Result};
use std::path::{Path, PathBuf};
use stillhouse_data::{Source, TableGuess, guess_table, split_in_name};

const ENDINGS: [&str; 6] = ["csv", "tsv", "jsonl", "ndjson", "json", "tab"];

/// Recognises a folder with `train.csv`, or another name that says the split and another format.
///
/// # Errors
/// Several training tables, or a table that cannot be read.
pub(super) fn in_folder(folder: &Path, listing: &Listed) -> Result<Option<Recognised>> {
    let tables: Vec<&PathBuf> = listing.files.iter().filter(|file| rank_of_ending(file).is_some()).collect();
    let Some(train) = choose(&tables, Source::Train)? else { return Ok(None) };
    let (valid, test) = (choose(&tables, Source::Valid)?, choose(&tables, Source::Test)?);
    let chosen = [("train", Some(train)), ("valid", valid), ("test", test)];
    let line = |(key, file): &(&str, Option<&PathBuf>)| {
        file.map(|file| format!("{key} = {}", toml_string(&file.display().to_string())))
    };
    let lines: Vec<String> = chosen.iter().filter_map(line).collect();
    let used: Vec<PathBuf> = chosen.iter().filter_map(|(_, file)| (*file).cloned()).collect();
    let guess = TableGuess { split: None, ..guess_table(train, &used)? };
    let left: Vec<&Path> = tables.iter().filter(|file| !used.contains(**file)).map(|file| file.as_path()).collect();
    let note = (!left.is_empty()).then(|| format!("left out of the config: {}", listed(&left)));
    Ok(Some(recognised(folder, &lines.join("\n"), &guess, note)))
}

/// The table of a split. One whose name is nothing but the split's word comes first, then the order of the formats decides.
fn choose<'a>(tables: &[&'a PathBuf], split: Source) -> Result<Option<&'a PathBuf>> {
    let of_split = tables.iter().filter(|file| split_in_name(&stem(file)) == Some(split));
    let is_long = |file: &Path| stem(file).chars().any(|c| !c.is_alphanumeric());
    let mut candidates: Vec<(bool, usize, &'a PathBuf)> =
        of_split.filter_map(|file| Some((is_long(file), rank_of_ending(file)?, *file))).collect();
    candidates.sort();
    match candidates[..] {
        [] => Ok(None),
        [(is_long, rank, first), (other_is_long, other_rank, second), ..]
            if (is_long, rank) == (other_is_long, other_rank) && stem(first) != stem(second) =>
        {
            let names: Vec<&Path> = candidates.iter().map(|(_, _, file)| file.as_path()).collect();
            Err(ExperimentError::BadData(anyhow::anyhow!(
                "{}: found {} tables of one split ({}), expected one\n  hint: join them, or move those that are not meant",
                first.parent().unwrap_or(first).display(),
                names.len(),
                listed(&names)
            )))
        }
        [(_, _, first), ..] => Ok(Some(first)),
    }
}

/// Recognises the only table of a folder.
///
/// # Errors
/// Several tables whose names say no split, or a table that cannot be read.
pub(super) fn single(listing: &Listed) -> Result<Option<Recognised>> {
    let tables: Vec<&PathBuf> = listing.files.iter().filter(|file| rank_of_ending(file).is_some()).collect();
    match tables[..] {
        [] => Ok(None),
        [only] => of_file(only).map(Some),
        [first, ..] => {
            let names: Vec<&Path> = tables.iter().map(|file| file.as_path()).collect();
            Err(ExperimentError::BadData(anyhow::anyhow!(
                "{}: found tables of which none is named as the training split ({}), expected train.csv or the like\n  hint: give \
                 one of the files, or rename them",
                first.parent().unwrap_or(first).display(),
                listed(&names)
            )))
        }
    }
}

/// A table that is given alone.
///
/// # Errors
/// A file that cannot be read as a table.
pub(super) fn of_file(path: &Path) -> Result<Recognised> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let ending = path.extension();
    let others = stillhouse_files::entries(folder).unwrap_or_default().into_iter();
    let others: Vec<PathBuf> = others.filter(|other| other.is_file() && other.extension() == ending).collect();
    let guess = guess_table(path, &others)?;
    let split = match &guess.split {
        Some(split) => format!("split = {}                        # column that says train, valid or test", column(split, &guess)),
        None => "# split = \"split\"                    # a column that says train, valid or test; without it they are carved".to_owned(),
    };
    let lines = format!("path = {}\n{split}", toml_string(&path.display().to_string()));
    Ok(recognised(path, &lines, &guess, None))
}

pub(super) fn column(name: &str, guess: &TableGuess) -> String {
    if guess.has_names { toml_string(name) } else { name.to_owned() }
}

/// A table in these places.
pub(super) fn recognised(place: &Path, places: &str, guess: &TableGuess, note: Option<String>) -> Recognised {
    let mut data = format!(
        "kind = \"table\"\n{places}\ntext = {}                          # column of the texts\n\
         label = {}                        # column of the labels",
        column(&guess.text, guess),
        column(&guess.label, guess)
    );
    if !guess.has_names {
        data += "\nheader = false                         # columns are counted from 1";
    }
    if let Some(delimiter) = guess.delimiter {
        data += &format!("\ndelimiter = {}", toml_string(&delimiter.to_string()));
    }
    if let Some(quotes) = guess.quotes {
        data += &format!(
            "\nquotes = {quotes}                         # whether quotation marks may hold delimiters and line breaks"
        );
    }
    Recognised {
        content: Content::Texts { mean_characters: guess.mean_characters },
        place: in_words(place),
        data,
        notes: note.into_iter().collect(),
        others: Vec::new(),
    }
}

/// The place of the format in the order of preference.
fn rank_of_ending(path: &Path) -> Option<usize> {
    let name = file_name(path).to_lowercase();
    let (_, ending) = name.trim_end_matches(".gz").rsplit_once('.')?;
    ENDINGS.iter().position(|known| *known == ending)
}

/// The name without its endings.
fn stem(path: &Path) -> String {
    let name = file_name(path);
    let lower = name.to_lowercase();
    let plain = lower.trim_end_matches(".gz");
    plain.rsplit_once('.').map_or(plain, |(stem, _)| stem).to_owned()
}

/// The config for a table of texts.
pub(super) fn recipe(found: &Recognised, mean_characters: usize, counted: Option<&Counted>) -> Recipe {
    let valid = match counted.is_some_and(|counted| counted.has_valid) {
        true => "",
        false => {
            "\nvalid_fraction = 0.1                   # carved from train; the test split is read once, by the evaluation"
        }
    };
    let n_classes = counted.map(|counted| counted.n_classes);
    let of_classes = n_classes.map_or(String::new(), |n_classes| format!(" of {n_classes} classes"));
    Recipe {
        about: format!("Texts{of_classes}, {mean_characters} characters on average, in {}.", found.place),
        has_preview: true,
        data: format!("{}{valid}", found.data),
        augment: r#"augment = { kind = "text", word_dropout = 0.1, character_noise = 0.02 }"#,
        generalist: r#"{ kind = "ngram_bag", n_buckets = 65536, width = 64, ngrams = { characters = [1, 4], words = [1, 2], lowercase = true } }"#.to_owned(),
        pretrained: PRETRAINED.to_owned(),
        student: r#"{ kind = "ngram_bag", n_buckets = 32768, width = 64, ngrams = { characters = [1, 4], words = [1, 2], lowercase = true } }   # 8.4 MB; 8192 x 24 are 0.8 MB and 1 to 2 points less"#.to_owned(),
        optimizer: r#"{ kind = "adamw", weight_decay = 1e-4 }"#,
        peak_learning_rate: 1e-2,
        temperature: 1.0,
        sizes: sizes(counted.map(|counted| counted.n_training), n_classes, InputKind::Texts),
    }
}

/// Comment lines that offer a pretrained encoder: better on most texts, but slower, and downloaded once.
const PRETRAINED: &str = r#"# A pretrained encoder (from the hub, 90 MB) is better on most texts, and slower; with it, n_epochs = 5 and learning rates of 3e-4:
# model = { kind = "bert", repo = "sentence-transformers/all-MiniLM-L6-v2", max_len = 64, learning_rate_decay = 0.9 }
# tokenizer = { kind = "hub", repo = "sentence-transformers/all-MiniLM-L6-v2" }
"#;
