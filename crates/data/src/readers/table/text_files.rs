//! Tables of texts and labels in files of text.

use super::builtin;
use super::config::TableConfig;
use super::gathered::Gathered;
use super::row::{OneList, Row};
use crate::found::{Found, Part};
use crate::labels::shown;
use crate::readers::split_name::{SplitName, is_eval, split_of_eval};
use crate::store::Store;
use crate::texts::{TextExamples, TextRules, note_changes};
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
    let names = train.class_names(&path, context)?;
    let mut provenance = vec![("training texts".to_owned(), path.display().to_string())];
    let mut part = |split: &str, path: &Path, gathered: Gathered| -> Result<Part, DataError> {
        note_changes(split, gathered.changes, path, context, &mut provenance);
        let (texts, classes) = gathered.finish(path, &names, context)?;
        let (windows, augment) = (config.windows.clone(), config.augment.clone());
        Ok(Part { store: Store::Texts(TextExamples { texts, windows, augment }), classes })
    };
    let train = part("training", &path, train)?;
    let valid = valid.map(|(path, gathered)| part("validation", &path, gathered)).transpose()?;
    let test = test.map(|(path, gathered)| part("test", &path, gathered)).transpose()?;
    Ok(Found {
        name: dataset_name(&path),
        path,
        labels: names.names().to_vec(),
        train,
        valid,
        test,
        valid_fraction: config.valid_fraction,
        labelled_fraction: config.labelled_fraction,
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

/// A file of one split. A JSON file with one list is that list, whatever its key.
fn read_alone(config: &TableConfig, path: &Path, context: &LoadContext<'_>) -> Result<Gathered, DataError> {
    let mut gathered = Gathered::default();
    let mut list = OneList::default();
    config.format().visit(path, context, &mut |row| {
        if let Some(other) = list.other_than_first(row.split) {
            let found = format!("several lists, `{}` among them", shown(other));
            return Err(DataError::invalid(path, found, "one list of rows")
                .hint("a file with all splits is given as path, without train and test"));
        }
        gathered.push(path, row, config.rules())
    })?;
    if gathered.len() == 0 {
        return Err(DataError::invalid(path, "no row with a text", "at least one"));
    }
    Ok(gathered)
}

/// A file of all splits. Rows without a split are training rows. Lists of a JSON file that no split is named after are left
/// alone with a note; where there is one such list and no other, it holds the training rows.
fn read_together(config: &TableConfig, path: &Path, context: &LoadContext<'_>) -> Result<[Named; 3], DataError> {
    let (mut splits, mut eval): ([Gathered; 3], Gathered) = Default::default();
    let mut others = OtherLists::default();
    config.format().visit(path, context, &mut |row| {
        let split = match row.split.map(|word| (word, SplitName::of_word(word.trim()))) {
            None | Some((_, Some(SplitName::Train))) => 0,
            Some((_, Some(SplitName::Valid))) => 1,
            Some((word, Some(_))) if is_eval(word) => return eval.push(path, row, config.rules()),
            Some((_, Some(SplitName::Test))) => 2,
            Some((list, None)) if config.split.is_none() => {
                others.push(list, path, row, config.rules());
                return Ok(());
            }
            Some((word, None)) => {
                let found = format!("split `{}` in {}", shown(word), row.place.describe(path));
                return Err(DataError::invalid(path, found, "train, valid or test"));
            }
        };
        splits[split].push(path, row, config.rules())
    })?;
    if eval.len() > 0 {
        let Some(split) = split_of_eval(splits[1].len() > 0, splits[2].len() > 0) else {
            let found = format!("{} rows of a split `eval`, next to validation and test rows", eval.len());
            return Err(DataError::invalid(path, found, "train, valid or test"));
        };
        context.note(format!("{}: `eval` is taken for the {} split", path.display(), split.name()));
        splits[if split == SplitName::Test { 2 } else { 1 }] = eval;
    }
    let is_alone = splits.iter().all(|split| split.len() == 0) && others.n_rows.len() == 1;
    if is_alone {
        splits[0] = others.into_rows()?;
    } else {
        others.tell(path, context);
    }
    if splits[0].len() == 0 {
        return Err(DataError::invalid(path, "no training row", "rows, or a list, of the split `train`"));
    }
    Ok(splits.map(|gathered| (gathered.len() > 0).then(|| (path.to_owned(), gathered))))
}

/// Lists of a JSON file that no split is named after.
#[derive(Default)]
struct OtherLists {
    /// Each list with the number of its rows.
    n_rows: Vec<(String, u64)>,
    /// The rows of the first one, or why they cannot be used.
    first: Gathered,
    refused: Option<DataError>,
}

impl OtherLists {
    fn push(&mut self, list: &str, path: &Path, row: &Row<'_>, rules: TextRules) {
        match self.n_rows.iter_mut().find(|(known, _)| known == list) {
            Some((_, n_rows)) => *n_rows += 1,
            None => self.n_rows.push((list.to_owned(), 1)),
        }
        if self.n_rows.len() == 1 && self.refused.is_none() {
            self.refused = self.first.push(path, row, rules).err();
        }
    }

    fn into_rows(self) -> Result<Gathered, DataError> {
        self.refused.map_or(Ok(self.first), Err)
    }

    fn tell(&self, path: &Path, context: &LoadContext<'_>) {
        for (list, n_rows) in &self.n_rows {
            let (path, list) = (path.display(), shown(list));
            context
                .note(format!("{path}: the list `{list}` ({n_rows} rows) is named after no split and is left alone"));
        }
    }
}
