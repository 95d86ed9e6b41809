//! `init`: a commented config for data that the user has.

use super::init_texts::{compose_texts, recognise_table};
use crate::error::{ExperimentError, Result};
use std::path::{Path, PathBuf};

/// What was recognised at the source.
struct Recognised {
    /// lines of the `[data]` table
    data: String,
    /// one line for the head of the file
    about: String,
    n_classes: Option<usize>,
}

/// A commented config for a folder of images, of idx files, of parquet files or of tables, for a table of texts, or for a
/// hub repository (`owner/name`).
///
/// # Errors
/// A folder in which nothing is recognised, or a name that is neither a folder nor a repository's.
pub fn init_config(source: &str) -> Result<String> {
    let path = Path::new(source);
    if let Some(table) = recognise_table(path)? {
        return Ok(compose_texts(&table));
    }
    let recognised = if path.is_dir() {
        recognise_folder(path)?
    } else if is_repository_name(source) {
        hub_images(&format!("repo = {source:?}"), &format!("The hub repository {source}."))
    } else {
        let hint = "give a folder, a table of texts, or a hub repository as owner/name";
        return Err(ExperimentError::Usage(format!("{source}: no such folder or table\n  hint: {hint}")));
    };
    Ok(compose(&recognised))
}

fn is_repository_name(source: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    source.split_once('/').is_some_and(|(owner, name)| is_word(owner) && is_word(name)) && !source.starts_with('.')
}

fn recognise_folder(path: &Path) -> Result<Recognised> {
    let toml_path = format!("path = {:?}", path.display().to_string());
    let names: Vec<String> = entries(path)?.iter().map(|entry| file_name(entry)).collect();
    if names.iter().any(|name| name.contains("idx3-ubyte")) {
        let data = format!("kind = \"idx\"\n{toml_path}");
        return Ok(Recognised { data, about: format!("Images in idx files in {}.", path.display()), n_classes: None });
    }
    let train = path.join("train");
    if train.is_dir() {
        let class_folders = entries(&train)?.into_iter().filter(|entry| entry.is_dir());
        let n_classes = class_folders.filter(|entry| !file_name(entry).starts_with('.')).count();
        if n_classes >= 2 {
            let about = format!("Images of {n_classes} classes, one folder each, in {}.", path.display());
            let data = format!(
                "kind = \"image_folder\"\n{toml_path}\nsize = [32, 32]                        # height, width; every image is resized to it\nchannels = 3                           # 1 for grey"
            );
            return Ok(Recognised { data, about, n_classes: Some(n_classes) });
        }
    }
    if has_parquet(path)? {
        return Ok(hub_images(&toml_path, &format!("Images in parquet files in {}.", path.display())));
    }
    Err(ExperimentError::BadData(anyhow::anyhow!(
        "{}: nothing recognised, expected train/<class>/ folders of images, idx files, parquet files or tables (train.csv)\n  \
         hint: matrices of features are given by their four files, see `kind = \"features\"`",
        path.display()
    )))
}

fn hub_images(place: &str, about: &str) -> Recognised {
    let data =
        format!("kind = \"hub_images\"\n{place}\nlabel = \"label\"                        # name of the label column");
    Recognised { data, about: about.to_owned(), n_classes: None }
}

fn has_parquet(path: &Path) -> Result<bool> {
    for entry in entries(path)? {
        let found =
            if entry.is_dir() { has_parquet(&entry)? } else { entry.extension().is_some_and(|e| e == "parquet") };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let list =
        || -> std::io::Result<Vec<PathBuf>> { std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect() };
    let mut entries = list().map_err(|error| crate::error::file_error(path, "cannot be listed", error))?;
    entries.sort();
    Ok(entries)
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// Few and large clusters do best; about a dozen classes each, two at least.
pub(super) fn n_clusters(n_classes: Option<usize>) -> usize {
    const CLASSES_EACH: usize = 12;
    n_classes.map_or(2, |n_classes| (n_classes / CLASSES_EACH).clamp(2, 20))
}

fn compose(recognised: &Recognised) -> String {
    let Recognised { data, about, n_classes } = recognised;
    let n_clusters = n_clusters(*n_classes);
    format!(
        r#"# {about}
# Check    stillhouse check THIS_FILE
# Look     stillhouse data preview THIS_FILE
# Plan     stillhouse plan THIS_FILE
# Run      stillhouse run THIS_FILE
# Expect   (write here what you measured: accuracies, minutes, machine, date)
seed = 0

[data]
{data}
valid_fraction = 0.1                   # carved from train; the test split is read once, by the evaluation
augment = {{ kind = "shift", max_pixels = 2 }}

[generalist]                           # the big network that knows every class
model = {{ kind = "resnet", depth = 8, width = 32 }}
training = {{ n_epochs = 15, optimizer = {{ kind = "sgd", momentum = 0.9, nesterov = true, weight_decay = 5e-3 }}, schedule = {{ kind = "one_cycle", peak_learning_rate = 0.1 }} }}

[clustering]                           # which classes go to which specialist
affinity = "prediction_covariance"     # or "soft_confusion"
method = {{ kind = "k_means", n_clusters = {n_clusters} }}
coverage = 1                           # clusters that each class is in, at least

[specialists]                          # one network for each cluster, with a dustbin for all other classes
init = "generalist"                    # or "scratch"
training = {{ n_epochs = 6, optimizer = {{ kind = "sgd", momentum = 0.9, nesterov = true, weight_decay = 5e-3 }}, schedule = {{ kind = "one_cycle", peak_learning_rate = 0.03 }} }}

[merge]
rule = "exact"
gate = {{ kind = "all" }}

[student]                              # the small network that is shipped
model = {{ kind = "resnet", depth = 8, width = 12 }}
training = {{ n_epochs = 20, optimizer = {{ kind = "sgd", momentum = 0.9, nesterov = true, weight_decay = 5e-3 }}, schedule = {{ kind = "one_cycle", peak_learning_rate = 0.1 }} }}
distillation = {{ loss = {{ kind = "soft_cross_entropy", temperature = 4.0 }}, task_loss_weight = 0.1, distill_loss_weight = 0.9 }}
views = 4                              # augmented views of each example for which soft targets are stored
"#
    )
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
        assert!(images.contains("Images of 3 classes"));
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
    fn nothing_recognised_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = init_config(&folder.path().display().to_string()).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert_eq!(init_config("no-such-folder").unwrap_err().exit_code(), 2);
    }
}
