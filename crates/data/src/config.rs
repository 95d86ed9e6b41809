//! The `[data]` section: which source, and where it lies.

use crate::glyphs::GlyphsConfig;
use crate::readers::features::{self, FeaturesConfig};
use crate::readers::glyphs;
use crate::readers::hub_images::{self, HubImagesConfig};
use crate::readers::hub_table::{self, HubTableConfig};
use crate::readers::idx::{self, IdxConfig};
use crate::readers::image_folder::{self, ImageFolderConfig};
use crate::readers::table::{self, TableConfig};
use crate::{DataError, Dataset, LoadContext};
use serde::{Deserialize, Serialize};

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
