//! Images in parquet files: a struct column with encoded images and a label column, local or from a hub.

use super::table::Table;
use super::table_files::{Refusal, TableFiles, choose};
use crate::assemble::{Found, Part, assemble};
use crate::augment::AugmentConfig;
use crate::config::{check_fraction, default_valid_fraction};
use crate::encoded::{Cells, EncodedImages};
use crate::hub::{Hub, RepoKind};
use crate::images::{self, MemoryBudget, Wish};
use crate::labels::{LabelColumn, Numbering, RawLabels};
use crate::places::Places;
use crate::store::Store;
use crate::{DataError, Dataset, LoadContext};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Parquet files with an image column and a label column. Give `repo` or `path`; a `path` wins, so that
/// any config can be pointed at local files with `--set data.path=FOLDER`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubImagesConfig {
    /// Dataset repository on the hub, `owner/name`.
    #[serde(default)]
    pub repo: Option<String>,
    /// Folder of parquet files with `train`, `test` or `validation` in their names.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Branch, tag or commit of the repository; without it `main`. The commit that was used is recorded.
    #[serde(default)]
    pub revision: Option<String>,
    /// Folder of the wanted files where the source holds several subsets.
    #[serde(default)]
    pub subset: Option<String>,
    /// Column with the images; not needed where there is only one.
    #[serde(default)]
    pub image: Option<String>,
    /// Column with the labels, whole numbers or names.
    #[serde(default = "default_label")]
    pub label: String,
    /// `[height, width]` that every image is resized to (stretched where the aspect ratio differs); without it all
    /// images must have one size.
    #[serde(default)]
    pub size: Option<[usize; 2]>,
    /// 1 (grey) or 3 (RGB); without it grey if all images are.
    #[serde(default)]
    pub channels: Option<usize>,
    /// Part of each class's training examples that is held out for validation where the source has none.
    #[serde(default = "default_valid_fraction")]
    pub valid_fraction: f64,
    /// How training images are varied from view to view.
    #[serde(default)]
    pub augment: AugmentConfig,
}

fn default_label() -> String {
    "label".to_owned()
}

impl HubImagesConfig {
    fn wish(&self) -> Wish {
        Wish { size: self.size, channels: self.channels }
    }

    pub(crate) fn validate(&self) -> Vec<String> {
        let mut problems =
            [check_fraction(self.valid_fraction), self.wish().validate(), self.augment.validate()].concat();
        if self.repo.is_none() && self.path.is_none() {
            problems.push("repo or path must say where the parquet files are".to_owned());
        }
        if self.revision.is_some() && self.repo.is_none() {
            problems.push("revision only makes sense with repo".to_owned());
        }
        problems
    }
}

pub(crate) fn load(config: &HubImagesConfig, context: &LoadContext) -> Result<Dataset, DataError> {
    load_from(config, &Hub::from_env(), context)
}

/// As [`load`], with a hub of one's own.
pub(crate) fn load_from(config: &HubImagesConfig, hub: &Hub, context: &LoadContext) -> Result<Dataset, DataError> {
    let source = match (&config.path, &config.repo) {
        (Some(path), _) => Source::local(path, config)?,
        (None, repo) => Source::fetch(hub, repo.as_deref().unwrap_or_default(), config, context)?,
    };
    let mut splits = Vec::new();
    for (split, files) in [("train", &source.train), ("valid", &source.valid), ("test", &source.test)] {
        if !files.is_empty() {
            splits.push((split, read_tables(files, config, context)?));
        }
    }
    let train = &splits[0].1;
    let numbering = Numbering::new(&train.labels, train.names.clone())?;
    let sources: Vec<&EncodedImages> = splits.iter().map(|(_, tables)| &tables.images).collect();
    let target = config.wish().resolve(&sources, context)?;
    let mut budget = MemoryBudget::new(context);
    let mut parts = Vec::new();
    for (split, tables) in splits {
        let classes = numbering.classes(&tables.labels)?;
        let what = format!("the {split} images");
        let (store, digests) = images::load(tables.images, target, &what, &mut budget, context)?;
        parts.push((split, Part { store: Store::Images(store), classes, digests }));
    }
    let mut part = |name: &str| {
        let index = parts.iter().position(|(split, _)| *split == name)?;
        Some(parts.swap_remove(index).1)
    };
    let found = Found {
        name: source.name,
        path: source.path,
        labels: numbering.names().to_vec(),
        families: None,
        train: part("train").expect("the training files were chosen above"),
        valid: part("valid"),
        test: part("test"),
        provenance: source.provenance,
        salt: String::new(),
    };
    assemble(found, config.valid_fraction, &config.augment, context)
}

/// Parquet files on this machine, by split.
struct Source {
    name: String,
    path: PathBuf,
    train: Vec<PathBuf>,
    valid: Vec<PathBuf>,
    test: Vec<PathBuf>,
    provenance: Vec<(String, String)>,
}

