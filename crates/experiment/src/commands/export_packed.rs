//! `export --to html` and `--to c`: a model with its weights in few bits, as a page or as C source.

use super::export::check_is_folder;
use crate::error::{Result, unreadable_model};
use crate::export::examples::examples_of_path;
use crate::export::{export_error, most_bits};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_export::{PageOptions, write_c_folder, write_page_folder};
use stillhouse_models::load_model;
use stillhouse_train::Device;

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
}

/// What is exported and how.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedOptions {
    /// the folder to write
    pub out: PathBuf,
    /// what to write
    pub form: PackedForm,
    /// bits of a weight at most, 2 to 8, or 32 for weights as the model has them; 8 where none are chosen
    pub bits: Option<u8>,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PackedOutcome {
    /// the folder that was written
    pub out: PathBuf,
    /// each file with its bytes
    pub files: Vec<(String, u64)>,
    /// what of the examples a page has no room for
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl fmt::Display for PackedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, n_bytes) in &self.files {
            writeln!(f, "{file}: {n_bytes} bytes")?;
        }
        self.note.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
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
    let (out, bits) = (&options.out, most_bits(options.bits));
    let mut note = None;
    let files = match &options.form {
        PackedForm::Page { examples: path } => {
            let mut examples = Vec::new();
            if let Some(path) = path {
                (examples, note) = examples_of_path(path, &model)?;
            }
            write_page_folder(out, &model, &card, &PageOptions { bits, title: None, examples })
        }
        PackedForm::C => write_c_folder(out, &model, &card, bits),
    };
    Ok(PackedOutcome { out: out.clone(), files: files.map_err(|error| export_error(out, error))?, note })
}
