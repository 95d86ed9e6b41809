//! The format of MNIST and its relatives: `idx` files of images and labels, gzipped or plain.
//!
//! | read | refused | noted |
//! |---|---|---|
//! | `train`, `t10k` or `test`, and `valid` files, by the words of `split_name.rs` | no file or two files of a split (`evaluate` reads a split alone) | files of no split |
//! | gzipped or plain by content, whatever the name | cut off, or longer than the header says; pointers of Git LFS | |
//! | unsigned bytes | other types and numbers of dimensions | |
//! | labels from 0 or 1 on | a gap, a label without a name, another number of labels than of images | names without an example |
//! | names one per line, or EMNIST's mapping: number and code points in each line | an empty line between names; names that are equal or look the same | that a mapping was read; names that count from 1 |
//! | EMNIST's images | | that they lie on their side without `transpose` |
//!
//! Layout: a big-endian header (magic, number of items, then height and width for images), then one byte per value.
//! Shapes: `N` images, `H` height, `W` width; images are `[N, H, W]`.

use super::idx_names::{IdxNames, read_idx_names};
use super::kind::DataKind;
use super::split_name::SplitName;
use crate::bytes;
use crate::found::{Found, Part};
use crate::images::{AugmentConfig, ImageExamples, Pixels, Target, digest_all};
use crate::labels::{LabelColumn, Numbering, RawLabels};
use crate::outline::Outline;
use crate::places::Places;
use crate::settings::default_valid_fraction;
use crate::store::Store;
use crate::words::listed;
use crate::{DataError, LoadContext, ProgressUnit};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, values_within};

/// Files of MNIST, Fashion-MNIST or EMNIST.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdxConfig {
    /// Folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte`, plain or with `.gz`; EMNIST's names (`emnist-<variant>-train-...`) are found too.
    #[schemars(extend("examples" = ["data/mnist"]))]
    #[schemars(extend("format" = "path"))]
    pub path: PathBuf,
    /// Text file with the names of the classes, one per line, or EMNIST's mapping of numbers to code points; without it classes
    /// are called by their numbers.
    #[serde(default)]
    #[schemars(extend("format" = "path"))]
    pub label_names: Option<PathBuf>,
    /// Whether to exchange rows and columns of each image, as EMNIST's files need to be looked at.
    #[serde(default)]
    pub transpose: bool,
    /// Part of each class's training examples that is held out for validation.
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

impl DataKind for IdxConfig {
    fn is_augmented(&self) -> bool {
        !self.augment.is_none()
    }

    fn paths(&self) -> Vec<&Path> {
        vec![&self.path]
    }

    fn unlabelled_keys(&self) -> &'static [&'static str] {
        &["path", "image"]
    }

    fn transposes_idx(&self) -> bool {
        self.transpose
    }

    /// The header of the training images and the training labels are read.
    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let folder = IdxFolder::open(&self.path)?;
        let images = folder.find_one(SplitName::Train, IMAGES)?;
        let dims = read_dims(&images, IMAGES)?;
        let (height, width) = if self.transpose { (dims[2], dims[1]) } else { (dims[1], dims[2]) };
        let labels = read_labels(&folder.find_one(SplitName::Train, LABELS)?)?;
        let shape = InputShape::Image { channels: 1, height, width };
        Ok(Outline::whole(shape, self.number(&labels, context)?.names().to_vec()))
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let folder = IdxFolder::open(&self.path)?;
        folder.tell(self, context);
        if let Some(split) = folder.only_split().filter(|_| context.is_measured) {
            return self.read_one(&folder, split, context);
        }
        let (train_images, train_labels) = folder.read(SplitName::Train, self, context)?;
        let valid = folder.has(SplitName::Valid).then(|| folder.read(SplitName::Valid, self, context)).transpose()?;
        let (test_images, test_labels) = folder.read(SplitName::Test, self, context)?;
        for images in valid.iter().map(|(images, _)| images).chain([&test_images]) {
            images.check_size(&train_images)?;
        }
        let numbering = self.number(&train_labels, context)?;
        let part = |images: IdxImages, labels: &LabelColumn| -> Result<Part, DataError> {
            let classes = numbering.classes(labels, context)?;
            Ok(Part { store: Store::Images(images.into_examples(self.augment.clone())), classes })
        };
        Ok(Found {
            name: folder.name(),
            path: self.path.clone(),
            labels: numbering.names().to_vec(),
            provenance: vec![
                ("training images".to_owned(), train_images.path.display().to_string()),
                ("test images".to_owned(), test_images.path.display().to_string()),
            ],
            train: part(train_images, &train_labels)?,
            valid: valid.map(|(images, labels)| part(images, &labels)).transpose()?,
            test: Some(part(test_images, &test_labels)?),
            valid_fraction: self.valid_fraction,
            labelled_fraction: self.labelled_fraction,
            salt: String::new(),
        })
    }
}

