//! `init` for matrices of features.

use super::compose::{Recipe, quoted};
use super::sizes::{InputKind, sizes};
use crate::error::{ExperimentError, Result};
use std::path::{Path, PathBuf};
use stillhouse_core::Seed;
use stillhouse_data::{DataConfig, LoadContext};

/// The four files of a data set of features.
pub(super) struct RecognisedFeatures {
    folder: PathBuf,
    /// lines of the `[data]` table
    data: String,
}

const MATRIX_ENDINGS: [&str; 2] = ["npy", "safetensors"];
const LABEL_ENDINGS: [&str; 2] = ["npy", "txt"];

/// Recognises a folder with `train_features.npy`, `train.npy`, `X_train.npy` or another usual name, and its labels.
///
/// # Errors
/// A training matrix without its labels or without a test matrix.
pub(super) fn recognise_features(folder: &Path) -> Result<Option<RecognisedFeatures>> {
    let matrix = |split: &str| {
        let stems = ["{}_features", "{}", "{}_x", "X_{}", "x_{}"].map(|stem| stem.replace("{}", split));
        find(folder, &stems, &MATRIX_ENDINGS)
    };
    let labels = |split: &str| {
        let stems = ["{}_labels", "{}_y", "Y_{}", "y_{}"].map(|stem| stem.replace("{}", split));
        find(folder, &stems, &LABEL_ENDINGS)
    };
    let Some(train) = matrix("train") else { return Ok(None) };
    let missing = |what: &str, example: &str| {
        let found = train.display();
        ExperimentError::BadData(anyhow::anyhow!(
            "{}: found {found}, but no {what}; expected a file like {example}",
            folder.display()
        ))
    };
    let train_labels =
        labels("train").ok_or_else(|| missing("labels for it", "train_labels.npy or train_labels.txt"))?;
    let test = matrix("test").ok_or_else(|| missing("test matrix", "test_features.npy"))?;
    let test_labels =
        labels("test").ok_or_else(|| missing("labels for the test matrix", "test_labels.npy or test_labels.txt"))?;
    let files = [("train", train), ("train_labels", train_labels), ("test", test), ("test_labels", test_labels)];
    let line = |(key, file): (&str, PathBuf)| format!("{key} = {}\n", quoted(&file.display().to_string()));
    let data = format!("kind = \"features\"\n{}", files.map(line).concat());
    Ok(Some(RecognisedFeatures { folder: folder.to_owned(), data }))
}

fn find(folder: &Path, stems: &[String], endings: &[&str]) -> Option<PathBuf> {
    let names = stems.iter().flat_map(|stem| endings.iter().map(move |ending| folder.join(format!("{stem}.{ending}"))));
    names.into_iter().find(|file| file.is_file())
}

/// The config for features.
///
/// # Errors
/// Files that cannot be read as features.
pub(super) fn recipe_for_features(found: &RecognisedFeatures) -> Result<Recipe> {
    const VALID: &str =
        "valid_fraction = 0.1                   # carved from train; the test split is read once, by the evaluation";
    let config: DataConfig = toml::from_str(&found.data).expect("a table of four paths");
    let dataset = config.load(&LoadContext::quiet(Seed(0)))?;
    let (n_classes, n_training) = (dataset.n_classes(), dataset.train.len());
    Ok(Recipe {
        about: format!("{n_training} examples of {n_classes} classes, as features, in {}.", found.folder.display()),
        data: format!("{}{VALID}", found.data),
        generalist: r#"{ kind = "mlp", widths = [256, 256], dropout = 0.3, input_dropout = 0.1 }"#.to_owned(),
        pretrained: String::new(),
        student: r#"{ kind = "mlp", widths = [256] }"#.to_owned(),
        optimizer: r#"{ kind = "adamw", weight_decay = 1e-4 }"#,
        peak_learning_rate: 1e-2,
        temperature: 2.0,
        sizes: sizes(Some(n_training), Some(n_classes), InputKind::Features),
    })
}
