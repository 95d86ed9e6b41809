//! The format of MNIST and its relatives: `idx` files of images and labels, gzipped or plain.
//!
//! Layout: a big-endian header (magic, number of items, then height and width for images), then one byte per value.
//! Shapes: `N` images, `H` height, `W` width; images are `[N, H, W]`.

use super::kind::DataKind;
use crate::found::{Found, Part};
use crate::images::{AugmentConfig, ImageExamples, Pixels, Target, digest_all};
use crate::labels::{LabelColumn, Numbering, RawLabels, read_names};
use crate::outline::Outline;
use crate::places::Places;
use crate::settings::default_valid_fraction;
use crate::store::Store;
use crate::{DataError, LoadContext, ProgressUnit};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};
use stillhouse_core::InputShape;

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;

/// Files of MNIST, Fashion-MNIST or EMNIST.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdxConfig {
    /// Folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte`, plain or with `.gz`; EMNIST's names (`emnist-<variant>-train-...`) are found too.
    pub path: PathBuf,
    /// Text file with the names of the classes, one per line; without it classes are called by their numbers.
    #[serde(default)]
    pub label_names: Option<PathBuf>,
    /// Whether to exchange rows and columns of each image, as EMNIST's files need to be looked at.
    #[serde(default)]
    pub transpose: bool,
    /// Part of each class's training examples that is held out for validation.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
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

    /// The header of the training images and the training labels are read.
    fn outline(&self, _context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let folder = IdxFolder::open(&self.path)?;
        let images = folder.find(&["train"], "images", 3)?;
        let dims = read_dims(&images, &read_head(&images, header_len(IMAGES_MAGIC))?, IMAGES_MAGIC, "images")?;
        let (height, width) = if self.transpose { (dims[2], dims[1]) } else { (dims[1], dims[2]) };
        let labels = read_labels(&folder.find(&["train"], "labels", 1)?)?;
        let names = self.label_names.as_deref().map(read_names).transpose()?;
        let shape = InputShape::Image { channels: 1, height, width };
        Ok(Outline::whole(shape, Numbering::new(&labels, names)?.names().to_vec()))
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let folder = IdxFolder::open(&self.path)?;
        if let Some((split, prefixes)) = folder.only_split().filter(|_| context.is_measured) {
            return self.read_one(&folder, split, prefixes, context);
        }
        let (train_images, train_labels) = folder.read(TRAIN.0, TRAIN.1, self, context)?;
        let (test_images, test_labels) = folder.read(TEST.0, TEST.1, self, context)?;
        if (train_images.height, train_images.width) != (test_images.height, test_images.width) {
            return Err(DataError::invalid(
                &test_images.path,
                format!("images of {} x {} pixels", test_images.height, test_images.width),
                format!("{} x {}, as in the training images", train_images.height, train_images.width),
            ));
        }
        let names = self.label_names.as_deref().map(read_names).transpose()?;
        let numbering = Numbering::new(&train_labels, names)?;
        let part = |images: IdxImages, labels: &LabelColumn| -> Result<Part, DataError> {
            let classes = numbering.classes(labels)?;
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
            valid: None,
            test: Some(part(test_images, &test_labels)?),
            valid_fraction: self.valid_fraction,
            salt: String::new(),
        })
    }
}

impl IdxConfig {
    /// The one split of a folder without the other.
    fn read_one(
        &self,
        folder: &IdxFolder,
        split: &str,
        prefixes: &[&str],
        context: &LoadContext<'_>,
    ) -> Result<Found, DataError> {
        let (images, labels) = folder.read(split, prefixes, self, context)?;
        let names = self.label_names.as_deref().map(read_names).transpose()?;
        let numbering = Numbering::new(&labels, names)?;
        let classes = numbering.classes(&labels)?;
        Ok(Found {
            name: folder.name(),
            path: images.path.clone(),
            labels: numbering.names().to_vec(),
            provenance: vec![(format!("{split} images"), images.path.display().to_string())],
            train: Part { store: Store::Images(images.into_examples(self.augment.clone())), classes },
            valid: None,
            test: None,
            valid_fraction: self.valid_fraction,
            salt: String::new(),
        })
    }
}

