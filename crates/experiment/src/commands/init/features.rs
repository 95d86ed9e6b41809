//! `init` for matrices of features: `.npy` and `.safetensors` files, whose shapes say which are features and which labels.
//!
//! Shapes: `N` examples, `F` features.

use super::compose::{Recipe, quoted};
use super::files::{Listed, file_name, listed};
use super::recognised::{Content, Counted, Recognised, in_words};
use super::sizes::{InputKind, sizes};
use crate::error::{ExperimentError, Result};
use std::io::Read;
use std::path::Path;
use stillhouse_data::{Source, split_in_name};

const ENDINGS: [&str; 3] = ["npy", "safetensors", "txt"];
/// Words in the names of files of labels.
const LABEL_WORDS: [&str; 8] = ["label", "labels", "y", "target", "targets", "class", "classes", "names"];

/// Words in the names of files of features.
const FEATURE_WORDS: [&str; 10] =
    ["x", "features", "feature", "emb", "embeddings", "embedding", "data", "inputs", "vectors", "matrix"];

/// A file with what its head says.
struct Part<'a> {
    path: &'a Path,
    split: Option<Source>,
    /// Name and shape of each array; a `.npy` file has one without a name.
    arrays: Vec<(String, Vec<u64>)>,
    is_named_labels: bool,
    /// Words of its name that say neither the split nor that it is features: another matrix, where there is one without.
    n_other_words: usize,
}

