//! The `[data]` section: the kind of data and its place.

use crate::assemble::assemble;
use crate::dataset::Dataset;
use crate::measured::{Measured, measured};
use crate::outline::Outline;
use crate::readers::DataKind;
use crate::readers::features::FeaturesConfig;
use crate::readers::glyphs::GlyphsConfig;
use crate::readers::hub_images::HubImagesConfig;
use crate::readers::idx::IdxConfig;
use crate::readers::image_folder::ImageFolderConfig;
use crate::readers::table::{TableConfig, builtin};
use crate::readers::{UnlabelledConfig, read_unlabelled};
use crate::unlabelled::Purpose;
use crate::{DataError, LoadContext};
use serde::{Deserialize, Serialize};
use std::path::Path;
use stillhouse_core::{Problem, check_values};

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
    /// Texts and labels in CSV, TSV, JSON or parquet files, local or from a hub.
    #[serde(alias = "hub_table")]
    Table(TableConfig),
}

/// Examples without labels to read in addition to a dataset's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnlabelledConfigs<'a> {
    /// examples for a student
    pub transfer: Option<&'a UnlabelledConfig>,
    /// examples of no class, for the evaluation
    pub out_of_scope: Option<&'a UnlabelledConfig>,
}

impl DataConfig {
    /// The repository on a hub that the data comes from; none for data of this machine.
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::HubImages(config) if config.path.is_none() => config.repo.as_deref(),
            Self::Table(config) if config.path.is_none() => config.repo.as_deref(),
            _ => None,
        }
    }

    fn kind(&self) -> &dyn DataKind {
        match self {
            Self::Glyphs(config) => config,
            Self::Idx(config) => config,
            Self::ImageFolder(config) => config,
            Self::HubImages(config) => config,
            Self::Features(config) => config,
            Self::Table(config) => config,
        }
    }

    /// Everything that is wrong with the values: numbers out of range, settings that contradict each other.
    pub fn validate(&self) -> Vec<Problem> {
        check_values(self).into_iter().chain(self.kind().contradictions()).collect()
    }

    /// Whether training examples are augmented, so that their views differ.
    pub fn is_augmented(&self) -> bool {
        self.kind().is_augmented()
    }

    /// Whether the labels of some training examples are held back.
    pub fn holds_labels_back(&self) -> bool {
        let fraction = match self {
            Self::Glyphs(config) => config.labelled_fraction,
            Self::Idx(config) => config.labelled_fraction,
            Self::ImageFolder(config) => config.labelled_fraction,
            Self::HubImages(config) => config.labelled_fraction,
            Self::Features(config) => config.labelled_fraction,
            Self::Table(config) => config.labelled_fraction,
        };
        fraction.is_some()
    }

    /// Everything that is wrong with a table of examples without labels for this data.
    pub fn unlabelled_problems(&self, unlabelled: &UnlabelledConfig) -> Vec<Problem> {
        unlabelled.problems(self.kind())
    }

    /// What is known of the data without reading its examples. Data that is not there gives a note.
    ///
    /// # Errors
    /// Files that are there and that [`DataConfig::load`] refuses.
    pub fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let kind = self.kind();
        let (in_program, in_files): (Vec<&Path>, Vec<&Path>) =
            kind.paths().into_iter().partition(|path| builtin::dataset_name(path).is_some());
        for path in in_program {
            builtin::open(path)?;
        }
        if let Some(absent) = in_files.into_iter().find(|path| !path.exists()) {
            let note = format!(
                "data: {} is not there, so its classes and the shape of its examples are unknown",
                absent.display()
            );
            return Ok(Outline { input: kind.given_input(), labels: None, notes: vec![note] });
        }
        let mut outline = kind.outline(context)?;
        outline.note_what_is_unknown();
        Ok(outline)
    }

    /// Reads, checks and splits the data. Every file is decoded once, so that a damaged one is found here.
    ///
    /// # Errors
    /// Values that [`DataConfig::validate`] refuses, files that are absent, damaged or do not fit together, a hub
    /// that does not deliver, or an interruption.
    pub fn load(&self, context: &LoadContext<'_>) -> Result<Dataset, DataError> {
        self.load_with(&UnlabelledConfigs::default(), context)
    }

    /// Reads data that a model is to be measured on: the test split where the data names one, and otherwise all rows of what is
    /// there. Nothing is carved, and one class is enough.
    ///
    /// # Errors
    /// As [`DataConfig::load`].
    pub fn load_measured(&self, context: &LoadContext<'_>) -> Result<Measured, DataError> {
        let problems = self.validate();
        if !problems.is_empty() {
            return Err(DataError::Config(problems));
        }
        let context = LoadContext { is_measured: true, ..*context };
        measured(self.kind().read(&context)?, &context)
    }

    /// [`DataConfig::load`] with examples without labels, which change no other example.
    ///
    /// # Errors
    /// As [`DataConfig::load`], for all files; examples of another kind than the data's.
    pub fn load_with(
        &self,
        unlabelled: &UnlabelledConfigs<'_>,
        context: &LoadContext<'_>,
    ) -> Result<Dataset, DataError> {
        let of_unlabelled = [unlabelled.transfer, unlabelled.out_of_scope]
            .into_iter()
            .flatten()
            .flat_map(|config| config.problems(self.kind()));
        let problems: Vec<Problem> = self.validate().into_iter().chain(of_unlabelled).collect();
        if !problems.is_empty() {
            return Err(DataError::Config(problems));
        }
        let found = self.kind().read(context)?;
        let mut n_bytes: u64 = found.parts().map(|part| part.store.modality().n_bytes(part.classes.len())).sum();
        let mut read = |config: Option<&UnlabelledConfig>, purpose: Purpose| -> Result<_, DataError> {
            let Some(config) = config else { return Ok(None) };
            let left = context.memory_limit_bytes.map(|limit| limit.saturating_sub(n_bytes));
            let within_rest = LoadContext { memory_limit_bytes: left, ..*context };
            let extra = read_unlabelled(config, self.kind(), &found, purpose, &within_rest)?;
            n_bytes += extra.store.modality().n_bytes(extra.store.n_examples());
            Ok(Some(extra))
        };
        let transfer = read(unlabelled.transfer, Purpose::Transfer)?;
        let out_of_scope = read(unlabelled.out_of_scope, Purpose::OutOfScope)?;
        assemble(found, [transfer, out_of_scope], context)
    }
}
