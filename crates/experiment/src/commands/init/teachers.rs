//! `init` for predictions that other programs made: matrices next to the data, with a column for each class.

use super::compose::quoted;
use super::files::file_name;
use crate::config::Space;
use crate::external::{ExternalTeacher, Predictions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stillhouse_data::{Source, split_in_name};

const ENDINGS: [&str; 2] = ["npy", "safetensors"];
/// Words in the names of files of logits.
const PREDICTION_WORDS: [&str; 10] =
    ["logits", "logit", "preds", "pred", "predictions", "prediction", "outputs", "output", "scores", "teacher"];
/// Rows that say what the numbers of a file are.
const N_ROWS_TRIED: usize = 1000;

/// The files of one teacher.
pub(super) struct FoundTeacher {
    name: String,
    /// the training split first
    pub(super) files: Vec<(Source, PathBuf)>,
    space: Space,
}

impl FoundTeacher {
    /// Its table in a config.
    pub(super) fn table(&self) -> String {
        let key = |split: Source| match split {
            Source::Train => "train",
            Source::Valid => "valid",
            Source::Test => "test",
        };
        let files = self
            .files
            .iter()
            .map(|(split, path)| format!("{} = {}\n", key(*split), quoted(&path.display().to_string())));
        let space = match self.space {
            Space::Probs => "",
            Space::LogProbs => "space = \"log_probs\"\n",
            Space::Logits => "space = \"logits\"\n",
        };
        format!("[[external_teacher]]\nname = {}\n{}{space}", quoted(&self.name), files.collect::<String>())
    }
}

/// Whether a file can hold somebody's predictions, by its name.
pub(super) fn may_be_predictions(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The teachers among these files: one for each name that has a matrix for every source of the data (`big_train.npy`,
/// `big_test.npy`), of as many rows, with a column for each class. Logits can be any numbers, so their files have to say it.
pub(super) fn among(files: &[PathBuf], n_classes: usize, sources: &BTreeMap<Source, usize>) -> Vec<FoundTeacher> {
    let mut named: BTreeMap<String, BTreeMap<Source, PathBuf>> = BTreeMap::new();
    for path in files.iter().filter(|path| may_be_predictions(path)) {
        let stem = path.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().to_lowercase());
        let words: Vec<&str> = stem.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let Some(split) = split_in_name(&stem).filter(|split| sources.contains_key(split)) else { continue };
        let name: Vec<&str> = words.into_iter().filter(|word| split_in_name(word).is_none()).collect();
        let name = if name.is_empty() { "teacher".to_owned() } else { name.join("_") };
        named.entry(name).or_default().insert(split, path.clone());
    }
    let teacher = |(name, files): (String, BTreeMap<Source, PathBuf>)| {
        let says_it = name.split('_').any(|word| PREDICTION_WORDS.contains(&word));
        let spaces = if says_it {
            &[Space::Probs, Space::LogProbs, Space::Logits][..]
        } else {
            &[Space::Probs, Space::LogProbs]
        };
        let reads = |space: Space| {
            let is_read = |(source, n_rows): (&Source, &usize)| {
                files.get(source).is_some_and(|path| has_predictions(path, space, [*n_rows, n_classes]))
            };
            sources.iter().all(is_read)
        };
        let space = spaces.iter().copied().find(|space| reads(*space))?;
        Some(FoundTeacher { name, files: files.into_iter().collect(), space })
    };
    named.into_iter().filter_map(teacher).collect()
}

/// Whether a file has a matrix of this shape, of such numbers. A matrix of zeros and ones is labels.
fn has_predictions(path: &Path, space: Space, shape: [usize; 2]) -> bool {
    let opened = Predictions::open(&ExternalTeacher::of_every_class(path, space), Path::new(""));
    opened.is_ok_and(|mut file| {
        let read = ([file.n_rows(), file.n_columns()] == shape).then(|| file.read(shape[0].min(N_ROWS_TRIED)).ok());
        read.flatten().is_some_and(|probs| probs.iter().any(|prob| *prob != 0.0 && *prob != 1.0))
    })
}

/// What is said of files that are part of nothing.
pub(super) fn left_out(files: &[PathBuf], teachers: &[FoundTeacher]) -> Option<String> {
    let is_used = |path: &PathBuf| teachers.iter().any(|teacher| teacher.files.iter().any(|(_, used)| used == path));
    let left: Vec<&Path> = files.iter().filter(|path| !is_used(path)).map(PathBuf::as_path).collect();
    (!left.is_empty()).then(|| format!("left out of the config: {}", super::files::listed(&left)))
}

/// What is said of a teacher that was found.
pub(super) fn told(teacher: &FoundTeacher) -> String {
    let names: Vec<String> = teacher.files.iter().map(|(_, path)| file_name(path)).collect();
    format!(
        "{}: a column for each class, so a teacher's predictions; the columns must be in the order of the labels",
        names.join(" and ")
    )
}
