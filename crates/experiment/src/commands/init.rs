//! `init`: a commented config for data that the user has.

use super::init_compose::{Recipe, compose, quoted};
use super::init_features::{recipe_for_features, recognise_features};
use super::init_sizes::{InputKind, sizes};
use super::init_texts::{recipe_for_texts, recognise_table};
use crate::error::{ExperimentError, Result};
use std::path::{Path, PathBuf};
use stillhouse_core::Seed;
use stillhouse_data::{DataConfig, LoadContext, image_sizes};

/// What was recognised at the source.
struct Recognised {
    /// lines of the `[data]` table
    data: String,
    /// one line for the head of the file
    about: String,
    n_examples: Option<usize>,
    n_classes: Option<usize>,
}

/// A commented config for a folder of images, of idx files, of parquet files, of features or of tables, for a table of
/// texts, or for a hub repository (`owner/name`).
///
/// # Errors
/// A folder in which nothing is recognised, or a name that is neither a folder nor a repository's.
pub fn init_config(source: &str) -> Result<String> {
    let path = Path::new(source);
    if let Some(table) = recognise_table(path)? {
        return Ok(compose(&recipe_for_texts(&table)));
    }
    let recognised = if path.is_dir() {
        if let Some(found) = recognise_features(path)? {
            return Ok(compose(&recipe_for_features(&found)?));
        }
        recognise_folder(path)?
    } else if path.exists() {
        return Err(ExperimentError::BadData(anyhow::anyhow!(
            "{source}: not a kind of file that is recognised; expected a table of texts (csv, tsv, json, jsonl, ndjson, also \
             with .gz)\n  hint: give the folder of image folders, parquet files or features, not one of its files"
        )));
    } else if is_repository_name(source) {
        hub_images(&format!("repo = {}", quoted(source)), &format!("The hub repository {source}."))
    } else {
        let hint = "give a folder, a table of texts, or a hub repository as owner/name";
        return Err(ExperimentError::Usage(format!("{source}: no such folder or table\n  hint: {hint}")));
    };
    Ok(compose(&recipe_for_images(&recognised)))
}

/// What a name that ends so is: a file that is not there, not a repository.
const FILE_ENDINGS: [&str; 11] =
    [".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".gz", ".txt", ".npy", ".parquet", ".zip", ".png"];

fn is_repository_name(source: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_file_name = FILE_ENDINGS.iter().any(|ending| source.to_lowercase().ends_with(ending));
    source.split_once('/').is_some_and(|(owner, name)| is_word(owner) && is_word(name))
        && !source.starts_with('.')
        && !is_file_name
}

fn recognise_folder(path: &Path) -> Result<Recognised> {
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
        let found = hub_images(&toml_path, &format!("Images in parquet files in {}.", path.display()));
        return Ok(counted(found.data, found.about));
    }
    Err(ExperimentError::BadData(anyhow::anyhow!(
        "{}: nothing recognised, expected train/<class>/ folders of images, idx files, parquet files, \
         tables (train.csv) or features (train_features.npy)",
        path.display()
    )))
}

fn image_folder(path: &Path, toml_path: &str, class_folders: &[PathBuf]) -> Result<Recognised> {
    let files: Vec<Vec<PathBuf>> = class_folders.iter().map(|folder| entries(folder)).collect::<Result<_>>()?;
    let n_examples = files.iter().map(Vec::len).sum();
    let [height, width] = input_size(&image_sizes(&files.concat()));
    let n_classes = class_folders.len();
    Ok(Recognised {
        data: format!(
            "kind = \"image_folder\"\n{toml_path}\nsize = [{height}, {width}]                        # height, width; every image is resized to it\nchannels = 3                           # 1 for grey"
        ),
        about: format!("{n_examples} images of {n_classes} classes, one folder each, in {}.", path.display()),
        n_examples: Some(n_examples),
        n_classes: Some(n_classes),
    })
}

/// The median height and width, of the same aspect ratio but no longer than what two cores can train on, and no shorter
/// than what the networks can halve three times.
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

/// Data that lie on this machine are read once, so that the examples are those that a run will have.
fn counted(data: String, about: String) -> Recognised {
    let config: Option<DataConfig> = toml::from_str(&data).ok();
    let dataset = config.and_then(|config| config.load(&LoadContext::quiet(Seed(0))).ok());
    let n_examples = dataset.as_ref().map(|dataset| dataset.train.len() + dataset.valid.len());
    Recognised { data, about, n_examples, n_classes: dataset.map(|dataset| dataset.n_classes()) }
}

fn hub_images(place: &str, about: &str) -> Recognised {
    let data =
        format!("kind = \"hub_images\"\n{place}\nlabel = \"label\"                        # name of the label column");
    Recognised { data, about: about.to_owned(), n_examples: None, n_classes: None }
}

