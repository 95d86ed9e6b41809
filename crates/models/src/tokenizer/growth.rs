//! A bound on how much longer a text can become before it is cut into tokens.
//!
//! Rules are applied one after the other, and each may replace what an earlier one wrote. A byte of the text therefore
//! grows at most by the product of the factors along a chain of rules that feed each other: a rule for a fixed string is fed
//! by those whose replacement has a character of that string, any other rule by all before it.

use base64::Engine;
use serde_json::{Map, Value};

/// The bound so far.
#[derive(Default)]
pub(super) struct Growth {
    /// what each rule writes, where it is known, and the most that a byte of the text has grown by then
    rules: Vec<(Option<String>, f64)>,
    n_prepended: usize,
    n_metaspaces: usize,
}

/// A text may become this many times as long. Published tokenizers stay below 300: their tables of characters write up to
/// 33 bytes for one, and a space becomes three.
const MAX_FACTOR: f64 = 1024.0;
/// One is usual; each puts a character in front of each word.
const MAX_METASPACES: usize = 8;
/// The alphabet of bytes writes one or two for each.
const BYTE_LEVEL_FACTOR: f64 = 2.0;
/// Characters with which a regular expression may match nothing at all.
const MAY_MATCH_NOTHING: &[char] = &['*', '?', '{', '|', '^', '$', '(', '\\'];

impl Growth {
    /// Takes a step of the normalizer into account.
    ///
    /// # Errors
    /// A table of characters that is damaged.
    pub(super) fn normalizer(&mut self, step: &Map<String, Value>) -> Result<(), String> {
        if let Some(table) = step.get("precompiled_charsmap").and_then(Value::as_str) {
            let factor = longest_replacement(table)? as f64;
            self.rule(None, None, factor);
        } else if let (Some(pattern), Some(content)) = (step.get("pattern"), step.get("content")) {
            self.replace(pattern, content.as_str().unwrap_or_default());
        } else if let Some(prepended) = step.get("prepend").and_then(Value::as_str) {
            self.n_prepended += prepended.len();
        } else {
            let is_byte_level = step.get("type").and_then(Value::as_str) == Some("ByteLevel");
            self.rule(None, None, if is_byte_level { BYTE_LEVEL_FACTOR } else { 1.0 });
        }
        Ok(())
    }

