//! Tokenizers that the page can run: byte pair encoding on bytes, as this program trains it.

use crate::ExportError;
use serde_json::{Value, json};
use stillhouse_models::{Tokenizer, TokenizerError};

/// Vocabulary and merges as `tokens.js` reads them.
///
/// # Errors
/// A tokenizer with a part that `tokens.js` does not have.
pub(super) fn tokenizer(tokenizer: &Tokenizer, max_len: usize) -> Result<Value, ExportError> {
    let unreadable = |error: TokenizerError| ExportError::Unfit(error.to_string());
    let json = tokenizer.to_json().map_err(unreadable)?;
    let file: Value = serde_json::from_str(&json).map_err(|error| ExportError::Unfit(error.to_string()))?;
    let lowercase = lowercase(&file["normalizer"]).ok_or_else(|| unfit("normalizer", &file))?;
    let words = &file["pre_tokenizer"];
    if words["type"] != "ByteLevel" || words["add_prefix_space"] != false || words["use_regex"] != true {
        return Err(unfit("pre_tokenizer", &file));
    }
    if !file["post_processor"].is_null() {
        return Err(unfit("post_processor", &file));
    }
    if file["added_tokens"].as_array().is_some_and(|tokens| !tokens.is_empty()) {
        return Err(unfit("added_tokens", &file));
    }
    let is_absent =
        |key: &str| matches!(&file["model"][key], Value::Null | Value::Bool(false)) || file["model"][key] == "";
    let absent =
        ["dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"];
    if file["model"]["type"] != "BPE" || !absent.into_iter().all(is_absent) {
        return Err(unfit("model", &file));
    }
    let vocabulary = vocabulary(&file["model"]["vocab"]).ok_or_else(|| unfit("model", &file))?;
    let merges = file["model"]["merges"].as_array().into_iter().flatten().map(merge);
    let merges: Vec<String> = merges.collect::<Option<_>>().ok_or_else(|| unfit("model", &file))?;
    Ok(json!({ "max_len": max_len, "lowercase": lowercase, "vocabulary": vocabulary, "merges": merges }))
}

/// Whether texts are made lower case behind NFC; none for another normalizer.
fn lowercase(normalizer: &Value) -> Option<bool> {
    let parts: Vec<&str> = match normalizer["normalizers"].as_array() {
        Some(parts) => parts.iter().map(|part| part["type"].as_str()).collect::<Option<_>>()?,
        None => vec![normalizer["type"].as_str()?],
    };
    match parts.as_slice() {
        ["NFC"] => Some(false),
        ["NFC", "Lowercase"] => Some(true),
        _ => None,
    }
}

/// The tokens by their ids; none where an id is missing.
fn vocabulary(tokens: &Value) -> Option<Vec<String>> {
    let tokens = tokens.as_object()?;
    let mut by_id = vec![None; tokens.len()];
    for (token, id) in tokens {
        *by_id.get_mut(usize::try_from(id.as_u64()?).ok()?)? = Some(token.clone());
    }
    by_id.into_iter().collect()
}

/// The two sides of a merge with a space between them; in the letters of bytes no token has one.
fn merge(pair: &Value) -> Option<String> {
    match pair {
        Value::String(pair) => Some(pair.clone()),
        _ => Some(format!("{} {}", pair[0].as_str()?, pair[1].as_str()?)),
    }
}

fn unfit(part: &str, file: &Value) -> ExportError {
    let found = match &file[part]["type"] {
        Value::String(kind) => kind.clone(),
        _ => format!("{:.60}", file[part].to_string()),
    };
    ExportError::Unfit(format!(
        "the page cannot cut texts as this tokenizer does ({part}: {found}): it knows byte pair encoding as \
        `tokenizer = {{ kind = \"bpe\" }}` trains it\n  hint: --to onnx, whose folder has the tokenizer for other programs"
    ))
}
