//! The `[data]` section: which source, and where it lies.

use crate::readers::features::{self, FeaturesConfig};
use crate::readers::glyphs::{self, GlyphsConfig};
use crate::readers::hub_images::{self, HubImagesConfig};
use crate::readers::hub_table::{self, HubTableConfig};
use crate::readers::idx::{self, IdxConfig};
use crate::readers::image_folder::{self, ImageFolderConfig};
use crate::readers::table::{self, TableConfig};
use crate::{DataError, Dataset, LoadContext, Outline};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::InputShape;

/// Where the examples come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DataConfig {
    /// The built-in generator of stroke-drawn characters.
    Glyphs(GlyphsConfig),
    /// Files of MNIST, Fashion-MNIST or EMNIST.
    Idx(IdxConfig),
    /// A folder of image files, one folder per class.
    ImageFolder(ImageFolderConfig),
    /// Parquet files with images, local or from a hub.
    HubImages(HubImagesConfig),
    /// Matrices of numbers, for example embeddings made elsewhere.
    Features(FeaturesConfig),
    /// Texts and labels in CSV, TSV or JSON files.
    Table(TableConfig),
    /// Parquet files with texts, local or from a hub.
    HubTable(HubTableConfig),
}

impl DataConfig {
    /// What is wrong with the values, one message for each, beginning with the key; empty when all is well.
    pub fn validate(&self) -> Vec<String> {
        match self {
            Self::Glyphs(config) => {
                let own = config.validate();
                if own.is_empty() { check_fraction(config.valid_fraction) } else { own }
            }
            Self::Idx(config) => config.validate(),
            Self::ImageFolder(config) => config.validate(),
            Self::HubImages(config) => config.validate(),
            Self::Features(config) => config.validate(),
            Self::Table(config) => config.validate(),
            Self::HubTable(config) => config.validate(),
        }
    }

    /// Whether training examples are augmented, so that their views differ.
    pub fn is_augmented(&self) -> bool {
        let augment = match self {
            Self::Glyphs(config) => &config.augment,
            Self::Idx(config) => &config.augment,
            Self::ImageFolder(config) => &config.augment,
            Self::HubImages(config) => &config.augment,
            Self::Features(_) => return false,
            Self::Table(config) => return !config.augment.is_none(),
            Self::HubTable(config) => return !config.augment.is_none(),
        };
        *augment != crate::AugmentConfig::default()
    }

    /// Whether the training split may leave nothing for validation; only the generator can be told so.
    pub fn has_no_validation(&self) -> bool {
        matches!(self, Self::Glyphs(config) if config.valid_fraction == 0.0)
    }

    /// What is known of the data without reading its examples. Data that is not there gives a note.
    ///
    /// # Errors
    /// Files that are there and that [`DataConfig::load`] refuses.
    pub fn outline(&self, context: &LoadContext) -> Result<Outline, DataError> {
        let (in_program, in_files): (Vec<&Path>, Vec<&Path>) =
            self.paths().into_iter().partition(|path| table::builtin::dataset_name(path).is_some());
        for path in in_program {
            table::builtin::open(path)?;
        }
        if let Some(absent) = in_files.into_iter().find(|path| !path.exists()) {
            let note = format!(
                "data: {} is not there, so its classes and the shape of its examples are unknown",
                absent.display()
            );
            return Ok(Outline { input: self.given_input(), labels: None, notes: vec![note] });
        }
        let mut outline = match self {
            Self::Glyphs(config) => glyphs::outline(config),
            Self::Idx(config) => idx::outline(config)?,
            Self::ImageFolder(config) => image_folder::outline(config, context)?,
            Self::HubImages(config) => hub_images::outline(config, context)?,
            Self::Features(config) => features::outline(config)?,
            Self::Table(_) => Outline { input: self.given_input(), labels: None, notes: Vec::new() },
            Self::HubTable(config) => hub_table::outline(config, context)?,
        };
        outline.note_what_is_unknown();
        Ok(outline)
    }

    /// The shape of an example, where the settings alone tell it.
    fn given_input(&self) -> Option<InputShape> {
        match self {
            Self::Glyphs(config) => glyphs::outline(config).input,
            Self::ImageFolder(config) => config.wish().given(),
            Self::HubImages(config) => config.wish().given(),
            Self::Idx(_) | Self::Features(_) => None,
            Self::Table(_) | Self::HubTable(_) => Some(InputShape::Text {}),
        }
    }

    /// Files and folders that the data is read from.
    fn paths(&self) -> Vec<&Path> {
        let paths: Vec<Option<&PathBuf>> = match self {
            Self::Glyphs(_) => Vec::new(),
            Self::Idx(config) => vec![Some(&config.path)],
            Self::ImageFolder(config) => vec![Some(&config.path)],
            Self::HubImages(config) => vec![config.path.as_ref()],
            Self::HubTable(config) => vec![config.path.as_ref()],
            Self::Features(config) => {
                [&config.train, &config.train_labels, &config.test, &config.test_labels].map(Some).to_vec()
            }
            Self::Table(config) => {
                [&config.path, &config.train, &config.valid, &config.test].map(Option::as_ref).to_vec()
            }
        };
        paths.into_iter().flatten().map(PathBuf::as_path).collect()
    }

    /// Reads, checks and splits the data. Every file is decoded once, so that a damaged one is found here.
    ///
    /// # Errors
    /// Values that [`DataConfig::validate`] refuses, files that are absent, damaged or do not fit together, a hub
    /// that does not deliver, or an interruption.
    pub fn load(&self, context: &LoadContext) -> Result<Dataset, DataError> {
        let problems = self.validate();
        if !problems.is_empty() {
            return Err(DataError::Config(problems));
        }
        match self {
            Self::Glyphs(config) => glyphs::load(config, context),
            Self::Idx(config) => idx::load(config, context),
            Self::ImageFolder(config) => image_folder::load(config, context),
            Self::HubImages(config) => hub_images::load(config, context),
            Self::Features(config) => features::load(config, context),
            Self::Table(config) => table::load(config, context),
            Self::HubTable(config) => hub_table::load(config, context),
        }
    }
}

/// Part of the training examples that is held out when the config does not say.
pub(crate) fn default_valid_fraction() -> f64 {
    0.1
}

pub(crate) fn check_fraction(valid_fraction: f64) -> Vec<String> {
    let is_fraction = valid_fraction > 0.0 && valid_fraction < 1.0;
    if is_fraction {
        Vec::new()
    } else {
        vec![format!("valid_fraction: must lie between 0 and 1, found {valid_fraction}")]
    }
}
