//! `init`: a commented config for data that the user has. Each kind of data has a file that recognises it by names and content
//! (`Recognised`) and says what the config should be (`Recipe`); `compose` writes the text. In the end the data are loaded as a
//! run loads them: a config that does not fit its data is an error that says why, and not a file.

mod compose;
mod features;
mod files;
mod images;
mod parquet;
mod recognised;
mod sizes;
mod tables;
mod teachers;
#[cfg(test)]
mod tests;

use crate::config::{DataFacts, Experiment, paths_for_folder};
use crate::error::{ExperimentError, Result};
use crate::load_progress::PlainProgress;
use crate::loading::memory_for_examples;
use crate::networks::network::folder_error;
use crate::observer::{Interrupt, Observer, RunEvent};
use compose::{Recipe, compose, quoted};
use files::{Listed, what_is};
use recognised::{Content, Counted, Recognised};
use std::collections::BTreeMap;
use std::path::Path;
use stillhouse_core::Seed;
use stillhouse_data::{DataConfig, Dataset, LoadContext, Source};
use teachers::FoundTeacher;

/// A commented config for a folder of images, of idx files, of parquet files, of features or of tables, for a table of
/// texts, or for a hub repository (`owner/name`). Data on this machine is loaded as a run would load it.
///
/// # Errors
/// A folder in which nothing is recognised, a file that is no table, data that no config fits as it is, or a name that is
/// neither a path nor a repository's.
pub fn init_config(source: &str, observer: &dyn Observer, interrupt: &Interrupt) -> Result<String> {
    let path = Path::new(source);
    if !path.exists() {
        let found = images::of_repository(source).ok_or_else(|| {
            let hint = "give a folder, a table of texts, or a hub repository as owner/name";
            ExperimentError::Usage(format!("{source}: no such folder or table\n  hint: {hint}"))
        })?;
        return Ok(compose(&recipe(&found, None), &[]));
    }
    let found = recognise(path)?;
    let note = |text: String| observer.event(&RunEvent::Warning { stage: "init".into(), text });
    found.notes.iter().cloned().for_each(note);
    let dataset = load(&found, &PlainProgress { observer, interrupt })?;
    let sources = BTreeMap::from([dataset.train.source(), dataset.valid.source(), dataset.test.source()]);
    let has_valid = sources.contains_key(&Source::Valid);
    let counted = Counted { n_training: dataset.train.len(), n_classes: dataset.n_classes(), has_valid };
    let teachers = teachers::among(&found.others, counted.n_classes, &sources);
    teachers.iter().map(teachers::told).chain(teachers::left_out(&found.others, &teachers)).for_each(note);
    let tables: Vec<String> = teachers.iter().map(FoundTeacher::table).collect();
    let text = compose(&recipe(&found, Some(&counted)), &tables);
    check(&text, &dataset)?;
    Ok(text)
}

/// A config's text for a file in a folder: paths that are relative to the working directory become relative to the folder.
pub fn config_for_folder(text: &str, folder: &Path) -> String {
    let line = |key: &str, path: &Path| {
        let name = key.rsplit('.').next().unwrap_or(key);
        format!("{name} = {}", quoted(&path.display().to_string()))
    };
    paths_for_folder(text, folder)
        .iter()
        .fold(text.to_owned(), |text, (key, old, new)| text.replace(&line(key, old), &line(key, new)))
}

fn recipe(found: &Recognised, counted: Option<&Counted>) -> Recipe {
    match found.content {
        Content::Images => images::recipe(found, counted),
        Content::Texts { mean_characters } => tables::recipe(found, mean_characters, counted),
        Content::Features => features::recipe(found, counted),
    }
}

fn recognise(path: &Path) -> Result<Recognised> {
    if path.is_dir() { in_folder(path, MAX_DEPTH) } else { of_file(path) }
}

/// Folders that hold nothing but the next one.
const MAX_DEPTH: usize = 4;

