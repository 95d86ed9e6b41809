//! A folder of image files: `train/<class>/*`, optionally `valid/<class>/*` and `test/<class>/*`.

use super::kind::DataKind;
use crate::found::{Found, Part, by_split};
use crate::images::{AugmentConfig, EncodedImages, Loading, MAX_SIZE, Target, TargetSettings, read_header};
use crate::outline::Outline;
use crate::settings::default_valid_fraction;
use crate::store::Store;
use crate::{DataError, LoadContext};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::{ClassId, InputShape, Problem};

/// A folder of image files, one folder per class. The class is named by its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageFolderConfig {
    /// Folder with `train/<class>/*` and optionally `valid/<class>/*` and `test/<class>/*`: PNG, JPEG or WebP.
    /// Without `test` a tenth of each class is held out for it.
    pub path: PathBuf,
    /// `[height, width]` that every image is resized to (stretched where the aspect ratio differs); without it all
    /// images must have one size.
    #[serde(default)]
    #[schemars(inner(range(min = 1, max = MAX_SIZE)))]
    pub size: Option<[usize; 2]>,
    /// 1 (grey) or 3 (RGB).
    #[serde(default = "default_channels")]
    pub channels: usize,
    /// Part of each class's training examples that is held out for validation where there is no `valid` folder.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
    /// How training images are varied from view to view.
    #[serde(default)]
    pub augment: AugmentConfig,
}

fn default_channels() -> usize {
    3
}

impl ImageFolderConfig {
    fn target_settings(&self) -> TargetSettings {
        TargetSettings { size: self.size, channels: Some(self.channels) }
    }
}

impl DataKind for ImageFolderConfig {
    fn contradictions(&self) -> Vec<Problem> {
        self.target_settings().problems()
    }

    fn is_augmented(&self) -> bool {
        !self.augment.is_none()
    }

    fn paths(&self) -> Vec<&Path> {
        vec![&self.path]
    }

    fn given_input(&self) -> Option<InputShape> {
        self.target_settings().given()
    }

    /// The names of the folders and the headers of the images are read.
    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let (names, splits) = list_splits(self)?;
        let Target { height, width, channels } = resolve(self, &splits, context)?;
        Ok(Outline::whole(InputShape::Image { channels, height, width }, names))
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let (names, splits) = list_splits(self)?;
        let target = resolve(self, &splits, context)?;
        let mut loading = Loading::new(&self.augment, context);
        let mut parts = Vec::new();
        for Listed { split, classes, images, .. } in splits {
            let examples = loading.decode(images, target, &format!("the {split} images"))?;
            parts.push((split, Part { store: Store::Images(examples), classes }));
        }
        let [train, valid, test] = by_split(parts);
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Found {
            name: name.unwrap_or_else(|| "image_folder".to_owned()),
            path: self.path.clone(),
            labels: names,
            train: train.expect("the training split was listed above"),
            valid,
            test,
            valid_fraction: self.valid_fraction,
            provenance: vec![("folder".to_owned(), self.path.display().to_string())],
            salt: String::new(),
        })
    }
}

/// The names of the classes, and the splits that there are, the training split first.
fn list_splits(config: &ImageFolderConfig) -> Result<(Vec<String>, Vec<Listed>), DataError> {
    let train = list_split(&config.path, "train", None)?;
    let Some(train) = train else {
        return Err(DataError::invalid(&config.path, "no folder `train`", "`train/<class>/*`")
            .hint("move the folders of the classes into a folder named `train`"));
    };
    let names = train.names.clone();
    let valid = list_split(&config.path, "valid", Some(&names))?;
    let test = list_split(&config.path, "test", Some(&names))?;
    Ok((names, [Some(train), valid, test].into_iter().flatten().collect()))
}

fn resolve(config: &ImageFolderConfig, splits: &[Listed], context: &LoadContext<'_>) -> Result<Target, DataError> {
    config.target_settings().resolve(&splits.iter().map(|split| &split.images).collect::<Vec<_>>(), context)
}

/// The files of one split.
struct Listed {
    split: &'static str,
    /// Names of the classes in order.
    names: Vec<String>,
    classes: Vec<ClassId>,
    images: EncodedImages,
}

/// Lists a split, or finds that there is none. Classes are those of the training split where it is known.
fn list_split(root: &Path, split: &'static str, known: Option<&[String]>) -> Result<Option<Listed>, DataError> {
    let folder = root.join(split);
    if !root.is_dir() {
        return Err(DataError::invalid(root, "no such folder", "a folder with `train/<class>/*`"));
    }
    if !folder.is_dir() {
        return Ok(None);
    }
    let folders = list_visible(&folder)?;
    if let Some(stray) = folders.iter().find(|path| !path.is_dir()) {
        return Err(DataError::invalid(stray, "a file", format!("only folders, one per class, in `{split}`")));
    }
    let mut listed = Listed { split, names: Vec::new(), classes: Vec::new(), images: EncodedImages::Files(Vec::new()) };
    let mut paths = Vec::new();
    for class_folder in folders {
        let name = file_name(&class_folder)?;
        let class = match known {
            Some(names) => names.iter().position(|known| *known == name).ok_or_else(|| unknown_class(&class_folder))?,
            None => listed.names.len(),
        };
        let images = list_class(&class_folder, &name)?;
        listed.classes.extend(images.iter().map(|_| ClassId(class as u32)));
        paths.extend(images);
        listed.names.push(name);
    }
    listed.images = EncodedImages::Files(paths);
    Ok(Some(listed))
}

fn list_class(folder: &Path, name: &str) -> Result<Vec<PathBuf>, DataError> {
    let images = list_visible(folder)?;
    if images.is_empty() {
        return Err(DataError::invalid(folder, format!("class `{name}` without an image"), "at least one image")
            .hint("add images, or remove the empty folder"));
    }
    match images.iter().find(|path| path.is_dir()) {
        Some(nested) => Err(DataError::invalid(nested, "a folder", "only image files in the folder of a class")),
        None => Ok(images),
    }
}

fn unknown_class(folder: &Path) -> DataError {
    DataError::invalid(folder, "a class without training examples", "one of the classes in `train`")
}

/// Heights and widths by the headers of some of the files, evenly spaced; files that are no images are passed over.
pub fn image_sizes(files: &[PathBuf]) -> Vec<[usize; 2]> {
    const N_READ: usize = 200;
    let step = files.len().div_ceil(N_READ).max(1);
    let size = |path: &PathBuf| {
        let file = std::fs::File::open(path).ok()?;
        let header = read_header(std::io::BufReader::new(file)).ok()?;
        Some([header.height, header.width])
    };
    files.iter().step_by(step).filter_map(size).collect()
}

/// Entries in the order of their names, without hidden ones.
fn list_visible(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = stillhouse_files::entries(folder).map_err(DataError::io(folder, "list"))?;
    paths.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    Ok(paths)
}

fn file_name(path: &Path) -> Result<String, DataError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| DataError::invalid(path, "a name that is not UTF-8", "a class name in UTF-8"))
}
