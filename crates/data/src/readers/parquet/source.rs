//! The place of parquet files, in a folder or on a hub, and the labels of several files.

use super::files::{ParquetFiles, Refusal, choose};
use super::table::ParquetTable;
use crate::hub::{Hub, RepoKind};
use crate::labels::{LabelColumn, Numbering, RawLabels};
use crate::places::Places;
use crate::{DataError, LoadContext};
use std::path::{Path, PathBuf};
use stillhouse_core::Problem;

/// What a config says about the place of parquet files; a folder wins over a repository.
pub(crate) struct Whereabouts<'a> {
    pub(crate) repo: Option<&'a str>,
    pub(crate) path: Option<&'a Path>,
    pub(crate) revision: Option<&'a str>,
    pub(crate) subset: Option<&'a str>,
}

impl Whereabouts<'_> {
    /// What is wrong with the values.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let missing = || Problem::new("path", "missing; path or repo says where the parquet files are");
        let place = (self.repo.is_none() && self.path.is_none()).then(missing);
        place.into_iter().chain(self.revision_problem()).collect()
    }

    /// A revision without a repository.
    pub(crate) fn revision_problem(&self) -> Option<Problem> {
        let is_alone = self.revision.is_some() && self.repo.is_none();
        is_alone.then(|| Problem::new("revision", "is that of repo, which is missing"))
    }
}

/// Parquet files on this machine, by split.
pub(crate) struct ParquetSource {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    train: Vec<PathBuf>,
    valid: Vec<PathBuf>,
    test: Vec<PathBuf>,
    pub(crate) provenance: Vec<(String, String)>,
}

impl ParquetSource {
    /// Chooses the files of a folder, or of a repository, which are downloaded.
    pub(crate) fn find(whereabouts: &Whereabouts<'_>, hub: &Hub, context: &LoadContext<'_>) -> Result<Self, DataError> {
        match whereabouts.path {
            Some(path) => Self::local(path, whereabouts),
            None => Self::fetch(hub, whereabouts.repo.unwrap_or_default(), whereabouts, context),
        }
    }

    /// The splits that there are, the training split first, with their files.
    pub(crate) fn splits(&self) -> Vec<(&'static str, &[PathBuf])> {
        let all = [("train", &self.train[..]), ("valid", &self.valid), ("test", &self.test)];
        all.into_iter().filter(|(_, files)| !files.is_empty()).collect()
    }

    pub(crate) fn local(path: &Path, whereabouts: &Whereabouts<'_>) -> Result<Self, DataError> {
        let files =
            stillhouse_files::names_below(path).map_err(|error| DataError::io(&error.path, "list")(error.source))?;
        let chosen = choose(&files, whereabouts.subset).map_err(|refusal| refused(path, refusal))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let provenance = vec![("folder".to_owned(), path.display().to_string()), files_used(&chosen)];
        Self::new(name.unwrap_or_else(|| "parquet".to_owned()), path, &chosen, provenance, |file| Ok(path.join(file)))
    }

    fn fetch(
        hub: &Hub,
        repo: &str,
        whereabouts: &Whereabouts<'_>,
        context: &LoadContext<'_>,
    ) -> Result<Self, DataError> {
        let snapshot = hub.snapshot(RepoKind::Dataset, repo, whereabouts.revision, context.progress)?;
        let path = Path::new(repo);
        let chosen = choose(snapshot.files(), whereabouts.subset).map_err(|refusal| refused(path, refusal))?;
        let provenance = vec![
            ("repository".to_owned(), repo.to_owned()),
            ("commit".to_owned(), snapshot.commit().to_owned()),
            ("endpoint".to_owned(), if hub.is_offline() { "offline" } else { hub.endpoint() }.to_owned()),
            files_used(&chosen),
        ];
        Self::new(repo.to_owned(), path, &chosen, provenance, |file| Ok(snapshot.download(file, context.progress)?))
    }

    /// Files that the config names one by one.
    pub(crate) fn of_files(train: &Path, valid: Option<&Path>, test: Option<&Path>) -> Self {
        let folder = train.parent().and_then(Path::file_name).or(train.file_stem());
        let name = folder.map_or_else(|| "parquet".to_owned(), |name| name.to_string_lossy().into_owned());
        let list = |path: Option<&Path>| path.map(Path::to_owned).into_iter().collect::<Vec<_>>();
        let (train_files, valid, test) = (list(Some(train)), list(valid), list(test));
        let used = [&train_files[..], &valid, &test].concat();
        let used: Vec<String> = used.iter().map(|path| path.display().to_string()).collect();
        let provenance = vec![("files".to_owned(), used.join(", "))];
        Self { name, path: train.to_owned(), train: train_files, valid, test, provenance }
    }

    /// The classes of the training files; other columns than the labels are not read.
    pub(crate) fn class_names(&self, column: &str, context: &LoadContext<'_>) -> Result<Vec<String>, DataError> {
        let read = read_labelled(&self.train, column, "example", context, |_, _, n_labels| Ok(n_labels))?;
        Ok(Numbering::new(&read.labels, read.names, context)?.names().to_vec())
    }

    fn new(
        name: String,
        path: &Path,
        chosen: &ParquetFiles,
        provenance: Vec<(String, String)>,
        locate: impl Fn(&str) -> Result<PathBuf, DataError>,
    ) -> Result<Self, DataError> {
        let all = |files: &[String]| files.iter().map(|file| locate(file)).collect::<Result<Vec<_>, _>>();
        let (train, valid, test) = (all(&chosen.train)?, all(&chosen.valid)?, all(&chosen.test)?);
        Ok(Self { name, path: path.to_owned(), train, valid, test, provenance })
    }
}

fn files_used(chosen: &ParquetFiles) -> (String, String) {
    ("files".to_owned(), [&chosen.train[..], &chosen.valid, &chosen.test].concat().join(", "))
}

fn refused(path: &Path, refusal: Refusal) -> DataError {
    let error = DataError::invalid(path, refusal.found, refusal.expected);
    match refusal.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The labels of some files.
pub(crate) struct ReadLabels {
    pub(crate) labels: LabelColumn,
    /// The names of the classes, where the writer noted them.
    pub(crate) names: Option<Vec<String>>,
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
) -> Result<ReadLabels, DataError> {
    let (mut labels, mut names, mut places) = (None, None, Places::new("row", 0));
    for path in files {
        let table = ParquetTable::open(path)?;
        places.begin_file(path, labels.as_ref().map_or(0, RawLabels::len));
        let more = table.read_labels(column, context)?;
        let n_examples = read(&table, path, more.len())?;
        if n_examples != more.len() {
            let found = format!("{n_examples} {noun}s and {} labels", more.len());
            return Err(DataError::invalid(path, found, format!("as many labels as {noun}s")));
        }
        names = names.or_else(|| table.class_names(column));
        labels = Some(join(labels, more, path)?);
    }
    let labels = labels.expect("there is at least one file in a split that is read");
    Ok(ReadLabels { labels: LabelColumn { labels, places }, names })
}

/// The labels of one file behind those of the files before.
fn join(labels: Option<RawLabels>, more: RawLabels, path: &Path) -> Result<RawLabels, DataError> {
    match (labels, more) {
        (None, more) => Ok(more),
        (Some(RawLabels::Numbers(all)), RawLabels::Numbers(more)) => Ok(RawLabels::Numbers([all, more].concat())),
        (Some(RawLabels::Names(all)), RawLabels::Names(more)) => Ok(RawLabels::Names([all, more].concat())),
        _ => Err(DataError::invalid(path, "labels of another type", "the type of the labels in the files before")),
    }
}