/// Recognises a folder with `train_features.npy`, `train.npy`, `X_train.npy` or another name that says the split, and labels for
/// each matrix.
///
/// # Errors
/// A training matrix without its labels or without a test matrix.
pub(super) fn in_folder(folder: &Path, listing: &Listed) -> Result<Option<Recognised>> {
    let parts: Vec<Part<'_>> = listing.files.iter().filter_map(|file| Part::of(file)).collect();
    if !parts.iter().any(|part| part.matrix().is_some()) {
        return Ok(None);
    }
    let refused = |found: String, expected: &str| {
        ExperimentError::BadData(anyhow::anyhow!("{}: found {found}, expected {expected}", folder.display()))
    };
    let names = || {
        let paths: Vec<&Path> = parts.iter().map(|part| part.path).collect();
        listed(&paths)
    };
    let matrix_of = |split: Source| {
        let matrices = parts.iter().filter(|part| part.split == Some(split) && part.matrix().is_some());
        matrices.min_by_key(|part| part.n_other_words)
    };
    let labels_of = |split: Source| {
        let mut found: Vec<&Part<'_>> =
            parts.iter().filter(|part| part.split == Some(split) && part.labels().is_some()).collect();
        found.sort_by_key(|part| !part.is_named_labels);
        found.first().copied()
    };
    let find = |split: Source, word: &str| {
        let matrix = matrix_of(split).ok_or_else(|| {
            refused(
                format!("no matrix of the {word} split among {}", names()),
                &format!("a file like {word}_features.npy"),
            )
        })?;
        let labels = labels_of(split).ok_or_else(|| {
            let found = format!("{}, but no labels for it", file_name(matrix.path));
            refused(found, &format!("a file like {word}_labels.npy or {word}_labels.txt"))
        })?;
        Ok::<_, ExperimentError>((matrix, labels))
    };
    let (train, train_labels) = find(Source::Train, "train")?;
    let (test, test_labels) = find(Source::Test, "test")?;
    let files = [("train", train), ("train_labels", train_labels), ("test", test), ("test_labels", test_labels)];
    let line = |(key, part): (&str, &Part<'_>)| format!("{key} = {}", quoted(&part.path.display().to_string()));
    let mut lines = vec!["kind = \"features\"".to_owned()];
    lines.extend(files.map(line));
    // a file with several tensors: the one that can be features, or labels
    lines.extend(train.tensor_line("tensor", Part::matrix));
    lines.extend(train_labels.tensor_line("label_tensor", Part::labels));
    let used: Vec<&Path> = files.iter().map(|(_, part)| part.path).collect();
    let left = parts.iter().map(|part| part.path).filter(|path| !used.contains(path)).map(Path::to_owned);
    Ok(Some(Recognised {
        content: Content::Features,
        place: in_words(folder),
        data: lines.join("\n"),
        notes: Vec::new(),
        others: left.collect(),
    }))
}

impl<'a> Part<'a> {
    fn of(path: &'a Path) -> Option<Self> {
        let name = file_name(path).to_lowercase();
        let (stem, ending) = name.rsplit_once('.')?;
        if !ENDINGS.contains(&ending) {
            return None;
        }
        let words: Vec<&str> = stem.split(|c: char| !c.is_alphanumeric()).collect();
        // `xtrain` and `ytest` are as usual as `x_train`
        let glued = |letter: char| words.iter().find_map(|word| split_in_name(word.strip_prefix(letter)?));
        let (of_x, of_y) = (glued('x'), glued('y'));
        let is_named_labels = of_y.is_some() || words.iter().any(|word| LABEL_WORDS.contains(word));
        let arrays = match ending {
            "npy" => vec![(String::new(), npy_shape(&head(path)?)?)],
            "safetensors" => tensor_shapes(&head(path)?)?,
            _ if is_named_labels => vec![(String::new(), vec![1])],
            _ => return None,
        };
        let says_nothing = |word: &&&str| {
            !word.is_empty()
                && split_in_name(word).is_none()
                && !FEATURE_WORDS.contains(*word)
                && word.strip_prefix('x').and_then(split_in_name).is_none()
        };
        let n_other_words = words.iter().filter(says_nothing).count();
        Some(Self { path, split: split_in_name(stem).or(of_x).or(of_y), arrays, is_named_labels, n_other_words })
    }

    /// The array that can be features: `[N, F]`.
    fn matrix(&self) -> Option<&str> {
        let is_matrix = |shape: &[u64]| matches!(shape, [_, width] if *width > 1);
        self.arrays.iter().find(|(_, shape)| is_matrix(shape)).map(|(name, _)| name.as_str())
    }

    /// The array that can be labels: `[N]` or `[N, 1]`.
    fn labels(&self) -> Option<&str> {
        self.arrays.iter().find(|(_, shape)| matches!(shape[..], [_] | [_, 1])).map(|(name, _)| name.as_str())
    }

    fn tensor_line(&self, key: &str, choose: impl Fn(&Self) -> Option<&str>) -> Option<String> {
        let name = choose(self).filter(|_| self.arrays.len() > 1)?;
        Some(format!("{key} = {}", quoted(name)))
    }
}

/// The first bytes of a file: its head, where that is not longer than any that is written by honest programs.
fn head(path: &Path) -> Option<Vec<u8>> {
    const N_BYTES: u64 = 1 << 20;
    let mut bytes = Vec::new();
    stillhouse_files::open(path).ok()?.take(N_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The shape that the head of a `.npy` file names. What is not understood is left to the reader, which says why.
fn npy_shape(head: &[u8]) -> Option<Vec<u64>> {
    let text = String::from_utf8_lossy(&head[..head.len().min(4096)]).into_owned();
    let (_, shape) = text.split_once("'shape':")?;
    let (shape, _) = shape.split_once('(')?.1.split_once(')')?;
    shape.split(',').map(str::trim).filter(|size| !size.is_empty()).map(|size| size.parse().ok()).collect()
}

/// Names and shapes of the tensors of a `.safetensors` file, in the order of their names.
fn tensor_shapes(head: &[u8]) -> Option<Vec<(String, Vec<u64>)>> {
    let length = usize::try_from(u64::from_le_bytes(head.get(..8)?.try_into().ok()?)).ok()?;
    let header: serde_json::Value = serde_json::from_slice(head.get(8..length.checked_add(8)?)?).ok()?;
    let shape = |tensor: &serde_json::Value| -> Option<Vec<u64>> {
        tensor["shape"].as_array()?.iter().map(serde_json::Value::as_u64).collect()
    };
    let tensors = header.as_object()?.iter().filter(|(name, _)| *name != "__metadata__");
    tensors.map(|(name, tensor)| Some((name.clone(), shape(tensor)?))).collect()
}

/// The config for features.
pub(super) fn recipe(found: &Recognised, counted: Option<&Counted>) -> Recipe {
    const VALID: &str =
        "valid_fraction = 0.1                   # carved from train; the test split is read once, by the evaluation";
    let (n_training, n_classes) = counted.map(|counted| (counted.n_training, counted.n_classes)).unzip();
    let about = match counted {
        Some(Counted { n_training, n_classes, .. }) => {
            format!("{n_training} examples of {n_classes} classes, as features, in {}.", found.place)
        }
        None => format!("Features in {}.", found.place),
    };
    Recipe {
        about,
        has_preview: false,
        data: format!("{}\n{VALID}", found.data),
        augment: "",
        generalist: r#"{ kind = "mlp", widths = [256, 256], dropout = 0.3, input_dropout = 0.1 }"#.to_owned(),
        pretrained: String::new(),
        student: r#"{ kind = "mlp", widths = [256] }"#.to_owned(),
        optimizer: r#"{ kind = "adamw", weight_decay = 1e-4 }"#,
        peak_learning_rate: 1e-2,
        temperature: 2.0,
        sizes: sizes(n_training, n_classes, InputKind::Features),
    }
}
