//! The place of parquet files, in a folder or on a hub, and the labels of several files.

use super::files::{Chosen, ParquetFiles, Refusal, choose};
use super::labels::{number_all, read_labelled};
use crate::hub::{Hub, RepoKind};
use crate::labels::Numbering;
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
            Some(path) => Self::local(path, whereabouts, context),
            None => Self::fetch(hub, whereabouts.repo.unwrap_or_default(), whereabouts, context),
        }
    }

    /// The splits that there are, the training split first, with their files.
    pub(crate) fn splits(&self) -> Vec<(&'static str, &[PathBuf])> {
        let all = [("train", &self.train[..]), ("valid", &self.valid), ("test", &self.test)];
        all.into_iter().filter(|(_, files)| !files.is_empty()).collect()
    }

    /// Chooses the files of a folder; a single file is a source of its own.
    pub(crate) fn local(
        path: &Path,
        whereabouts: &Whereabouts<'_>,
        context: &LoadContext<'_>,
    ) -> Result<Self, DataError> {
        if path.is_file() {
            return Ok(Self::of_files(path, None, None));
        }
        let files =
            stillhouse_files::names_below(path).map_err(|error| DataError::io(&error.path, "list")(error.source))?;
        let chosen = chosen(&files, path, whereabouts, context)?;
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
        let chosen = chosen(snapshot.files(), path, whereabouts, context)?;
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
        let (columns, names) = number_all(vec![read], context)?;
        Ok(Numbering::new(&columns[0], names, context)?.names().to_vec())
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

fn chosen(
    files: &[String],
    path: &Path,
    whereabouts: &Whereabouts<'_>,
    context: &LoadContext<'_>,
) -> Result<ParquetFiles, DataError> {
    let chosen = choose(files, whereabouts.subset, context.is_measured);
    let Chosen { files, notes } = chosen.map_err(|refusal| refused(path, refusal))?;
    notes.iter().for_each(|note| context.note(format!("{}: {note}", path.display())));
    Ok(files)
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