    /// Takes a step of the pre-tokenizer into account.
    ///
    /// # Errors
    /// Too many of a kind.
    pub(super) fn pre_tokenizer(&mut self, step: &Map<String, Value>) -> Result<(), String> {
        match step.get("type").and_then(Value::as_str) {
            Some("ByteLevel") => self.rule(None, None, BYTE_LEVEL_FACTOR),
            Some("Metaspace") => self.n_metaspaces += 1,
            _ => {}
        }
        match self.n_metaspaces {
            n if n > MAX_METASPACES => Err(format!("more than {MAX_METASPACES} Metaspaces in pre_tokenizer")),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// A text that can become too long; more than so many bytes in front of each.
    pub(super) fn check(&self, max_prepended: usize) -> Result<(), String> {
        if self.n_prepended > max_prepended {
            let n = self.n_prepended;
            return Err(format!("the normalizer puts {n} bytes in front of each text, expected up to {max_prepended}"));
        }
        let factor = self.rules.iter().fold(1.0, |most: f64, (_, factor)| most.max(*factor));
        if factor > MAX_FACTOR {
            return Err(format!(
                "its replacements can make a text {factor:.1e} times as long, expected up to {MAX_FACTOR} times"
            ));
        }
        Ok(())
    }

    fn replace(&mut self, pattern: &Value, content: &str) {
        let n_bytes = content.len() as f64;
        let regex = pattern.get("Regex").and_then(Value::as_str);
        match (pattern.get("String").and_then(Value::as_str), regex) {
            // an empty pattern is found in front of each character
            (Some(""), _) => self.rule(None, Some(content), n_bytes + 1.0),
            (Some(text), _) => self.rule(Some(text), Some(content), n_bytes / text.len() as f64),
            (None, Some(regex)) if !regex.contains(MAY_MATCH_NOTHING) => self.rule(None, Some(content), n_bytes),
            // white space is matched by a character at least
            (None, Some("\\s" | "\\s+")) => self.rule(None, Some(content), n_bytes),
            _ => self.rule(None, Some(content), n_bytes + 1.0),
        }
    }

    /// A rule that replaces this string, or anything, by this one, or by anything.
    fn rule(&mut self, replaces: Option<&str>, writes: Option<&str>, factor: f64) {
        let feeds = |writes: &Option<String>| match (replaces, writes) {
            (Some(replaces), Some(writes)) => writes.contains(|character| replaces.contains(character)),
            _ => true,
        };
        let fed = self.rules.iter().filter(|(writes, _)| feeds(writes)).map(|(_, factor)| *factor);
        let before = fed.fold(1.0, f64::max);
        self.rules.push((writes.map(str::to_owned), before * factor.max(1.0)));
    }
}

/// The longest text that a table of characters writes for one, in bytes.
///
/// The table is, in base64, the length of an index in bytes (32 bits, the lowest first), the index, and the texts with a zero
/// behind each.
fn longest_replacement(table: &str) -> Result<usize, String> {
    let damaged = |what: &str| format!("the table of characters, precompiled_charsmap, is damaged: {what}");
    let bytes = base64::engine::general_purpose::STANDARD.decode(table).map_err(|error| damaged(&error.to_string()))?;
    let Some((length, rest)) = bytes.split_first_chunk() else { return Err(damaged("it has no index")) };
    let n_index = u32::from_le_bytes(*length) as usize;
    if n_index == 0 || !n_index.is_multiple_of(size_of::<u32>()) || n_index > rest.len() {
        return Err(damaged(&format!("an index of {n_index} bytes in {}", rest.len())));
    }
    Ok(rest[n_index..].split(|byte| *byte == 0).map(<[u8]>::len).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn factor(steps: &Value) -> Result<f64, String> {
        let mut growth = Growth::default();
        for step in steps.as_array().unwrap() {
            growth.normalizer(step.as_object().unwrap())?;
        }
        growth.check(10)?;
        Ok(growth.rules.iter().fold(1.0, |most: f64, (_, factor)| most.max(*factor)))
    }

    fn replace(from: &str, to: &str) -> Value {
        json!({"type": "Replace", "pattern": {"String": from}, "content": to})
    }

    #[test]
    fn only_rules_that_feed_each_other_multiply() {
        assert_eq!(factor(&json!([replace("&", " and "), replace("%", " percent")])), Ok(8.0));
        assert_eq!(factor(&json!([replace("a", "bb"), replace("b", "ccc"), replace("a", "d")])), Ok(6.0));
        assert_eq!(factor(&json!([replace("ab", "x"), replace("ab", "abab")])), Ok(2.0));
        assert_eq!(factor(&json!([replace("", "xy")])), Ok(3.0));
        let regex = json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"});
        assert_eq!(factor(&json!([replace("x", "  "), regex])), Ok(8.0));
        assert_eq!(factor(&json!([{"type": "NFKC"}, {"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")])), Ok(3.0));
    }

    #[test]
    fn what_grows_beyond_the_bound_is_refused() {
        let doubling = || replace("a", "aa");
        assert!(factor(&json!(vec![doubling(); 10])).is_ok());
        let error = factor(&json!(vec![doubling(); 30])).unwrap_err();
        assert!(error.contains("1.1e9 times as long, expected up to 1024 times"), "{error}");
        assert!(factor(&json!(vec![json!({"type": "ByteLevel"}); 11])).is_err());
        let error = factor(&json!([{"type": "Prepend", "prepend": "12345678901"}])).unwrap_err();
        assert!(error.contains("11 bytes in front of each text"), "{error}");
    }

    #[test]
    fn a_table_of_characters_holds_what_it_claims() {
        let table =
            |bytes: &[u8]| json!([{"precompiled_charsmap": base64::engine::general_purpose::STANDARD.encode(bytes)}]);
        let whole = [&8_u32.to_le_bytes()[..], &[0; 8], b"abc\0de\0"].concat();
        assert_eq!(factor(&table(&whole)), Ok(3.0));
        let huge = [&u32::MAX.to_le_bytes()[..], &[0; 8]].concat();
        for bytes in [&whole[..3], &whole[..11], &huge] {
            let error = factor(&table(bytes)).unwrap_err();
            assert!(error.contains("precompiled_charsmap, is damaged"), "{error}");
        }
        assert!(factor(&json!([{"precompiled_charsmap": "!"}])).is_err());
    }
}
