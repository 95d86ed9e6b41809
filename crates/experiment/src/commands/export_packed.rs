//! `export --to html`, `--to c` and `--to model`: a model with its weights in few bits, as a page, as C source, or as a model folder.

use super::export::{check_is_folder, export_error};
use crate::error::{ExperimentError, Result, model_folder_error, system_error, unreadable_model};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_core::InputShape;
use stillhouse_data::TextLines;
use stillhouse_export::graph::Graph;
use stillhouse_export::packed::PackedGraph;
use stillhouse_export::{Bits, PageExample, PageOptions, write_c_folder, write_page_folder};
use stillhouse_models::{Model, ModelCard, load_model, save_model};
use stillhouse_train::Device;

/// The file of a model folder whose size is told.
const WEIGHTS: &str = "model.safetensors";
/// Examples that a page offers; more would be a list to scroll.
const MAX_EXAMPLES: usize = 24;
/// A picture beyond this is no example but most of the page.
const MAX_PICTURE_BYTES: u64 = 256 << 10;
/// How names of image files end.
const IMAGE_ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// The form of an export of packed weights.
#[derive(Clone, Debug, PartialEq)]
pub enum PackedForm {
    /// one HTML file, with examples from a file of lines, an image file or a folder of images
    Page {
        /// where the examples are
        examples: Option<PathBuf>,
    },
    /// C99 source
    C,
    /// a model folder with the rounded weights, to measure them
    Model,
}

/// What is exported and how.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedOptions {
    /// the folder to write
    pub out: PathBuf,
    /// what to write
    pub form: PackedForm,
    /// bits of a weight
    pub bits: Bits,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PackedOutcome {
    /// the folder that was written
    pub out: PathBuf,
    /// each file with its bytes
    pub files: Vec<(String, u64)>,
    /// bits of a weight
    pub bits: u32,
}

impl fmt::Display for PackedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, n_bytes) in &self.files {
            writeln!(f, "{file}: {n_bytes} bytes")?;
        }
        write!(f, "{}", self.out.display())
    }
}

/// Writes a model with packed weights.
///
/// # Errors
/// A damaged model folder, a place that holds something else, examples that the model does not take, a tokenizer that a page
/// cannot run, or a disk that refuses. The place is then as it was.
pub fn export_packed(model_dir: &Path, options: &PackedOptions) -> Result<PackedOutcome> {
    check_is_folder(model_dir)?;
    let (model, card) = load_model(model_dir, &Device::Cpu).map_err(|error| unreadable_model(model_dir, &error))?;
    let PackedOptions { out, form, bits } = options;
    let files = match form {
        PackedForm::Page { examples } => {
            let examples = examples.as_deref().map_or(Ok(Vec::new()), |path| page_examples(path, &model))?;
            write_page_folder(out, &model, &card, &PageOptions { bits: *bits, examples })
        }
        PackedForm::C => write_c_folder(out, &model, &card, *bits),
        PackedForm::Model => return write_rounded_model(&model, &card, options),
    };
    let files = files.map_err(|error| export_error(out, error))?;
    Ok(PackedOutcome { out: out.clone(), files, bits: bits.count() })
}

fn write_rounded_model(model: &Model, card: &ModelCard, options: &PackedOptions) -> Result<PackedOutcome> {
    let PackedOptions { out, bits, .. } = options;
    let rounded = Graph::of(model).and_then(|graph| PackedGraph::of(graph, *bits).model(model));
    let rounded = rounded.map_err(|error| export_error(out, error))?;
    // the numbers of the card were measured before
    let note = ("rounded to".to_owned(), format!("{} bits, after the numbers here were measured", bits.count()));
    let mut card = card.clone();
    card.numbers.push(note);
    save_model(out, &rounded, &card).map_err(|error| model_folder_error(out, &error))?;
    let weights = out.join(WEIGHTS);
    let metadata = std::fs::metadata(&weights).map_err(|error| system_error(&weights, "cannot be read", &error))?;
    let files = vec![(WEIGHTS.to_owned(), metadata.len())];
    Ok(PackedOutcome { out: out.clone(), files, bits: bits.count() })
}

/// Lines of a file for texts and rows of numbers; an image file, or all images of a folder, for images.
fn page_examples(path: &Path, model: &Model) -> Result<Vec<PageExample>> {
    let examples = match model.input() {
        InputShape::Image { .. } => pictures(path)?,
        InputShape::Features { .. } | InputShape::Text {} | InputShape::Tokens { .. } => {
            let lines = TextLines::of_file(path)?.next_lines(MAX_EXAMPLES + 1)?;
            lines.into_iter().filter(|line| !line.trim().is_empty()).map(PageExample::Text).collect()
        }
    };
    if examples.is_empty() || examples.len() > MAX_EXAMPLES {
        let found =
            if examples.is_empty() { "no examples".to_owned() } else { format!("more than {MAX_EXAMPLES} examples") };
        return Err(ExperimentError::Usage(format!("{}: {found}, expected 1 to {MAX_EXAMPLES}", path.display())));
    }
    Ok(examples)
}

fn pictures(path: &Path) -> Result<Vec<PageExample>> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = stillhouse_files::entries(path).map_err(|error| system_error(path, "cannot be read", &error))?;
        files.retain(|file| has_image_ending(file));
        files.truncate(MAX_EXAMPLES + 1);
    }
    files.iter().map(|file| picture(file)).collect()
}

fn has_image_ending(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| IMAGE_ENDINGS.contains(&ending.as_str()))
}

fn picture(path: &Path) -> Result<PageExample> {
    let bytes = stillhouse_files::read(path).map_err(|error| system_error(path, "cannot be read", &error))?;
    if bytes.len() as u64 > MAX_PICTURE_BYTES {
        let problem = format!("{}: {} bytes, expected at most {MAX_PICTURE_BYTES}", path.display(), bytes.len());
        return Err(ExperimentError::Usage(format!(
            "{problem}\n  hint: examples are a part of the page; make the image smaller"
        )));
    }
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let media_type = match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, ..] => "image/jpeg",
        [b'R', b'I', b'F', b'F', ..] => "image/webp",
        [b'B', b'M', ..] => "image/bmp",
        _ => return Err(ExperimentError::Usage(format!("{}: no PNG, JPEG, WebP or BMP image", path.display()))),
    };
    Ok(PageExample::Picture { name, media_type: media_type.to_owned(), bytes })
}
