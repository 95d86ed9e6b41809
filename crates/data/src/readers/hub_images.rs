//! Images in parquet files: a struct column with encoded images and a label column, local or from a hub.

use super::parquet_source::{Source, Whereabouts, join};
use super::parquet_table::ParquetTable;
use crate::assemble::{Found, Part, Views, assemble};
use crate::augment::AugmentConfig;
use crate::config::default_valid_fraction;
use crate::encoded::{Cells, EncodedImages};
use crate::hub::Hub;
use crate::images::{self, MAX_SIZE, MemoryBudget, Wish};
use crate::labels::{LabelColumn, Numbering, RawLabels};
use crate::outline::Outline;
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
    #[schemars(inner(range(min = 1, max = MAX_SIZE)))]
    pub size: Option<[usize; 2]>,
    /// 1 (grey) or 3 (RGB); without it grey if all images are.
    #[serde(default)]
    pub channels: Option<usize>,
    /// Part of each class's training examples that is held out for validation where the source has none.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
    /// How training images are varied from view to view.
    #[serde(default)]
    pub augment: AugmentConfig,
}

fn default_label() -> String {
    "label".to_owned()
}

impl HubImagesConfig {
    pub(crate) fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            repo: self.repo.as_deref(),
            path: self.path.as_deref(),
            revision: self.revision.as_deref(),
            subset: self.subset.as_deref(),
        }
    }

    pub(crate) fn wish(&self) -> Wish {
        Wish { size: self.size, channels: self.channels }
    }
}

pub(crate) fn load(config: &HubImagesConfig, context: &LoadContext) -> Result<Dataset, DataError> {
    load_from(config, &Hub::from_env(), context)
}

/// What the label column of local training files and the settings tell; none for files that are still to be fetched.
pub(crate) fn outline(config: &HubImagesConfig, context: &LoadContext) -> Result<Outline, DataError> {
    let input = config.wish().given();
    let labels = match &config.path {
        Some(path) => Some(Source::local(path, &config.whereabouts())?.class_names(&config.label, context)?),
        None => None,
    };
    Ok(Outline { input, labels, notes: Vec::new() })
}

/// As [`load`], with a hub of one's own.
pub(crate) fn load_from(config: &HubImagesConfig, hub: &Hub, context: &LoadContext) -> Result<Dataset, DataError> {
    let source = Source::find(&config.whereabouts(), hub, context)?;
    let mut splits = Vec::new();
    for (split, files) in source.splits() {
        splits.push((split, read_tables(files, config, context)?));
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
        train: part("train").expect("the training files were chosen above"),
        valid: part("valid"),
        test: part("test"),
        provenance: source.provenance,
        salt: String::new(),
        windows: None,
    };
    assemble(found, config.valid_fraction, Views::Images(config.augment.clone()), context)
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
        let table = ParquetTable::open(path)?;
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

fn find_image_column(table: &ParquetTable, path: &Path, config: &HubImagesConfig) -> Result<String, DataError> {
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
