//! The labels of several parquet files. Each file may note names of its own for its numbers, so labels go by name.

use super::table::ParquetTable;
use crate::labels::{LabelColumn, RawLabels};
use crate::places::Places;
use crate::{DataError, LoadContext};
use std::path::{Path, PathBuf};

/// The labels of the files of one split.
pub(crate) struct SplitLabels(Vec<FileLabels>);

struct FileLabels {
    path: PathBuf,
    labels: RawLabels,
    /// The names of the numbers, where the writer noted them.
    names: Option<Vec<String>>,
}

/// Reads the labels of the files of one split. `read` reads the examples of a file, which messages call `noun`, and returns
/// how many there are; it is given the number of the file's labels.
///
/// # Errors
/// Files that are damaged or have other columns, or another number of examples than of labels; those of `read`.
pub(crate) fn read_labelled(
    files: &[PathBuf],
    column: &str,
    noun: &str,
    context: &LoadContext<'_>,
    mut read: impl FnMut(&ParquetTable, &Path, usize) -> Result<usize, DataError>,
) -> Result<SplitLabels, DataError> {
    let mut found = Vec::with_capacity(files.len());
    for path in files {
        let table = ParquetTable::open(path)?;
        let labels = table.read_labels(column, context)?;
        let n_examples = read(&table, path, labels.len())?;
        if n_examples != labels.len() {
            let found = format!("{n_examples} {noun}s and {} labels", labels.len());
            return Err(DataError::invalid(path, found, format!("as many labels as {noun}s")));
        }
        found.push(FileLabels { path: path.clone(), labels, names: table.class_names(column) });
    }
    Ok(SplitLabels(found))
}

/// Makes the labels of all files comparable: the columns of the splits, the training split first, and the names of the
/// classes, where a training file notes them. The numbers of a file with other names than the first training file's are
/// changed to those of the same names; the training files' further names are put behind its own.
///
/// # Errors
/// A label outside its file's names, or whose name no training file has; files whose labels are of types that nothing relates.
pub(crate) fn number_all(
    splits: Vec<SplitLabels>,
    context: &LoadContext<'_>,
) -> Result<(Vec<LabelColumn>, Option<Vec<String>>), DataError> {
    let train = splits.first().map_or(&[][..], |split| &split.0);
    let names = train.iter().find_map(|file| file.names.as_ref()).cloned().map(|mut names| {
        for name in train.iter().filter_map(|file| file.names.as_ref()).flatten() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    });
    let is_numbered = matches!(train.first(), Some(FileLabels { labels: RawLabels::Numbers(_), .. }));
    note_differences(&splits, names.as_deref(), context);
    let columns = splits.into_iter().map(|split| {
        let files = split.0.into_iter().map(|file| match (is_numbered, &names) {
            (true, Some(names)) => file.numbered_as(names),
            (true, None) => Ok(file),
            (false, _) => file.spelled(),
        });
        join(files.collect::<Result<_, _>>()?)
    });
    Ok((columns.collect::<Result<_, _>>()?, names))
}

impl FileLabels {
    /// The labels as numbers of these names.
    fn numbered_as(self, names: &[String]) -> Result<Self, DataError> {
        if matches!(self.labels, RawLabels::Numbers(_)) && self.names.as_ref().is_none_or(|own| names.starts_with(own))
        {
            return Ok(self);
        }
        let number = |name: &str| names.iter().position(|other| other == name).map(|number| number as i64);
        let labels = match &self.labels {
            RawLabels::Numbers(_) => {
                let own = self.names.as_deref().unwrap_or_default();
                let of_own: Vec<Option<i64>> = own.iter().map(|name| number(name)).collect();
                self.mapped(|label| {
                    let (class, name) = self.named(label)?;
                    of_own[class].ok_or_else(|| format!("{label} (`{name}`)"))
                })?
            }
            RawLabels::Names(labels) => {
                let refused = |row: usize, name: &str| self.refused(row, name);
                let numbered = labels.iter().enumerate();
                numbered.map(|(row, name)| number(name).ok_or_else(|| refused(row, name))).collect::<Result<_, _>>()?
            }
        };
        Ok(Self { labels: RawLabels::Numbers(labels), ..self })
    }

    /// The labels as names, where the file notes names for its numbers.
    fn spelled(self) -> Result<Self, DataError> {
        if !matches!((&self.labels, &self.names), (RawLabels::Numbers(_), Some(_))) {
            return Ok(self);
        }
        let names = self.mapped(|label| Ok(self.named(label)?.1.to_owned()))?;
        Ok(Self { labels: RawLabels::Names(names), ..self })
    }

    /// The class of a number in this file, and its name.
    fn named(&self, label: i64) -> Result<(usize, &str), String> {
        let own = self.names.as_deref().unwrap_or_default();
        let class = usize::try_from(label).ok().filter(|class| *class < own.len()).ok_or_else(|| label.to_string())?;
        Ok((class, &own[class]))
    }

    fn mapped<T>(&self, map: impl Fn(i64) -> Result<T, String>) -> Result<Vec<T>, DataError> {
        let RawLabels::Numbers(labels) = &self.labels else { return Ok(Vec::new()) };
        let numbered = labels.iter().enumerate();
        numbered.map(|(row, label)| map(*label).map_err(|label| self.refused(row, &label))).collect()
    }

    fn refused(&self, row: usize, label: &str) -> DataError {
        let found = format!("label `{label}` in row {row}");
        DataError::invalid(&self.path, found, "one of the classes that the training files name")
    }
}

/// Tells which files name their classes in another way than the first training file that names any.
fn note_differences(splits: &[SplitLabels], names: Option<&[String]>, context: &LoadContext<'_>) {
    let files = || splits.iter().flat_map(|split| &split.0);
    let is_numbered = |file: &&FileLabels| matches!(file.labels, RawLabels::Numbers(_));
    for file in files().filter(is_numbered) {
        let path = file.path.display();
        match (&file.names, names) {
            (Some(own), Some(names)) if !names.starts_with(own) => {
                context.note(format!(
                    "{path}: names its classes in another order than the training files, so labels go by name"
                ));
            }
            (None, Some(_)) => {
                context.note(format!(
                    "{path}: names no classes, so its labels are read as the numbers of the other files"
                ));
            }
            (Some(_), None) => {
                context.note(format!("{path}: names its classes, but no training file does, so labels go by number"));
            }
            _ => {}
        }
    }
}

/// The labels of the files of a split, one behind the other.
fn join(files: Vec<FileLabels>) -> Result<LabelColumn, DataError> {
    let (mut joined, mut places) = (None, Places::new("row", 0));
    for FileLabels { path, labels: more, .. } in files {
        places.begin_file(&path, joined.as_ref().map_or(0, RawLabels::len));
        joined = Some(match (joined, more) {
            (None, more) => more,
            (Some(RawLabels::Numbers(mut all)), RawLabels::Numbers(more)) => {
                all.extend(more);
                RawLabels::Numbers(all)
            }
            (Some(RawLabels::Names(mut all)), RawLabels::Names(more)) => {
                all.extend(more);
                RawLabels::Names(all)
            }
            _ => {
                let expected = "the type of the labels in the files before";
                return Err(DataError::invalid(&path, "labels of another type", expected));
            }
        });
    }
    let labels = joined.expect("there is at least one file in a split that is read");
    Ok(LabelColumn { labels, places })
}