fn has_parquet(path: &Path) -> Result<bool> {
    let files = stillhouse_files::files_below(path).map_err(|error| unlisted(&error.path, error.source))?;
    Ok(files.iter().any(|file| file.extension().is_some_and(|ending| ending == "parquet")))
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    stillhouse_files::entries(path).map_err(|error| unlisted(path, error))
}

fn unlisted(path: &Path, error: std::io::Error) -> ExperimentError {
    crate::error::file_error(path, "cannot be listed", error)
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

fn recipe_for_images(recognised: &Recognised) -> Recipe {
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
    use crate::config::{ConfigSource, Experiment};

    fn resolves(text: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made.toml");
        std::fs::write(&path, text).unwrap();
        Experiment::load(&ConfigSource::File(path), &[]).unwrap();
    }

    #[test]
    fn every_recognised_source_gives_a_config_that_resolves() {
        let folder = tempfile::tempdir().unwrap();
        for class in ["cat", "dog", "owl"] {
            std::fs::create_dir_all(folder.path().join("images/train").join(class)).unwrap();
        }
        let images = init_config(&folder.path().join("images").display().to_string()).unwrap();
        assert!(images.contains("images of 3 classes") && images.contains("n_models = 3"), "{images}");
        resolves(&images);
        resolves(&init_config("uoft-cs/cifar100").unwrap());
        std::fs::create_dir(folder.path().join("idx")).unwrap();
        std::fs::write(folder.path().join("idx/train-images-idx3-ubyte"), "").unwrap();
        resolves(&init_config(&folder.path().join("idx").display().to_string()).unwrap());
    }

    #[test]
    fn tables_give_configs_that_resolve() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "text,intent\nwhere is my card,card\ngive me cash,cash\nmy card is lost,card\n";
        std::fs::write(folder.path().join("train.csv"), rows).unwrap();
        std::fs::write(folder.path().join("test.csv"), rows).unwrap();
        std::fs::write(folder.path().join("plain.tsv"), "card\twhere is my card\ncash\tgive me cash\ncard\tlost\n")
            .unwrap();
        let of_folder = init_config(&folder.path().display().to_string()).unwrap();
        assert!(of_folder.contains("test.csv") && of_folder.contains("label = \"intent\""), "{of_folder}");
        resolves(&of_folder);
        let of_file = init_config(&folder.path().join("plain.tsv").display().to_string()).unwrap();
        assert!(of_file.contains("text = 2") && of_file.contains("header = false"), "{of_file}");
        resolves(&of_file);
        std::fs::write(folder.path().join("empty.csv"), "one\ntwo\n").unwrap();
        assert_eq!(init_config(&folder.path().join("empty.csv").display().to_string()).unwrap_err().exit_code(), 3);
    }

    #[test]
    fn features_give_a_config_that_resolves() {
        let folder = tempfile::tempdir().unwrap();
        for split in ["train", "test"] {
            let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (40, 2), }";
            let header = format!("{header:<117}\n");
            let values = (0..80_u8).flat_map(|value| f32::from(value).to_le_bytes());
            let npy = b"\x93NUMPY\x01\x00\x76\x00".iter().copied().chain(header.bytes()).chain(values);
            std::fs::write(folder.path().join(format!("X_{split}.npy")), npy.collect::<Vec<u8>>()).unwrap();
            std::fs::write(folder.path().join(format!("y_{split}.txt")), "a\nb\n".repeat(20)).unwrap();
        }
        let config = init_config(&folder.path().display().to_string()).unwrap();
        assert!(config.contains("36 examples of 2 classes") && config.contains("views = 1"), "{config}");
        resolves(&config);
    }

    #[test]
    fn nothing_recognised_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = init_config(&folder.path().display().to_string()).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert_eq!(init_config("no-such-folder").unwrap_err().exit_code(), 2);
        assert_eq!(init_config("no-such-folder/train.parquet").unwrap_err().exit_code(), 2);
        let matrix = folder.path().join("train.npy");
        std::fs::write(&matrix, "").unwrap();
        let alone = init_config(&folder.path().display().to_string()).unwrap_err();
        assert!(alone.to_string().contains("train_labels.npy"), "{alone}");
        assert_eq!(init_config(&matrix.display().to_string()).unwrap_err().exit_code(), 3);
    }

    #[test]
    fn images_keep_their_aspect_ratio_and_are_never_crushed() {
        assert_eq!(input_size(&[]), [32, 32]);
        assert_eq!(input_size(&[[28, 28], [28, 28], [500, 500]]), [28, 28]);
        assert_eq!(input_size(&[[300, 600]]), [32, 64]);
        assert_eq!(input_size(&[[20, 2000]]), [16, 64]);
    }
}
