//! Matrices of numbers with labels: embeddings made elsewhere, or any table of measurements.
//!
//! Shapes: `N` examples, `F` features; a matrix is `[N, F]`.

use super::kind::DataKind;
use crate::features::{FeatureExamples, read_labels, read_matrix, read_n_features};
use crate::found::{Found, Part};
use crate::labels::{LabelColumn, Numbering, read_names};
use crate::outline::Outline;
use crate::settings::default_valid_fraction;
use crate::store::Store;
use crate::{DataError, LoadContext, ProgressUnit};
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

impl DataKind for FeaturesConfig {
    fn paths(&self) -> Vec<&Path> {
        [&self.train, &self.train_labels, &self.test, &self.test_labels].map(PathBuf::as_path).to_vec()
    }

    /// The header of the training matrix and the training labels are read.
    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let n_features = read_n_features(&self.train)?;
        let names = self.label_names.as_deref().map(read_names).transpose()?;
        let numbering = Numbering::new(&read_labels(&self.train_labels)?, names, context)?;
        Ok(Outline::whole(InputShape::Features { n_features }, numbering.names().to_vec()))
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let train = read_split(&self.train, &self.train_labels, "training", context)?;
        let test = read_split(&self.test, &self.test_labels, "test", context)?;
        if train.0.n_features != test.0.n_features {
            return Err(DataError::invalid(
                &self.test,
                format!("{} features", test.0.n_features),
                format!("{}, as in {}", train.0.n_features, self.train.display()),
            ));
        }
        let names = self.label_names.as_deref().map(read_names).transpose()?;
        let numbering = Numbering::new(&train.1, names, context)?;
        let part = |(examples, labels): (FeatureExamples, LabelColumn)| -> Result<Part, DataError> {
            Ok(Part { classes: numbering.classes(&labels, context)?, store: Store::Features(examples) })
        };
        let name = self.train.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Found {
            name: name.unwrap_or_else(|| "features".to_owned()),
            path: self.train.clone(),
            labels: numbering.names().to_vec(),
            train: part(train)?,
            valid: None,
            test: Some(part(test)?),
            valid_fraction: self.valid_fraction,
            provenance: vec![
                ("training features".to_owned(), self.train.display().to_string()),
                ("test features".to_owned(), self.test.display().to_string()),
            ],
            salt: String::new(),
        })
    }
}

fn read_split(
    matrix_path: &Path,
    labels_path: &Path,
    what: &str,
    context: &LoadContext<'_>,
) -> Result<(FeatureExamples, LabelColumn), DataError> {
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
    Ok((FeatureExamples { values: matrix.values, n_features: matrix.n_features }, labels))
}
