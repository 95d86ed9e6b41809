//! Matrices of numbers with labels: embeddings made elsewhere, or any table of measurements.
//!
//! Shapes: `N` examples, `F` features; a matrix is `[N, F]`.
//!
//! | | matrices | labels |
//! |---|---|---|
//! | read | `.npy` and safetensors by their content, also gzipped; f16, bf16 (safetensors), f32, f64, whole numbers, truth values; both byte orders, by rows and by columns; one of several tensors by `tensor` | the same files (`label_tensor`): `[N]`, `[N, 1]` or `[1, N]` of whole numbers, also as floats, truth values, names (`<U`, `S`); text files, one label a line |
//! | refused | other containers (npz, pt, pkl, h5, parquet, csv), by name; several tensors without a choice, with names and shapes; other shapes than `[N, F]`; bytes behind the array; fewer than the header says; NaN and infinity, with row and column; units below 1e-30, with the column; texts, records, complex numbers, dates, pickled objects | columns of each class (one-hot); fractions and NaN, with their place; pickled objects; numbers with a gap; another number of labels than of rows; what `table/mod.rs` refuses of labels |
//! | noted | columns that are the same in every row; columns whose least number is subtracted in f64, because f32 would round their numbers together (`InputSpec::offset` takes it into the model's folder) | spellings that were joined; words for a missing value; names without an example |

use super::kind::DataKind;
use crate::features::{FeatureExamples, Matrix, read_labels, read_matrix, read_n_features};
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
    /// Training matrix: `.npy` or `.safetensors`, of numbers of any type, by rows or by columns.
    #[schemars(extend("examples" = ["train.npy"]))]
    #[schemars(extend("format" = "path"))]
    pub train: PathBuf,
    /// Labels of the training matrix: `.npy` or `.safetensors` of whole numbers, truth values or names, or a text file with one
    /// number or name per line.
    #[schemars(extend("examples" = ["train_labels.npy"]))]
    #[schemars(extend("format" = "path"))]
    pub train_labels: PathBuf,
    /// Test matrix.
    #[schemars(extend("examples" = ["test.npy"]))]
    #[schemars(extend("format" = "path"))]
    pub test: PathBuf,
    /// Labels of the test matrix.
    #[schemars(extend("examples" = ["test_labels.npy"]))]
    #[schemars(extend("format" = "path"))]
    pub test_labels: PathBuf,
    /// The tensor to read of the matrices, where a `.safetensors` file has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// The tensor to read of the labels, where a `.safetensors` file has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_tensor: Option<String>,
    /// Text file with the names of the classes, one per line; without it the labels name the classes.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub label_names: Option<PathBuf>,
    /// Part of each class's training examples that is held out for validation.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
    /// Part of each class's training examples that keep their labels, all of them by default. The others become examples without
    /// labels: teachers do not see them, and students learn what teachers say about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub labelled_fraction: Option<f64>,
}

impl DataKind for FeaturesConfig {
    fn paths(&self) -> Vec<&Path> {
        [&self.train, &self.train_labels, &self.test, &self.test_labels].map(PathBuf::as_path).to_vec()
    }

