//! `init` for images.

use super::compose::{Recipe, quoted};
use super::files::{Listed, file_name};
use super::recognised::{Content, Counted, Recognised, in_words};
use super::sizes::{InputKind, sizes};
use crate::error::Result;
use std::path::{Path, PathBuf};
use stillhouse_data::{Source, image_sizes, split_in_name};

/// Recognises a folder of idx files. EMNIST's images lie on their side.
pub(super) fn in_idx_files(folder: &Path, listing: &Listed) -> Option<Recognised> {
    let images = listing.files.iter().map(|file| file_name(file)).find(|name| name.contains("idx3-ubyte"))?;
    let transpose = match images.to_lowercase().starts_with("emnist") {
        true => "\ntranspose = true                       # rows and columns are exchanged in the files of EMNIST",
        false => "",
    };
    Some(Recognised {
        content: Content::Images,
        place: format!("idx files in {}", in_words(folder)),
        data: format!("kind = \"idx\"\npath = {}{transpose}", quoted(&folder.display().to_string())),
        notes: Vec::new(),
        others: Vec::new(),
    })
}

/// Recognises `train/<class>/` or `<class>/` with images in each.
///
/// # Errors
/// A folder that cannot be listed.
pub(super) fn in_folders(folder: &Path, listing: &Listed) -> Result<Option<Recognised>> {
    let train = listing.folders.iter().find(|path| split_in_name(&file_name(path)) == Some(Source::Train));
    let classes = match train {
        Some(train) => Listed::of(train)?.folders,
        None => listing.folders.clone(),
    };
    let files: Vec<PathBuf> =
        classes.iter().map(|class| Ok(Listed::of(class)?.files)).collect::<Result<Vec<_>>>()?.concat();
    let sizes = image_sizes(&files);
    if classes.len() < 2 || sizes.is_empty() {
        return Ok(None);
    }
    Ok(Some(Recognised {
        content: Content::Images,
        place: format!("one folder for each class, in {}", in_words(folder)),
        data: format!(
            "kind = \"image_folder\"\npath = {}\n{}\nchannels = 3                           # 1 for grey",
            quoted(&folder.display().to_string()),
            size_line(input_size(&sizes))
        ),
        notes: Vec::new(),
        others: Vec::new(),
    }))
}

pub(super) fn size_line([height, width]: [usize; 2]) -> String {
    format!("size = [{height}, {width}]                        # height, width; every image is resized to it")
}

/// The median height and width, scaled down to what two cores can train on; no side is shorter than what the networks can
/// halve three times.
pub(super) fn input_size(found: &[[usize; 2]]) -> [usize; 2] {
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

/// A name with such an ending is a file that is not there, not a repository.
const FILE_ENDINGS: [&str; 11] =
    [".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".gz", ".txt", ".npy", ".parquet", ".zip", ".png"];

/// Images of a hub repository, if the source is a name of one: `owner/name`.
pub(super) fn of_repository(source: &str) -> Option<Recognised> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let is_file_name = FILE_ENDINGS.iter().any(|ending| source.to_lowercase().ends_with(ending));
    let is_name = source.split_once('/').is_some_and(|(owner, name)| is_word(owner) && is_word(name))
        && !source.starts_with('.')
        && !is_file_name;
    is_name.then(|| Recognised {
        content: Content::Images,
        place: format!("the hub repository {source}"),
        data: format!(
            "kind = \"hub_images\"\nrepo = {}\nlabel = \"label\"                        # name of the label column",
            quoted(source)
        ),
        notes: Vec::new(),
        others: Vec::new(),
    })
}

/// The config for images.
pub(super) fn recipe(found: &Recognised, counted: Option<&Counted>) -> Recipe {
    const AUGMENT: &str = "augment = { kind = \"shift\", max_pixels = 2 }";
    let valid = match counted.is_some_and(|counted| counted.has_valid) {
        true => "",
        false => {
            "valid_fraction = 0.1                   # carved from train; the test split is read once, by the evaluation\n"
        }
    };
    let about = match counted {
        Some(Counted { n_training, n_classes, .. }) => {
            format!("{n_training} training images of {n_classes} classes: {}.", found.place)
        }
        None => format!("Images: {}.", found.place),
    };
    Recipe {
        about,
        has_preview: true,
        data: format!("{}\n{valid}", found.data).trim_end().to_owned(),
        augment: AUGMENT,
        generalist: r#"{ kind = "resnet", depth = 8, width = 16 }"#.to_owned(),
        pretrained: String::new(),
        student: r#"{ kind = "resnet", depth = 8, width = 12 }"#.to_owned(),
        optimizer: r#"{ kind = "sgd", momentum = 0.9, nesterov = true, weight_decay = 5e-3 }"#,
        peak_learning_rate: 0.1,
        temperature: 4.0,
        sizes: sizes(
            counted.map(|counted| counted.n_training),
            counted.map(|counted| counted.n_classes),
            InputKind::Images,
        ),
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