impl IdxConfig {
    /// The classes of the training labels. A mapping says which number is the first.
    fn number(&self, train: &LabelColumn, context: &LoadContext<'_>) -> Result<Numbering, DataError> {
        let names = self.label_names.as_deref().map(|path| read_idx_names(path, context)).transpose()?;
        match names {
            Some(IdxNames { names, first: Some(first) }) => Numbering::from_first(train, names, first, context),
            names => Numbering::new(train, names.map(|names| names.names), context),
        }
    }
}

impl IdxConfig {
    /// The one split of a folder without others.
    fn read_one(&self, folder: &IdxFolder, split: SplitName, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let (images, labels) = folder.read(split, self, context)?;
        let numbering = self.number(&labels, context)?;
        let classes = numbering.classes(&labels, context)?;
        Ok(Found {
            name: folder.name(),
            path: images.path.clone(),
            labels: numbering.names().to_vec(),
            provenance: vec![(format!("{} images", split.name()), images.path.display().to_string())],
            train: Part { store: Store::Images(images.into_examples(self.augment.clone())), classes },
            valid: None,
            test: None,
            valid_fraction: self.valid_fraction,
            labelled_fraction: self.labelled_fraction,
            salt: String::new(),
        })
    }
}

/// What a file holds.
#[derive(Clone, Copy)]
struct Content {
    noun: &'static str,
    magic: u32,
}

const IMAGES: Content = Content { noun: "images", magic: 0x0000_0803 };
const LABELS: Content = Content { noun: "labels", magic: 0x0000_0801 };

impl Content {
    /// The last byte of the magic.
    fn n_dims(self) -> usize {
        (self.magic & 0xff) as usize
    }

    /// Bytes of the magic and of the dimensions.
    fn header_len(self) -> usize {
        4 + 4 * self.n_dims()
    }

    /// The part of a file's name before its content, where the name is that of such a file.
    fn stem(self, name: &str) -> Option<&str> {
        let plain = name.strip_suffix(".gz").unwrap_or(name);
        let (noun, n_dims) = (self.noun, self.n_dims());
        ["-", "."].iter().find_map(|dot| plain.strip_suffix(&format!("-{noun}{dot}idx{n_dims}-ubyte")))
    }

    /// The split of a file's name, where it is one of these files.
    fn split(self, name: &str) -> Option<SplitName> {
        let word = self.stem(name)?.rsplit('-').next()?;
        // MNIST's test files have the name of the old data set's part
        if word == "t10k" { Some(SplitName::Test) } else { SplitName::of_word(word) }
    }
}

/// The files of a folder, by name.
struct IdxFolder {
    path: PathBuf,
    names: Vec<String>,
}

impl IdxFolder {
    fn open(path: &Path) -> Result<Self, DataError> {
        let entries = stillhouse_files::entries(path).map_err(DataError::io(path, "list"))?;
        let name = |path: PathBuf| path.file_name()?.to_str().map(str::to_owned);
        let names = entries.into_iter().filter_map(name).collect();
        Ok(Self { path: path.to_owned(), names })
    }

