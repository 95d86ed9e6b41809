//! Images in parquet files: a column with encoded images and a label column, local or from a hub.
//!
//! | read | refused | noted |
//! |---|---|---|
//! | files, splits, labels and compressions as `parquet/mod.rs` says | as there | as there |
//! | a column of structs with `bytes`, or without one a plain column of bytes | several such columns without `image`; no such column; rows with a path alone | |
//! | PNG, JPEG, WebP and BMP, 16 bits, transparent images on `background`, as in a folder of images | other formats by their names, damaged images, more than 512 MiB when decoded | how many are transparent |

use super::kind::DataKind;
use super::parquet::{EXPECTED_IMAGES, ParquetSource, ParquetTable, Whereabouts, number_all, read_labelled};
use crate::found::{Found, Part, by_split};
use crate::hub::Hub;
use crate::images::{AugmentConfig, Cells, EncodedImages, Loading, MAX_SIZE, TargetSettings};
use crate::labels::Numbering;
use crate::outline::Outline;
use crate::settings::default_valid_fraction;
use crate::store::Store;
use crate::{DataError, LoadContext};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, Problem};

/// Parquet files with an image column and a label column. Give `repo` or `path`; a `path` wins, so that
/// any config can be pointed at local files with `--set data.path=FOLDER`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubImagesConfig {
    /// Dataset repository on the hub, `owner/name`.
    #[serde(default)]
    pub repo: Option<String>,
    /// Folder of parquet files with `train`, `test` or `validation` in their names, or one file of which all splits are carved.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
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
    #[schemars(extend("enum" = [1, 3]))]
    pub channels: Option<usize>,
    /// `[red, green, blue]` of what transparent images are laid on; without it white.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<[u8; 3]>,
    /// Part of each class's training examples that is held out for validation where the source has none.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
    /// Part of each class's training examples that keep their labels, all of them by default. The others become examples without
    /// labels: teachers do not see them, and students learn what teachers say about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub labelled_fraction: Option<f64>,
    /// How training images are varied from view to view.
    #[serde(default)]
    pub augment: AugmentConfig,
}

fn default_label() -> String {
    "label".to_owned()
}

impl HubImagesConfig {
    fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            repo: self.repo.as_deref(),
            path: self.path.as_deref(),
            revision: self.revision.as_deref(),
            subset: self.subset.as_deref(),
        }
    }

    fn target_settings(&self) -> TargetSettings {
        TargetSettings { size: self.size, channels: self.channels }
    }

    /// Reads the examples, with a hub of the caller's.
    pub(crate) fn read_from(&self, hub: &Hub, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let source = ParquetSource::find(&self.whereabouts(), hub, context)?;
        let (mut splits, mut columns) = (Vec::new(), Vec::new());
        for (split, files) in source.splits() {
            let mut cells = Cells::new();
            columns.push(read_labelled(files, &self.label, "image", context, |table, path, _| {
                let n_before = cells.len();
                cells.begin_table(path);
                table.read_images(
                    &find_image_column(table, path, self.image.as_deref(), Some(&self.label))?,
                    context,
                    |bytes| {
                        cells
                            .push(bytes, context.memory_limit_bytes)
                            .map_err(DataError::io(path, "keep a temporary copy of"))
                    },
                )?;
                Ok(cells.len() - n_before)
            })?);
            splits.push((split, EncodedImages::Cells(cells)));
        }
        let (columns, names) = number_all(columns, context)?;
        let numbering = Numbering::new(&columns[0], names, context)?;
        let target =
            self.target_settings().resolve(&splits.iter().map(|(_, images)| images).collect::<Vec<_>>(), context)?;
        let mut loading = Loading::new(&self.augment, self.background, context);
        let mut parts = Vec::new();
        for ((split, images), labels) in splits.into_iter().zip(&columns) {
            let classes = numbering.classes(labels, context)?;
            let examples = loading.decode(images, target, &format!("the {split} images"))?;
            parts.push((split, Part { store: Store::Images(examples), classes }));
        }
        let [train, valid, test] = by_split(parts);
        Ok(Found {
            name: source.name,
            path: source.path,
            labels: numbering.names().to_vec(),
            train: train.expect("a source has training files"),
            valid,
            test,
            valid_fraction: self.valid_fraction,
            labelled_fraction: self.labelled_fraction,
            provenance: source.provenance,
            salt: String::new(),
        })
    }
}

impl DataKind for HubImagesConfig {
    fn contradictions(&self) -> Vec<Problem> {
        self.whereabouts().problems()
    }

    fn is_augmented(&self) -> bool {
        !self.augment.is_none()
    }

    fn paths(&self) -> Vec<&Path> {
        self.path.as_deref().into_iter().collect()
    }

    fn given_input(&self) -> Option<InputShape> {
        self.target_settings().given()
    }

    fn unlabelled_keys(&self) -> &'static [&'static str] {
        &["path", "image"]
    }

    /// The label column of local training files is read; of files that are still to be fetched, nothing is known.
    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let names = |path| ParquetSource::local(path, &self.whereabouts(), context)?.class_names(&self.label, context);
        let labels = self.path.as_deref().map(names).transpose()?;
        Ok(Outline { input: self.given_input(), labels, notes: Vec::new() })
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        self.read_from(&Hub::from_env(), context)
    }
}

/// The column of the images: the one that the config names, or the only one that is not that of the labels.
pub(super) fn find_image_column(
    table: &ParquetTable,
    path: &Path,
    image: Option<&str>,
    label: Option<&str>,
) -> Result<String, DataError> {
    if let Some(name) = image {
        return Ok(name.to_owned());
    }
    let columns: Vec<&str> = table.image_columns().into_iter().filter(|column| Some(*column) != label).collect();
    match columns[..] {
        [only] => Ok(only.to_owned()),
        [] => Err(DataError::invalid(path, format!("columns {:?}", table.column_names()), EXPECTED_IMAGES)),
        ref several => Err(DataError::invalid(path, format!("image columns {several:?}"), "a single image column")
            .hint("choose with the key `image`")),
    }
}
