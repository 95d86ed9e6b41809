//! What is checked of a `tokenizer.json` before the library reads it: a file of somebody else may hold rules under which a
//! text grows beyond all memory, or tables that claim more than they hold. The library trusts both.

use super::bad_format;
use super::growth::Growth;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The parts of the file that are checked; of the others the library's own errors are told.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    model: Model,
}

#[derive(Default, Deserialize)]
struct Model {
    continuing_subword_prefix: Option<String>,
    max_input_chars_per_word: Option<u64>,
}

/// A special token of the post-processor, and its number.
pub(super) type SpecialId = (String, u64);

/// Normalizers, pre-tokenizers and post-processors, one after the other.
const MAX_STEPS: usize = 1000;
/// In words of `n` characters WordPiece looks up `n * n` pieces.
const MAX_CHARACTERS_PER_WORD: u64 = 1000;
/// Is copied in front of each piece that is looked up.
const MAX_PREFIX_BYTES: usize = 256;
/// What is added to a text, special tokens and prepended characters, cannot be longer than the longest text.
const MAX_ADDED: usize = 8192;

/// Checks the content of a file; returns the special tokens that it adds to texts.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(bytes: &[u8]) -> Result<Vec<SpecialId>, String> {
    let file: File = serde_json::from_slice(bytes).map_err(|error| bad_format(error).to_string())?;
    let normalizers = steps(&file.normalizer, "normalizers");
    let pre_tokenizers = steps(&file.pre_tokenizer, "pretokenizers");
    let processors = steps(&file.post_processor, "processors");
    let n_steps = normalizers.len() + pre_tokenizers.len() + processors.len();
    if n_steps > MAX_STEPS {
        return Err(format!(
            "{n_steps} steps of normalizer, pre_tokenizer and post_processor, expected up to {MAX_STEPS}"
        ));
    }
    let mut growth = Growth::default();
    normalizers.iter().try_for_each(|step| growth.normalizer(step))?;
    pre_tokenizers.iter().try_for_each(|step| growth.pre_tokenizer(step))?;
    growth.check(MAX_ADDED)?;
    check_model(&file.model)?;
    let mut special = Vec::new();
    processors.iter().try_for_each(|step| add_special(step, &mut special))?;
    match special.len() {
        n if n > MAX_ADDED => Err(format!("post_processor adds {n} special tokens, expected up to {MAX_ADDED}")),
        _ => Ok(special),
    }
}

/// The steps of a part, those of sequences in their place.
fn steps<'v>(part: &'v Value, list: &str) -> Vec<&'v Map<String, Value>> {
    let Value::Object(step) = part else { return Vec::new() };
    match step.get(list).and_then(Value::as_array) {
        Some(inner) => inner.iter().flat_map(|step| steps(step, list)).collect(),
        None => vec![step],
    }
}

fn check_model(model: &Model) -> Result<(), String> {
    let n_prefix_bytes = model.continuing_subword_prefix.as_ref().map_or(0, String::len);
    if n_prefix_bytes > MAX_PREFIX_BYTES {
        return Err(format!(
            "a continuing_subword_prefix of {n_prefix_bytes} bytes, expected up to {MAX_PREFIX_BYTES}"
        ));
    }
    match model.max_input_chars_per_word {
        Some(n) if n > MAX_CHARACTERS_PER_WORD => {
            Err(format!("max_input_chars_per_word is {n}, expected up to {MAX_CHARACTERS_PER_WORD}"))
        }
        _ => Ok(()),
    }
}

/// The special tokens that a post-processor adds to a single text, one entry for each time.
fn add_special(step: &Map<String, Value>, special: &mut Vec<SpecialId>) -> Result<(), String> {
    for key in ["cls", "sep"] {
        let pair = step.get(key).and_then(Value::as_array);
        if let Some([name, id]) = pair.map(Vec::as_slice) {
            special.extend(id.as_u64().map(|id| (name.as_str().unwrap_or(key).to_owned(), id)));
        }
    }
    let Some(template) = step.get("single").and_then(Value::as_array) else { return Ok(()) };
    let n_texts = template.iter().filter(|piece| piece.get("Sequence").is_some()).count();
    if n_texts != 1 {
        return Err(format!("the template \"single\" of post_processor has the text {n_texts} times, expected once"));
    }
    for piece in template.iter().filter_map(|piece| piece.get("SpecialToken")) {
        let name = piece.get("id").and_then(Value::as_str).unwrap_or_default();
        let Some(token) = step.get("special_tokens").and_then(|tokens| tokens.get(name)) else {
            return Err(format!(
                "the template \"single\" of post_processor names {name:?}, which special_tokens lacks"
            ));
        };
        let ids = token.get("ids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64);
        special.extend(ids.map(|id| (name.to_owned(), id)));
        if special.len() > MAX_ADDED {
            return Err(format!("post_processor adds more than {MAX_ADDED} special tokens"));
        }
    }
    Ok(())
}