impl Source {
    fn local(path: &Path, config: &HubImagesConfig) -> Result<Self, DataError> {
        let mut files = Vec::new();
        list_recursively(path, path, &mut files)?;
        let chosen = choose(&files, config.subset.as_deref()).map_err(|refusal| refused(path, refusal))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let provenance = vec![("folder".to_owned(), path.display().to_string()), files_used(&chosen)];
        Self::new(
            name.unwrap_or_else(|| "hub_images".to_owned()),
            path,
            &chosen,
            provenance,
            |file| Ok(path.join(file)),
        )
    }

    fn fetch(hub: &Hub, repo: &str, config: &HubImagesConfig, context: &LoadContext) -> Result<Self, DataError> {
        let snapshot = hub.snapshot(RepoKind::Dataset, repo, config.revision.as_deref(), context.progress)?;
        let path = Path::new(repo);
        let chosen = choose(snapshot.files(), config.subset.as_deref()).map_err(|refusal| refused(path, refusal))?;
        let provenance = vec![
            ("repository".to_owned(), repo.to_owned()),
            ("commit".to_owned(), snapshot.commit().to_owned()),
            ("endpoint".to_owned(), if hub.is_offline() { "offline" } else { hub.endpoint() }.to_owned()),
            files_used(&chosen),
        ];
        Self::new(repo.to_owned(), path, &chosen, provenance, |file| Ok(snapshot.download(file, context.progress)?))
    }

    fn new(
        name: String,
        path: &Path,
        chosen: &TableFiles,
        provenance: Vec<(String, String)>,
        locate: impl Fn(&str) -> Result<PathBuf, DataError>,
    ) -> Result<Self, DataError> {
        let all = |files: &[String]| files.iter().map(|file| locate(file)).collect::<Result<Vec<_>, _>>();
        let (train, valid, test) = (all(&chosen.train)?, all(&chosen.valid)?, all(&chosen.test)?);
        Ok(Self { name, path: path.to_owned(), train, valid, test, provenance })
    }
}

fn files_used(chosen: &TableFiles) -> (String, String) {
    ("files".to_owned(), [&chosen.train[..], &chosen.valid, &chosen.test].concat().join(", "))
}

fn refused(path: &Path, refusal: Refusal) -> DataError {
    let error = DataError::invalid(path, refusal.found, refusal.expected);
    match refusal.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn list_recursively(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<(), DataError> {
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder, "list"))? {
        let path = entry.map_err(DataError::io(folder, "list"))?.path();
        if path.is_dir() {
            list_recursively(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(|path| path.to_str()) {
            files.push(name.replace('\\', "/"));
        }
    }
    Ok(())
}

/// The images and labels of one split.
struct Tables {
    images: EncodedImages,
    labels: LabelColumn,
    names: Option<Vec<String>>,
}

fn read_tables(files: &[PathBuf], config: &HubImagesConfig, context: &LoadContext) -> Result<Tables, DataError> {
    let mut cells = Cells::new();
    let mut places = Places::new("row", 0);
    let mut labels: Option<RawLabels> = None;
    let mut names = None;
    for path in files {
        let table = Table::open(path)?;
        places.begin_file(path, cells.len());
        cells.begin_table(path);
        let more = table.read_labels(&config.label, context)?;
        let image = find_image_column(&table, path, config)?;
        let n_before = cells.len();
        table.read_images(&image, context, |bytes| {
            cells.push(bytes, context.memory_limit_bytes).map_err(DataError::io(path, "keep a temporary copy of"))
        })?;
        if cells.len() - n_before != more.len() {
            let found = format!("{} images and {} labels", cells.len() - n_before, more.len());
            return Err(DataError::invalid(path, found, "as many labels as images"));
        }
        names = names.or_else(|| table.class_names(&config.label));
        labels = Some(join(labels, more, path)?);
    }
    let labels = labels.expect("there is at least one file in a split that is read");
    Ok(Tables { images: EncodedImages::Cells(cells), labels: LabelColumn { labels, places }, names })
}

fn find_image_column(table: &Table, path: &Path, config: &HubImagesConfig) -> Result<String, DataError> {
    if let Some(name) = &config.image {
        return Ok(name.clone());
    }
    match table.image_columns()[..] {
        [only] => Ok(only.to_owned()),
        [] => {
            Err(DataError::invalid(path, format!("columns {:?}", table.column_names()), "an image struct with `bytes`"))
        }
        ref several => Err(DataError::invalid(path, format!("image columns {several:?}"), "a single image column")
            .hint("choose with the key `image`")),
    }
}

fn join(labels: Option<RawLabels>, more: RawLabels, path: &Path) -> Result<RawLabels, DataError> {
    match (labels, more) {
        (None, more) => Ok(more),
        (Some(RawLabels::Numbers(all)), RawLabels::Numbers(more)) => Ok(RawLabels::Numbers([all, more].concat())),
        (Some(RawLabels::Names(all)), RawLabels::Names(more)) => Ok(RawLabels::Names([all, more].concat())),
        _ => Err(DataError::invalid(path, "labels of another type", "the type of the labels in the files before")),
    }
}
