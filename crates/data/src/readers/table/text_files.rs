//! Tables of texts and labels in files of text.

use super::builtin;
use super::config::TableConfig;
use super::gathered::Gathered;
use crate::found::{Found, Part};
use crate::readers::split_name::SplitName;
use crate::store::Store;
use crate::texts::{TextExamples, note_changes};
use crate::{DataError, LoadContext};
use std::path::{Path, PathBuf};

/// Reads files of text, one for each split or one for all.
///
/// # Errors
/// Files that are absent, damaged or of another format; rows without a text or a label; an interruption.
pub(crate) fn read(config: &TableConfig, context: &LoadContext<'_>) -> Result<Found, DataError> {
    let [train, valid, test] = match (&config.path, &config.train) {
        (Some(path), _) => read_together(config, path, context)?,
        (None, train) => {
            let read = |path: &PathBuf| read_alone(config, path, context).map(|gathered| (path.clone(), gathered));
            let train = train.as_ref().map(read).transpose()?;
            [train, config.valid.as_ref().map(read).transpose()?, config.test.as_ref().map(read).transpose()?]
        }
    };
    let (path, train) = train.expect("the config is checked before the load, and a file has rows");
    let labels = train.sorted_labels();
    let mut provenance = vec![("training texts".to_owned(), path.display().to_string())];
    let mut part = |split: &str, path: &Path, gathered: Gathered| -> Result<Part, DataError> {
        note_changes(split, gathered.changes, &mut provenance);
        let (texts, classes) = gathered.finish(path, &labels)?;
        let (windows, augment) = (config.windows.clone(), config.augment.clone());
        Ok(Part { store: Store::Texts(TextExamples { texts, windows, augment }), classes })
    };
    let train = part("training", &path, train)?;
    let valid = valid.map(|(path, gathered)| part("validation", &path, gathered)).transpose()?;
    let test = test.map(|(path, gathered)| part("test", &path, gathered)).transpose()?;
    Ok(Found {
        name: dataset_name(&path),
        path,
        labels,
        train,
        valid,
        test,
        valid_fraction: config.valid_fraction,
        provenance,
        salt: String::new(),
    })
}

/// The folder of a file that is named by its split, and the file's own name otherwise.
fn dataset_name(path: &Path) -> String {
    if let Some(name) = builtin::dataset_name(path) {
        return name.to_owned();
    }
    let stem = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default().to_owned();
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    if SplitName::of_word(&stem).is_some() { folder.unwrap_or(stem) } else { stem }
}

type Named = Option<(PathBuf, Gathered)>;

/// A file of one split.
fn read_alone(config: &TableConfig, path: &Path, context: &LoadContext<'_>) -> Result<Gathered, DataError> {
    let mut gathered = Gathered::default();
    config.format().visit(path, context, &mut |row| {
        if let Some(split) = row.split {
            let found = format!("several lists, `{split}` among them");
            return Err(DataError::invalid(path, found, "one list of rows")
                .hint("a file with all splits is given as path, without train and test"));
        }
        gathered.push(path, row, config.rules())
    })?;
    Ok(gathered)
}

/// A file of all splits. Rows without a split are training rows; lists of a JSON file that no split is named after are
/// left alone.
fn read_together(config: &TableConfig, path: &Path, context: &LoadContext<'_>) -> Result<[Named; 3], DataError> {
    let mut splits: [Gathered; 3] = Default::default();
    config.format().visit(path, context, &mut |row| {
        let split = match row.split.map(|word| (word, SplitName::of_word(word.trim()))) {
            None | Some((_, Some(SplitName::Train))) => 0,
            Some((_, Some(SplitName::Valid))) => 1,
            Some((_, Some(SplitName::Test))) => 2,
            Some((_, None)) if config.split.is_none() => return Ok(()),
            Some((word, None)) => {
                let found = format!("split `{word}` in {}", row.place.describe(path));
                return Err(DataError::invalid(path, found, "train, valid or test"));
            }
        };
        splits[split].push(path, row, config.rules())
    })?;
    if splits[0].len() == 0 {
        return Err(DataError::invalid(path, "no training row", "rows, or a list, of the split `train`"));
    }
    Ok(splits.map(|gathered| (gathered.len() > 0).then(|| (path.to_owned(), gathered))))
}