    fn name(&self) -> String {
        self.path.file_name().map_or_else(|| "idx".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// Notes files of no split, and images that lie on their side.
    fn tell(&self, config: &IdxConfig, context: &LoadContext<'_>) {
        let place = self.path.display();
        let is_unknown = |content: Content, name: &str| content.stem(name).is_some() && content.split(name).is_none();
        let unknown: Vec<&String> =
            self.names.iter().filter(|name| is_unknown(IMAGES, name) || is_unknown(LABELS, name)).collect();
        if !unknown.is_empty() {
            context.note(format!("{place}: left out, because the name says no split: {}", listed(&unknown)));
        }
        let is_emnist = |name: &String| IMAGES.stem(name).is_some_and(|stem| stem.starts_with("emnist"));
        if !config.transpose && self.names.iter().any(is_emnist) {
            context.note(format!(
                "{place}: EMNIST's files have rows and columns exchanged; transpose = true turns the images upright"
            ));
        }
    }

    /// The split whose files are there, where those of all others are not.
    fn only_split(&self) -> Option<SplitName> {
        let mut found =
            [SplitName::Train, SplitName::Valid, SplitName::Test].into_iter().filter(|split| self.has(*split));
        found.next().filter(|_| found.next().is_none())
    }

    fn has(&self, split: SplitName) -> bool {
        self.names.iter().any(|name| IMAGES.split(name) == Some(split))
    }

    fn read(
        &self,
        split: SplitName,
        config: &IdxConfig,
        context: &LoadContext<'_>,
    ) -> Result<(IdxImages, LabelColumn), DataError> {
        context.check_interrupted()?;
        let images_path = self.find_one(split, IMAGES)?;
        let labels_path = self.find_one(split, LABELS)?;
        let size = std::fs::metadata(&images_path).map(|data| data.len()).ok();
        context.progress.start(&format!("reading the {} images", split.name()), size, ProgressUnit::Bytes);
        let mut images = IdxImages::read(&images_path)?;
        context.progress.advance(size.unwrap_or(0));
        context.progress.finish();
        let labels = read_labels(&labels_path)?;
        if images.len() != labels.labels.len() {
            return Err(DataError::invalid(
                &labels_path,
                format!("{} labels", labels.labels.len()),
                format!("{}, one for each image of {}", images.len(), images_path.display()),
            ));
        }
        if config.transpose {
            images.transpose();
        }
        Ok((images, labels))
    }

    /// The one file of a split; the plain one where there is a gzipped one too.
    fn find_one(&self, split: SplitName, content: Content) -> Result<PathBuf, DataError> {
        let Content { noun, .. } = content;
        let mut found: Vec<&String> = self.names.iter().filter(|name| content.split(name) == Some(split)).collect();
        if found.len() == 2 && *found[1] == format!("{}.gz", found[0]) {
            found.pop();
        }
        match found[..] {
            [name] => Ok(self.path.join(name)),
            [] => {
                let word = match split {
                    SplitName::Train => "train",
                    SplitName::Valid => "valid",
                    SplitName::Test => "t10k",
                };
                let found = format!("no {noun} file of the {} split", split.name());
                let expected = format!("`{word}-{noun}-idx{}-ubyte`, plain or with `.gz`", content.n_dims());
                Err(DataError::invalid(&self.path, found, expected))
            }
            [first, second, ..] => Err(DataError::invalid(
                &self.path,
                format!("`{first}` and `{second}`"),
                format!("a single {noun} file of the {} split", split.name()),
            )
            .hint("put each variant into a folder of its own")),
        }
    }
}

/// Images `[N, H, W]`, one byte each.
struct IdxImages {
    path: PathBuf,
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl IdxImages {
    fn read(path: &Path) -> Result<Self, DataError> {
        let (dims, pixels) = read_idx(path, IMAGES)?;
        if dims[1] == 0 || dims[2] == 0 {
            let found = format!("images of {} x {} pixels", dims[1], dims[2]);
            return Err(DataError::invalid(path, found, "at least one pixel"));
        }
        Ok(Self { path: path.to_owned(), height: dims[1], width: dims[2], pixels })
    }

    fn len(&self) -> usize {
        self.pixels.len() / (self.height * self.width)
    }

    fn check_size(&self, train: &Self) -> Result<(), DataError> {
        if (train.height, train.width) == (self.height, self.width) {
            return Ok(());
        }
        Err(DataError::invalid(
            &self.path,
            format!("images of {} x {} pixels", self.height, self.width),
            format!("{} x {}, as in the training images", train.height, train.width),
        ))
    }

    fn transpose(&mut self) {
        let (height, width) = (self.height, self.width);
        for image in self.pixels.chunks_exact_mut(height * width) {
            let original = image.to_vec();
            for (position, pixel) in image.iter_mut().enumerate() {
                *pixel = original[(position % height) * width + position / height];
            }
        }
        (self.height, self.width) = (width, height);
    }

    fn into_examples(self, augment: AugmentConfig) -> ImageExamples {
        let target = Target { height: self.height, width: self.width, channels: 1 };
        let digests = digest_all(&self.pixels, target.n_values(), target.channels);
        ImageExamples::opaque(target, Pixels::Resident(self.pixels), digests, augment)
    }
}

/// Whether a file begins as one of images does, gzipped or plain.
pub(super) fn is_images(path: &Path) -> Result<bool, DataError> {
    let magic = IMAGES.magic.to_be_bytes();
    Ok(bytes::read_at_most(path, magic.len() as u64)? == magic)
}

/// Images without labels, which have to be of the size of the data's own.
pub(super) fn read_unlabelled(path: &Path, own: &ImageExamples, transpose: bool) -> Result<ImageExamples, DataError> {
    let mut images = IdxImages::read(path)?;
    if transpose {
        images.transpose();
    }
    let (found, expected) =
        ([images.height, images.width, 1], [own.target.height, own.target.width, own.target.channels]);
    match found == expected {
        true if images.len() > 0 => Ok(images.into_examples(own.augment.clone())),
        true => Err(DataError::invalid(path, "no image", "at least one")),
        false => {
            let shape =
                |[height, width, channels]: [usize; 3]| format!("{height} x {width} pixels of {channels} channel(s)");
            Err(DataError::invalid(path, shape(found), format!("{}, as the data has", shape(expected))))
        }
    }
}

fn read_labels(path: &Path) -> Result<LabelColumn, DataError> {
    let (_, labels) = read_idx(path, LABELS)?;
    let labels = RawLabels::Numbers(labels.into_iter().map(i64::from).collect());
    Ok(LabelColumn { labels, places: Places::of_file(path, "item", 0) })
}

/// Reads a file whose magic says unsigned bytes and the number of dimensions; checks its length to the byte.
fn read_idx(path: &Path, content: Content) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let dims = read_dims(path, content)?;
    let header_len = content.header_len();
    let n_values = values_within(&dims, 1, most_bytes(path)?).map_err(|error| {
        DataError::invalid(path, format!("dimensions of {error}"), "as many as the file can hold").hint(CUT_OFF)
    })?;
    let expected = header_len + n_values;
    // one byte more shows that there is more; how much more is nothing to wait for
    let mut bytes = bytes::read_at_most(path, expected as u64 + 1)?;
    let describe = |found: String| DataError::invalid(path, found, format!("{expected}, for dimensions {dims:?}"));
    match bytes.len() {
        found if found < expected => Err(describe(format!("{found} bytes (unzipped)")).hint(CUT_OFF)),
        found if found > expected => Err(describe(format!("more than {expected} bytes (unzipped)"))),
        _ => Ok((dims, bytes.split_off(header_len))),
    }
}

const CUT_OFF: &str = "the file is cut off or damaged: fetch it again";

/// Bytes that a file can hold, unzipped: gzip makes a byte of 1032 at most.
fn most_bytes(path: &Path) -> Result<u64, DataError> {
    const LARGEST_RATIO: u64 = 1032;
    let file = stillhouse_files::open(path).map_err(DataError::io(path, "read"))?;
    let length = file.metadata().map_err(DataError::io(path, "read"))?.len();
    Ok(length.saturating_mul(LARGEST_RATIO))
}

/// The dimensions that the head of a file names.
fn read_dims(path: &Path, content: Content) -> Result<Vec<usize>, DataError> {
    let Content { noun, magic } = content;
    let header_len = content.header_len();
    let head = bytes::read_at_most(path, header_len as u64)?;
    let mut numbers = head.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
    match numbers.next() {
        Some(found) if found == magic && head.len() == header_len => Ok(numbers.map(|dim| dim as usize).collect()),
        Some(found) if found != magic => Err(DataError::invalid(
            path,
            format!("magic number {found:#010x}"),
            format!("{magic:#010x}, an idx file of {noun}"),
        )),
        _ => {
            let found = format!("{} bytes (unzipped)", head.len());
            Err(DataError::invalid(path, found, format!("{header_len}, the header alone")).hint(CUT_OFF))
        }
    }
}
