//! Matrices of numbers with labels: embeddings made elsewhere, or any table of measurements.
//!
//! Shapes: `N` examples, `F` features; a matrix is `[N, F]`.

use super::matrix::{read_labels, read_matrix, read_n_features};
use crate::assemble::{Found, Part, Views, assemble};
use crate::augment::AugmentConfig;
use crate::config::default_valid_fraction;
use crate::labels::{LabelColumn, Numbering, read_names};
use crate::outline::Outline;
use crate::store::{FeatureStore, Store};
use crate::{DataError, Dataset, LoadContext, ProgressUnit};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::InputShape;

/// A matrix `[examples, features]` and its labels, for each split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeaturesConfig {
    /// Training matrix: `.npy` (f32 or f64), or `.safetensors` with a single matrix.
    pub train: PathBuf,
    /// Labels of the training matrix: `.npy` of whole numbers, or a text file with one number or name per line.
    pub train_labels: PathBuf,
    /// Test matrix.
    pub test: PathBuf,
    /// Labels of the test matrix.
    pub test_labels: PathBuf,
    /// Text file with the names of the classes, one per line; without it the labels name the classes.
    #[serde(default)]
    pub label_names: Option<PathBuf>,
    /// Part of each class's training examples that is held out for validation.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
}

pub(crate) fn load(config: &FeaturesConfig, context: &LoadContext) -> Result<Dataset, DataError> {
    let train = read_split(&config.train, &config.train_labels, "training", context)?;
    let test = read_split(&config.test, &config.test_labels, "test", context)?;
    if train.0.n_features != test.0.n_features {
        return Err(DataError::invalid(
            &config.test,
            format!("{} features", test.0.n_features),
            format!("{}, as in {}", train.0.n_features, config.train.display()),
        ));
    }
    let names = config.label_names.as_deref().map(read_names).transpose()?;
    let numbering = Numbering::new(&train.1, names)?;
    let part = |(store, labels): (FeatureStore, LabelColumn)| -> Result<Part, DataError> {
        Ok(Part { classes: numbering.classes(&labels)?, store: Store::Features(store), digests: Vec::new() })
    };
    let name = config.train.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let found = Found {
        name: name.unwrap_or_else(|| "features".to_owned()),
        path: config.train.clone(),
        labels: numbering.names().to_vec(),
        train: part(train)?,
        valid: None,
        test: Some(part(test)?),
        provenance: vec![
            ("training features".to_owned(), config.train.display().to_string()),
            ("test features".to_owned(), config.test.display().to_string()),
        ],
        salt: String::new(),
        windows: None,
    };
    assemble(found, config.valid_fraction, Views::Images(AugmentConfig::default()), context)
}

/// What the header of the training matrix and the training labels tell.
pub(crate) fn outline(config: &FeaturesConfig) -> Result<Outline, DataError> {
    let n_features = read_n_features(&config.train)?;
    let names = config.label_names.as_deref().map(read_names).transpose()?;
    let numbering = Numbering::new(&read_labels(&config.train_labels)?, names)?;
    Ok(Outline::whole(InputShape::Features { n_features }, numbering.names().to_vec()))
}

fn read_split(
    matrix_path: &Path,
    labels_path: &Path,
    what: &str,
    context: &LoadContext,
) -> Result<(FeatureStore, LabelColumn), DataError> {
    context.check_interrupted()?;
    let size = std::fs::metadata(matrix_path).map(|data| data.len()).ok();
    context.progress.start(&format!("reading {what} features"), size, ProgressUnit::Bytes);
    let matrix = read_matrix(matrix_path)?;
    context.progress.advance(size.unwrap_or(0));
    context.progress.finish();
    let labels = read_labels(labels_path)?;
    if matrix.n_rows() != labels.labels.len() {
        return Err(DataError::invalid(
            labels_path,
            format!("{} labels", labels.labels.len()),
            format!("{}, one for each row of {}", matrix.n_rows(), matrix_path.display()),
        ));
    }
    Ok((FeatureStore { values: matrix.values, n_features: matrix.n_features }, labels))
}