fn in_folder(folder: &Path, depth: usize) -> Result<Recognised> {
    let listed = Listed::of(folder)?;
    if listed.files.is_empty() && listed.folders.is_empty() {
        return Err(nothing(folder, "an empty folder"));
    }
    // matrices without labels may be what somebody's teacher said of other data
    let (features, refused) = match features::in_folder(folder, &listed) {
        Ok(found) => (found, None),
        Err(refused) => (None, Some(refused)),
    };
    let recognised = match tables::in_folder(folder, &listed)? {
        Some(found) => Some(found),
        None => features,
    };
    let recognised = recognised.or(images::in_idx_files(folder, &listed));
    let recognised = match recognised {
        Some(found) => Some(found),
        None => images::in_folders(folder, &listed)?,
    };
    let recognised = match recognised {
        Some(found) => Some(found),
        None => parquet::in_folder(folder)?,
    };
    let recognised = match recognised {
        Some(found) => Some(found),
        None => tables::single(&listed)?,
    };
    match (recognised, refused, &listed.folders[..]) {
        (Some(mut found), ..) => {
            if !matches!(found.content, Content::Features) {
                let matrices = listed.files.iter().filter(|path| teachers::may_be_predictions(path));
                found.others = matrices.cloned().collect();
            }
            Ok(found)
        }
        (None, Some(refused), _) => Err(refused),
        (None, None, [only]) if depth > 0 => in_folder(only, depth - 1),
        (None, None, _) => Err(nothing(folder, &listed.described())),
    }
}

fn nothing(folder: &Path, found: &str) -> ExperimentError {
    ExperimentError::BadData(anyhow::anyhow!(
        "{}: found {found}, expected folders of images (<class>/ or train/<class>/), idx files, parquet files, tables \
         (train.csv) or features (train_features.npy)",
        folder.display()
    ))
}

fn of_file(path: &Path) -> Result<Recognised> {
    let what = what_is(path)?;
    match what {
        files::Kind::Parquet => parquet::of_file(path),
        files::Kind::Text => tables::of_file(path),
        other => {
            let expected = "expected a table of texts (csv, tsv, json, jsonl, ndjson, also gzipped, or parquet)";
            let hint = match other.is_part_of_a_folder() {
                true => "\n  hint: give the folder in which all of its files are",
                false => "",
            };
            Err(ExperimentError::BadData(anyhow::anyhow!("{}: found {other}, {expected}{hint}", path.display())))
        }
    }
}

/// Loads the data as a run does. A refusal says which lines were tried.
fn load(found: &Recognised, progress: &PlainProgress<'_>) -> Result<Dataset> {
    let tried = || {
        let lines: Vec<String> = found.data.lines().map(|line| format!("    {line}")).collect();
        format!(
            "no config was written, because its data is refused; its lines would be\n{}\n  and a run would say",
            lines.join("\n")
        )
    };
    let config: DataConfig = toml::from_str(&found.data)
        .map_err(|error| ExperimentError::Failed(anyhow::anyhow!("{}: {}", tried(), error.message())))?;
    let context = LoadContext {
        memory_limit_bytes: memory_for_examples(),
        ..LoadContext::new(Seed(0).derive("data", 0), progress)
    };
    config.load(&context).map_err(|error| ExperimentError::from(error).context(tried()))
}

/// Holds the written config against its data.
fn check(text: &str, dataset: &Dataset) -> Result<()> {
    let experiment = Experiment::of_text(text, "the config that would be written")?;
    let facts = DataFacts {
        input: Some(&dataset.input.shape),
        labels: Some(&dataset.labels),
        has_validation: !dataset.valid.is_empty(),
    };
    let problems = experiment.config().misfits(facts).map_err(|(_, error)| folder_error(*error))?;
    if problems.is_empty() { Ok(()) } else { Err(experiment.problems(problems).into()) }
}
