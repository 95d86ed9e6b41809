//! `tokenizer.json` and `tokenizer_config.json`.

use super::json_file;
use crate::ExportError;
use serde_json::{Value, json};
use stillhouse_models::{Model, ModelError, TextInput};

/// Names that published tokenizers give to padding.
const PAD_NAMES: [&str; 2] = ["[PAD]", "<pad>"];

/// The tokenizer, and what the transformers libraries want to know besides.
pub(super) fn files(model: &Model) -> Result<Vec<(&'static str, Vec<u8>)>, ExportError> {
    let missing = || ExportError::Unfit("the model takes tokens and has no tokenizer".into());
    let tokenizer = model.tokenizer().ok_or_else(missing)?;
    let Some(TextInput::Tokens { max_len }) = model.config().text_input() else { return Err(missing()) };
    let text = tokenizer.to_json().map_err(ModelError::from)?;
    let parsed: Value = serde_json::from_str(&text)
        .map_err(|error| ExportError::Unfit(format!("the tokenizer cannot be written: {error}")))?;
    let unknown = unknown_token(&parsed);
    let pad = PAD_NAMES.iter().find(|name| has_token(&parsed, name)).map(|name| (*name).to_owned());
    let pad = pad.or_else(|| unknown.clone()).or_else(|| token_of_no_text(&parsed));
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_len,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": false,
    });
    for (key, token) in [("unk_token", unknown), ("pad_token", pad)] {
        if let Some(token) = token {
            config[key] = token.into();
        }
    }
    Ok(vec![("tokenizer.json", text.into_bytes()), ("tokenizer_config.json", json_file(&config)?)])
}

/// The token for what the vocabulary does not have: by its name, or in a unigram model by its number.
fn unknown_token(tokenizer: &Value) -> Option<String> {
    let model = &tokenizer["model"];
    let by_number = || model["vocab"][usize::try_from(model["unk_id"].as_u64()?).ok()?][0].as_str();
    model["unk_token"].as_str().or_else(by_number).map(str::to_owned)
}

fn has_token(tokenizer: &Value, name: &str) -> bool {
    let added = tokenizer["added_tokens"].as_array();
    let is_added = added.is_some_and(|tokens| tokens.iter().any(|token| token["content"] == name));
    let vocabulary = &tokenizer["model"]["vocab"];
    let is_listed = vocabulary.as_array().is_some_and(|tokens| tokens.iter().any(|token| token[0] == name));
    is_added || is_listed || vocabulary.get(name).is_some()
}

/// How a space begins a token in the letters of bytes.
const SPACE_LETTER: char = '\u{120}';

/// A token for padding, which is masked: any will do for the network. transformers cuts texts where this token is written, so it
/// is the longest one behind a space, whose letter and letters are in no text.
fn token_of_no_text(tokenizer: &Value) -> Option<String> {
    let vocabulary = tokenizer["model"]["vocab"].as_object()?;
    let behind_space = vocabulary.keys().filter(|token| token.starts_with(SPACE_LETTER));
    behind_space.max_by_key(|token| (token.len(), *token)).or_else(|| vocabulary.keys().max()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_are_found_in_every_form() {
        let words = json!({"model": {"unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1}}, "added_tokens": []});
        assert_eq!(unknown_token(&words).as_deref(), Some("[UNK]"));
        assert!(!has_token(&words, "[PAD]") && has_token(&words, "a"));
        let pieces = json!({"model": {"unk_id": 1, "vocab": [["<pad>", 0.0], ["<unk>", -1.0]]}});
        assert_eq!(unknown_token(&pieces).as_deref(), Some("<unk>"));
        assert!(has_token(&pieces, "<pad>"));
        let vocabulary = json!({"!": 0, "\u{120}": 1, "\u{120}the": 2, "\u{120}a": 3, "therefore": 4});
        let bytes = json!({"model": {"vocab": vocabulary}, "added_tokens": [{"content": "[PAD]"}]});
        assert_eq!((unknown_token(&bytes), token_of_no_text(&bytes).as_deref()), (None, Some("\u{120}the")));
        assert!(has_token(&bytes, "[PAD]"));
    }
}