    fn unlabelled_keys(&self) -> &'static [&'static str] {
        &["path", "tensor"]
    }

    /// The header of the training matrix and the training labels are read.
    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let n_features = read_n_features(&self.train, self.tensor.as_deref())?;
        let names = self.label_names.as_deref().map(read_names).transpose()?;
        let numbering =
            Numbering::new(&read_labels(&self.train_labels, self.label_tensor.as_deref())?, names, context)?;
        Ok(Outline::whole(InputShape::Features { n_features }, numbering.names().to_vec()))
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let (train, train_labels) = self.read_split(&self.train, &self.train_labels, None, context)?;
        note_columns(&self.train, &train, context);
        let (test, test_labels) = self.read_split(&self.test, &self.test_labels, Some(&train), context)?;
        let names = self.label_names.as_deref().map(read_names).transpose()?;
        let numbering = Numbering::new(&train_labels, names, context)?;
        let part = |matrix: Matrix, labels: LabelColumn| -> Result<Part, DataError> {
            let n_features = matrix.n_features();
            let examples = FeatureExamples { values: matrix.values, n_features, offset: matrix.offset };
            Ok(Part { classes: numbering.classes(&labels, context)?, store: Store::Features(examples) })
        };
        let name = self.train.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Found {
            name: name.unwrap_or_else(|| "features".to_owned()),
            path: self.train.clone(),
            labels: numbering.names().to_vec(),
            train: part(train, train_labels)?,
            valid: None,
            test: Some(part(test, test_labels)?),
            valid_fraction: self.valid_fraction,
            labelled_fraction: self.labelled_fraction,
            provenance: vec![
                ("training features".to_owned(), self.train.display().to_string()),
                ("test features".to_owned(), self.test.display().to_string()),
            ],
            salt: String::new(),
        })
    }
}

impl FeaturesConfig {
    /// A matrix with its labels; that of the test split is moved as the training matrix is.
    fn read_split(
        &self,
        matrix_path: &Path,
        labels_path: &Path,
        train: Option<&Matrix>,
        context: &LoadContext<'_>,
    ) -> Result<(Matrix, LabelColumn), DataError> {
        context.check_interrupted()?;
        let size = std::fs::metadata(matrix_path).map(|data| data.len()).ok();
        let what = if train.is_some() { "test" } else { "training" };
        context.progress.start(&format!("reading {what} features"), size, ProgressUnit::Bytes);
        let matrix = read_matrix(matrix_path, self.tensor.as_deref(), train.map(|train| &train.offset[..]))?;
        context.progress.advance(size.unwrap_or(0));
        context.progress.finish();
        if let Some(train) = train.filter(|train| train.n_features() != matrix.n_features()) {
            return Err(DataError::invalid(
                matrix_path,
                format!("{} features", matrix.n_features()),
                format!("{}, as in {}", train.n_features(), self.train.display()),
            ));
        }
        let labels = read_labels(labels_path, self.label_tensor.as_deref())?;
        if matrix.n_rows() != labels.labels.len() {
            return Err(DataError::invalid(
                labels_path,
                format!("{} labels", labels.labels.len()),
                format!("{}, one for each row of {}", matrix.n_rows(), matrix_path.display()),
            ));
        }
        Ok((matrix, labels))
    }
}

/// Tells which columns of the training matrix are constant, and which were moved.
fn note_columns(path: &Path, matrix: &Matrix, context: &LoadContext<'_>) {
    let n_features = matrix.n_features();
    let path = path.display();
    let constant: Vec<usize> = (0..n_features).filter(|column| matrix.columns[*column].is_constant()).collect();
    if !constant.is_empty() && matrix.n_rows() > 1 {
        context.note(format!("{path}: {} the same in every row, and tell nothing", columns_are(&constant, n_features)));
    }
    let moved: Vec<usize> = (0..matrix.offset.len()).filter(|column| matrix.offset[*column] != 0.0).collect();
    if !moved.is_empty() {
        context.note(format!(
            "{path}: {} of numbers that differ by little of their size; their least number is subtracted before they are \
             rounded to single precision",
            columns_are(&moved, n_features)
        ));
    }
}

/// Columns that a message lists.
const MAX_LISTED: usize = 8;

/// `2 of 8 columns (0, 5) are`
fn columns_are(columns: &[usize], n_features: usize) -> String {
    let listed: Vec<String> = columns.iter().take(MAX_LISTED).map(usize::to_string).collect();
    let more = if columns.len() > MAX_LISTED { ", ..." } else { "" };
    let are = if columns.len() == 1 { "is" } else { "are" };
    format!("{} of {n_features} columns ({}{more}) {are}", columns.len(), listed.join(", "))
}
