//! `init` for images.

use super::compose::{Recipe, quoted};
use super::sizes::{InputKind, sizes};
use crate::error::{ExperimentError, Result};
use std::path::{Path, PathBuf};
use stillhouse_core::Seed;
use stillhouse_data::{DataConfig, LoadContext, image_sizes};

/// Images, and what is known of them.
pub(super) struct RecognisedImages {
    /// lines of the `[data]` table
    data: String,
    /// one sentence for the head of the file
    about: String,
    n_examples: Option<usize>,
    n_classes: Option<usize>,
}

/// Recognises a folder of idx files, of one folder for each class, or of parquet files.
///
/// # Errors
/// A folder that cannot be listed, or in which nothing is recognised.
pub(super) fn recognise_images(path: &Path) -> Result<RecognisedImages> {
    let toml_path = format!("path = {}", quoted(&path.display().to_string()));
    let names: Vec<String> = entries(path)?.iter().map(|entry| file_name(entry)).collect();
    if names.iter().any(|name| name.contains("idx3-ubyte")) {
        let data = format!("kind = \"idx\"\n{toml_path}");
        return Ok(counted(data, format!("Images in idx files in {}.", path.display())));
    }
    let train = path.join("train");
    if train.is_dir() {
        let class_folders = entries(&train)?.into_iter().filter(|entry| entry.is_dir());
        let class_folders: Vec<PathBuf> = class_folders.filter(|entry| !file_name(entry).starts_with('.')).collect();
        if class_folders.len() >= 2 {
            return image_folder(path, &toml_path, &class_folders);
        }
    }
    if has_parquet(path)? {
        let found = in_parquet(&toml_path, &format!("Images in parquet files in {}.", path.display()));
        return Ok(counted(found.data, found.about));
    }
    Err(ExperimentError::BadData(anyhow::anyhow!(
        "{}: nothing recognised, expected train/<class>/ folders of images, idx files, parquet files, \
         tables (train.csv) or features (train_features.npy)",
        path.display()
    )))
}

fn image_folder(path: &Path, toml_path: &str, class_folders: &[PathBuf]) -> Result<RecognisedImages> {
    let files: Vec<Vec<PathBuf>> = class_folders.iter().map(|folder| entries(folder)).collect::<Result<_>>()?;
    let n_examples = files.iter().map(Vec::len).sum();
    let [height, width] = input_size(&image_sizes(&files.concat()));
    let n_classes = class_folders.len();
    Ok(RecognisedImages {
        data: format!(
            "kind = \"image_folder\"\n{toml_path}\nsize = [{height}, {width}]                        # height, width; every image is resized to it\nchannels = 3                           # 1 for grey"
        ),
        about: format!("{n_examples} images of {n_classes} classes, one folder each, in {}.", path.display()),
        n_examples: Some(n_examples),
        n_classes: Some(n_classes),
    })
}

/// The median height and width, scaled down to what two cores can train on; no side is shorter than what the networks can
/// halve three times.
fn input_size(found: &[[usize; 2]]) -> [usize; 2] {
    const LONGEST: usize = 64;
    const SHORTEST: usize = 16;
    const UNKNOWN: usize = 32;
    if found.is_empty() {
        return [UNKNOWN; 2];
    }
    let median = |side: usize| {
        let mut sides: Vec<usize> = found.iter().map(|size| size[side]).collect();
        sides.sort_unstable();
        sides[sides.len() / 2].max(1)
    };
    let (height, width) = (median(0), median(1));
    let scale = (LONGEST as f64 / height.max(width) as f64).min(1.0);
    [height, width].map(|side| ((side as f64 * scale).round() as usize).max(SHORTEST))
}

/// Counts examples and classes by loading the data as a run will.
fn counted(data: String, about: String) -> RecognisedImages {
    let config: Option<DataConfig> = toml::from_str(&data).ok();
    let dataset = config.and_then(|config| config.load(&LoadContext::quiet(Seed(0))).ok());
    let n_examples = dataset.as_ref().map(|dataset| dataset.train.len() + dataset.valid.len());
    RecognisedImages { data, about, n_examples, n_classes: dataset.map(|dataset| dataset.n_classes()) }
}

/// Images of a hub repository.
pub(super) fn images_of_repository(repo: &str) -> RecognisedImages {
    in_parquet(&format!("repo = {}", quoted(repo)), &format!("The hub repository {repo}."))
}

fn in_parquet(place: &str, about: &str) -> RecognisedImages {
    let data =
        format!("kind = \"hub_images\"\n{place}\nlabel = \"label\"                        # name of the label column");
    RecognisedImages { data, about: about.to_owned(), n_examples: None, n_classes: None }
}

fn has_parquet(path: &Path) -> Result<bool> {
    let files = stillhouse_files::files_below(path)
        .map_err(|error| crate::error::file_error(&error.path, "cannot be listed", error.source))?;
    Ok(files.iter().any(|file| file.extension().is_some_and(|ending| ending == "parquet")))
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    stillhouse_files::entries(path).map_err(|error| crate::error::file_error(path, "cannot be listed", error))
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// The config for images.
pub(super) fn recipe_for_images(recognised: &RecognisedImages) -> Recipe {
    const AUGMENT: &str = "valid_fraction = 0.1                   # carved from train; the test split is read once, by the evaluation\naugment = { kind = \"shift\", max_pixels = 2 }";
    let n_training = recognised.n_examples.map(|n_examples| n_examples * 9 / 10);
    Recipe {
        about: recognised.about.clone(),
        data: format!("{}\n{AUGMENT}", recognised.data),
        generalist: r#"{ kind = "resnet", depth = 8, width = 16 }"#.to_owned(),
        pretrained: String::new(),
        student: r#"{ kind = "resnet", depth = 8, width = 12 }"#.to_owned(),
        optimizer: r#"{ kind = "sgd", momentum = 0.9, nesterov = true, weight_decay = 5e-3 }"#,
        peak_learning_rate: 0.1,
        temperature: 4.0,
        sizes: sizes(n_training, recognised.n_classes, InputKind::Images),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_keep_their_aspect_ratio_and_are_never_crushed() {
        assert_eq!(input_size(&[]), [32, 32]);
        assert_eq!(input_size(&[[28, 28], [28, 28], [500, 500]]), [28, 28]);
        assert_eq!(input_size(&[[300, 600]]), [32, 64]);
        assert_eq!(input_size(&[[20, 2000]]), [16, 64]);
    }
}
