//! A folder of image files: `train/<class>/*`, optionally `valid/<class>/*` and `test/<class>/*`; or `<class>/*` alone.
//!
//! | read | refused | noted |
//! |---|---|---|
//! | folders of splits by the words of `split_name.rs` (`Train`, `val`, `eval`, `train2017`) | two folders of one split; other splits without a training split (`evaluate` reads them) | folders and images that are in no split; `eval` taken for a split |
//! | `<class>/*` without a folder of a split: all splits are carved | no folder with images | that folders were taken for classes |
//! | folders whose names look the same, as one class | names that look the same and have letters of different alphabets; in other splits a class that training does not have | which folders were joined |
//! | images of one size, or of any size with `size` | different sizes without `size` | |
//! | PNG, JPEG, WebP and BMP by their content, whatever the name | other formats by their names, damaged images, images above 16384 pixels a side or 512 MiB | |
//! | transparent images, laid on `background` | | how many there are |
//! | 16 bits a channel, with all of them | | |
//! | | images in folders inside a class, in a split but in no class, classes without an image | files that are no images, and hidden images and folders of images |
//!
//! What systems leave behind (`Thumbs.db`, `.DS_Store`, `__MACOSX`) is passed over without a note.

use super::image_listing::{Listed, list_splits};
use super::kind::DataKind;
use crate::found::{Found, Part, by_split};
use crate::images::{AugmentConfig, Loading, MAX_SIZE, Target, TargetSettings, read_header};
use crate::outline::Outline;
use crate::settings::default_valid_fraction;
use crate::store::Store;
use crate::{DataError, LoadContext};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::InputShape;

/// A folder of image files, one folder per class. The class is named by its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageFolderConfig {
    /// Folder with `train/<class>/*` and optionally `valid/<class>/*` and `test/<class>/*`: PNG, JPEG, WebP or BMP.
    /// Without `test` a tenth of each class is held out for it. Folders `<class>/*` alone are training images.
    #[schemars(extend("examples" = ["data/images"]))]
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
    /// `[height, width]` that every image is resized to (stretched where the aspect ratio differs); without it all
    /// images must have one size.
    #[serde(default)]
    #[schemars(inner(range(min = 1, max = MAX_SIZE)))]
    pub size: Option<[usize; 2]>,
    /// 1 (grey) or 3 (RGB).
    #[serde(default = "default_channels")]
    #[schemars(extend("enum" = [1, 3]))]
    pub channels: usize,
    /// `[red, green, blue]` of what transparent images are laid on; without it white.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<[u8; 3]>,
    /// Part of each class's training examples that is held out for validation where there is no `valid` folder.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
    /// Part of each class's training examples that keep their labels, all of them by default. The others become examples without
    /// labels: teachers do not see them, and students learn what teachers say about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub labelled_fraction: Option<f64>,
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
    fn is_augmented(&self) -> bool {
        !self.augment.is_none()
    }

    fn paths(&self) -> Vec<&Path> {
        vec![&self.path]
    }

    fn given_input(&self) -> Option<InputShape> {
        self.target_settings().given()
    }

    fn unlabelled_keys(&self) -> &'static [&'static str] {
        &["path", "image"]
    }

    /// The names of the folders and the headers of the images are read.
    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let (names, splits) = list_splits(&self.path, context)?;
        let Target { height, width, channels } = resolve(self, &splits, context)?;
        Ok(Outline::whole(InputShape::Image { channels, height, width }, names))
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let (names, splits) = list_splits(&self.path, context)?;
        let target = resolve(self, &splits, context)?;
        let mut loading = Loading::new(&self.augment, self.background, context);
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
            labelled_fraction: self.labelled_fraction,
            provenance: vec![("folder".to_owned(), self.path.display().to_string())],
            salt: String::new(),
        })
    }
}

fn resolve(config: &ImageFolderConfig, splits: &[Listed], context: &LoadContext<'_>) -> Result<Target, DataError> {
    config.target_settings().resolve(&splits.iter().map(|split| &split.images).collect::<Vec<_>>(), context)
}

/// Heights and widths by the headers of some of the files, evenly spaced; files that are no images are passed over.
pub fn image_sizes(files: &[PathBuf]) -> Vec<[usize; 2]> {
    const N_READ: usize = 200;
    let step = files.len().div_ceil(N_READ).max(1);
    let size = |path: &PathBuf| {
        let file = stillhouse_files::open(path).ok()?;
        let header = read_header(std::io::BufReader::new(file)).ok()?;
        Some([header.height, header.width])
    };
    files.iter().step_by(step).filter_map(size).collect()
}
