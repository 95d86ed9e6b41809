//! `init` for predictions that other programs made: matrices next to the data, with a column for each class.

use super::compose::quoted;
use super::files::file_name;
use crate::config::Space;
use crate::external::{ExternalTeacher, Predictions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stillhouse_data::{Source, split_in_name};

const ENDINGS: [&str; 2] = ["npy", "safetensors"];
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

/// The teachers among these files: one for each name that has a matrix for every split of the data that a run reads, apart from the
/// word for the split (`big_train.npy`, `big_test.npy`).
pub(super) fn among(files: &[PathBuf], n_classes: usize, splits: &[Source]) -> Vec<FoundTeacher> {
    let mut named: BTreeMap<String, Vec<(Source, PathBuf)>> = BTreeMap::new();
    for path in files.iter().filter(|path| may_be_predictions(path)) {
        let stem = path.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into_owned());
        let Some(split) = split_in_name(&stem).filter(|split| splits.contains(split)) else { continue };
        let words = stem.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let name: Vec<&str> = words.filter(|word| split_in_name(word).is_none()).collect();
        named.entry(name.join("_")).or_default().push((split, path.clone()));
    }
    let teacher = |(name, mut files): (String, Vec<(Source, PathBuf)>)| {
        files.sort_by_key(|(split, _)| splits.iter().position(|known| known == split));
        let has_all = files.iter().map(|(split, _)| split).eq(splits);
        let space = files.first().filter(|_| has_all).and_then(|(_, path)| space_of(path, n_classes))?;
        let others = files.iter().all(|(_, path)| space_of(path, n_classes) == Some(space));
        let name = if name.is_empty() { "teacher".to_owned() } else { name };
        others.then_some(FoundTeacher { name, files, space })
    };
    named.into_iter().filter_map(teacher).collect()
}

/// What the numbers of a file with a column for each class are; none for anything else.
fn space_of(path: &Path, n_classes: usize) -> Option<Space> {
    [Space::Probs, Space::LogProbs, Space::Logits].into_iter().find(|space| {
        let opened = Predictions::open(&ExternalTeacher::of_every_class(path, *space), Path::new(""));
        opened.is_ok_and(|mut file| file.n_columns() == n_classes && file.read(file.n_rows().min(N_ROWS_TRIED)).is_ok())
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
        "{} have a column for each class: predictions of a teacher, whose columns must be in the order of the labels",
        names.join(" and ")
    )
}