/// A split, and the words for it in names of files.
type SplitWords = (&'static str, &'static [&'static str]);
const TRAIN: SplitWords = ("train", &["train"]);
const TEST: SplitWords = ("test", &["t10k", "test"]);

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

    /// The split whose files are there, where those of the other are not.
    fn only_split(&self) -> Option<SplitWords> {
        let is_there = |split: &SplitWords| self.find(split.1, "images", 3).is_ok();
        match (is_there(&TRAIN), is_there(&TEST)) {
            (true, false) => Some(TRAIN),
            (false, true) => Some(TEST),
            _ => None,
        }
    }

    fn read(
        &self,
        split: &str,
        prefixes: &[&str],
        config: &IdxConfig,
        context: &LoadContext<'_>,
    ) -> Result<(IdxImages, LabelColumn), DataError> {
        context.check_interrupted()?;
        let images_path = self.find(prefixes, "images", 3)?;
        let labels_path = self.find(prefixes, "labels", 1)?;
        let size = std::fs::metadata(&images_path).map(|data| data.len()).ok();
        context.progress.start(&format!("reading the {split} images"), size, ProgressUnit::Bytes);
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
    fn find(&self, prefixes: &[&str], what: &str, n_dims: usize) -> Result<PathBuf, DataError> {
        let is_wanted = |name: &str| {
            let plain = name.strip_suffix(".gz").unwrap_or(name);
            let stem = ["-", "."].iter().find_map(|dot| plain.strip_suffix(&format!("-{what}{dot}idx{n_dims}-ubyte")));
            stem.is_some_and(|stem| prefixes.contains(&stem.rsplit('-').next().unwrap_or(stem)))
        };
        let mut found: Vec<&String> = self.names.iter().filter(|name| is_wanted(name)).collect();
        if found.len() == 2 && *found[1] == format!("{}.gz", found[0]) {
            found.pop();
        }
        match found[..] {
            [name] => Ok(self.path.join(name)),
            [] => Err(DataError::invalid(
                &self.path,
                format!("no {what} file of the {} split", prefixes[0]),
                format!("`{}-{what}-idx{n_dims}-ubyte`, plain or with `.gz`", prefixes[0]),
            )),
            [first, second, ..] => Err(DataError::invalid(
                &self.path,
                format!("`{first}` and `{second}`"),
                format!("a single {what} file of the {} split", prefixes[0]),
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
        let (dims, pixels) = read_idx(path, IMAGES_MAGIC, "images")?;
        if dims[1] == 0 || dims[2] == 0 {
            let found = format!("images of {} x {} pixels", dims[1], dims[2]);
            return Err(DataError::invalid(path, found, "at least one pixel"));
        }
        Ok(Self { path: path.to_owned(), height: dims[1], width: dims[2], pixels })
    }

    fn len(&self) -> usize {
        self.pixels.len() / (self.height * self.width)
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
        let digests = digest_all(&self.pixels, target.n_bytes(), target.channels);
        ImageExamples { target, pixels: Pixels::Resident(self.pixels), digests, augment }
    }
}

fn read_labels(path: &Path) -> Result<LabelColumn, DataError> {
    let (_, labels) = read_idx(path, LABELS_MAGIC, "labels")?;
    let labels = RawLabels::Numbers(labels.into_iter().map(i64::from).collect());
    Ok(LabelColumn { labels, places: Places::of_file(path, "item", 0) })
}

/// Reads a file whose magic says unsigned bytes and the number of dimensions; checks its length to the byte.
fn read_idx(path: &Path, magic: u32, what: &str) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let bytes = read_plain_or_gz(path)?;
    let dims = read_dims(path, &bytes, magic, what)?;
    let header_len = header_len(magic);
    let expected = dims.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim));
    match expected.and_then(|size| size.checked_add(header_len)) {
        Some(expected) if expected == bytes.len() => Ok((dims, bytes[header_len..].to_vec())),
        Some(expected) => Err(cut_off(path, bytes.len(), expected, &format!("for dimensions {dims:?}"))),
        None => Err(DataError::invalid(path, format!("dimensions {dims:?}"), "dimensions that fit into memory")),
    }
}

/// Bytes of the magic and of the dimensions, whose number is the magic's last byte.
fn header_len(magic: u32) -> usize {
    4 + 4 * (magic & 0xff) as usize
}

/// The dimensions that the head of a file names.
fn read_dims(path: &Path, bytes: &[u8], magic: u32, what: &str) -> Result<Vec<usize>, DataError> {
    let header_len = header_len(magic);
    let mut numbers = bytes.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
    match numbers.next() {
        Some(found) if found == magic && bytes.len() >= header_len => {}
        Some(found) if found != magic => {
            return Err(DataError::invalid(
                path,
                format!("magic number {found:#010x}"),
                format!("{magic:#010x}, an idx file of {what}"),
            ));
        }
        _ => return Err(cut_off(path, bytes.len(), header_len, "the header alone")),
    }
    Ok(numbers.take((magic & 0xff) as usize).map(|dim| dim as usize).collect())
}

fn cut_off(path: &Path, found: usize, expected: usize, why: &str) -> DataError {
    let error = DataError::invalid(path, format!("{found} bytes (unzipped)"), format!("{expected}, {why}"));
    if found < expected { error.hint("the file is cut off: fetch it again") } else { error }
}

/// The first bytes of a file, unzipped; fewer where it is shorter.
fn read_head(path: &Path, n_bytes: usize) -> Result<Vec<u8>, DataError> {
    let file = std::fs::File::open(path).map_err(DataError::io(path, "read"))?;
    let is_zipped = path.extension().is_some_and(|extension| extension == "gz");
    let source: Box<dyn Read> = if is_zipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut head = Vec::new();
    source.take(n_bytes as u64).read_to_end(&mut head).map_err(DataError::io(path, "read"))?;
    Ok(head)
}

fn read_plain_or_gz(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = std::fs::read(path).map_err(DataError::io(path, "read"))?;
    if path.extension().is_none_or(|extension| extension != "gz") {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    match MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain) {
        Ok(_) => Ok(plain),
        Err(error) => Err(DataError::invalid(path, format!("a gzip stream that breaks ({error})"), "a whole one")
            .hint("the file is cut off or damaged: fetch it again")),
    }
}
