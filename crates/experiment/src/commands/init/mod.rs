//! `init`: a commented config for data that the user has. Each kind of data has a file that recognises it and says what
//! the config should be (`Recipe`); `compose` writes the text.

mod compose;
mod features;
mod images;
mod sizes;
mod texts;

use crate::error::{ExperimentError, Result};
use compose::compose;
use features::{recipe_for_features, recognise_features};
use images::{images_of_repository, recipe_for_images, recognise_images};
use std::path::Path;
use texts::{recipe_for_texts, recognise_table};

/// A commented config for a folder of images, of idx files, of parquet files, of features or of tables, for a table of
/// texts, or for a hub repository (`owner/name`).
///
/// # Errors
/// A folder in which nothing is recognised, a file that is no table of texts, or a name that is neither a path nor a
/// repository's.
pub fn init_config(source: &str) -> Result<String> {
    let path = Path::new(source);
    if let Some(table) = recognise_table(path)? {
        return Ok(compose(&recipe_for_texts(&table)));
    }
    let images = if path.is_dir() {
        if let Some(found) = recognise_features(path)? {
            return Ok(compose(&recipe_for_features(&found)?));
        }
        recognise_images(path)?
    } else if path.exists() {
        return Err(ExperimentError::BadData(anyhow::anyhow!(
            "{source}: not a kind of file that is recognised; expected a table of texts (csv, tsv, json, jsonl, ndjson, also \
             with .gz)\n  hint: give the folder of image folders, parquet files or features, not one of its files"
        )));
    } else if is_repository_name(source) {
        images_of_repository(source)
    } else {
        let hint = "give a folder, a table of texts, or a hub repository as owner/name";
        return Err(ExperimentError::Usage(format!("{source}: no such folder or table\n  hint: {hint}")));
    };
    Ok(compose(&recipe_for_images(&images)))
}

/// A name with such an ending is a file that is not there, not a repository.
const FILE_ENDINGS: [&str; 11] =
    [".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".gz", ".txt", ".npy", ".parquet", ".zip", ".png"];

fn is_repository_name(source: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_file_name = FILE_ENDINGS.iter().any(|ending| source.to_lowercase().ends_with(ending));
    source.split_once('/').is_some_and(|(owner, name)| is_word(owner) && is_word(name))
        && !source.starts_with('.')
        && !is_file_name
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
}
