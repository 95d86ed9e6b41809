//! The hash of n-grams for readers without this program: settings, JavaScript and Python.
//!
//! No tokenizer file can express it, and no operator of ONNX can: ids are computed outside of the network.

use super::json_file;
use crate::ExportError;
use serde::Serialize;
use stillhouse_core::Ngrams;
use stillhouse_models::{Model, TextInput};

#[derive(Serialize)]
struct Settings {
    n_buckets: usize,
    #[serde(flatten)]
    ngrams: Ngrams,
    /// what the hash must give, so that a reader can check itself
    golden: Golden,
}

#[derive(Serialize)]
struct Golden {
    text: &'static str,
    ids: Vec<u32>,
}

/// Letters of two bytes and a sign of four, capitals that change their length in lower case, tabs and spaces in a row.
const GOLDEN_TEXT: &str = "Où est\t ma  carte\u{a0}? \u{130}\u{3a3} \u{1f600} 7";

/// `ngrams.json`, `ngrams.mjs` and `ngrams.py`.
pub(super) fn files(model: &Model) -> Result<Vec<(&'static str, Vec<u8>)>, ExportError> {
    let Some(TextInput::Ngrams { ngrams, n_buckets }) = model.config().text_input() else {
        unreachable!("a model of plain texts reads n-grams")
    };
    let mut ids = Vec::new();
    ngrams.hash(GOLDEN_TEXT, n_buckets, &mut ids);
    let settings = Settings { n_buckets, ngrams, golden: Golden { text: GOLDEN_TEXT, ids } };
    Ok(vec![
        ("ngrams.json", json_file(&settings)?),
        // the page has the same hash
        ("ngrams.mjs", concat!(include_str!("../ngrams.js"), include_str!("files/module.mjs")).into()),
        ("ngrams.py", include_bytes!("files/ngrams.py").to_vec()),
    ])
}
