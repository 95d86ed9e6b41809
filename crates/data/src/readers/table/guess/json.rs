//! Rows of a JSON file of whatever form: a value a line, a list, or an object of lists.

use super::table::{N_ROWS, Table};
use crate::readers::split_name::SplitName;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

/// Bytes of the text from which values are kept: they take many times as many.
const MAX_KEPT_BYTES: usize = 4 << 20;

/// The rows that the start of a file has, those of the training split where lists have names.
pub(super) fn table(start: &[u8]) -> Table {
    let rows = match start.trim_ascii_start().first() {
        Some(b'{') => lists(start).unwrap_or_else(|| Walk { bytes: start, place: 0 }.values()),
        Some(b'[') => {
            let whole = Walk { bytes: start, place: 0 }.list();
            // lines of lists are no list of scalars
            if whole.iter().any(|row| row.is_object() || row.is_array()) {
                whole
            } else {
                Walk { bytes: start, place: 0 }.values()
            }
        }
        _ => Vec::new(),
    };
    columns(&rows)
}

/// The rows of an object of lists: those of the training split, of another one, or of the first list.
fn lists(start: &[u8]) -> Option<Vec<Value>> {
    let mut walk = Walk { bytes: start, place: 0 };
    walk.skip(b"{");
    let mut best: Option<(u8, Vec<Value>)> = None;
    while let Some(key) = walk.value::<String>() {
        walk.skip(b":");
        if walk.next() != Some(b'[') {
            if walk.value::<IgnoredAny>().is_none() {
                break;
            }
            walk.skip(b",");
            continue;
        }
        let rows = walk.list();
        walk.skip(b",");
        let rank = match SplitName::of_word(&key) {
            Some(SplitName::Train) => 0,
            Some(_) => 1,
            None => 2,
        };
        let has_rows = rows.first().is_some_and(|row| row.is_object() || row.is_array());
        if has_rows && best.as_ref().is_none_or(|(known, _)| rank < *known) {
            best = Some((rank, rows));
        }
    }
    best.map(|(_, rows)| rows)
}

/// A walk through the values of a text that may be cut off.
struct Walk<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<u8> {
        self.skip(b"");
        self.bytes.get(self.place).copied()
    }

    /// Goes over blanks and these marks.
    fn skip(&mut self, marks: &[u8]) {
        let is_skipped = |byte: &u8| byte.is_ascii_whitespace() || marks.contains(byte);
        self.place += self.bytes[self.place..].iter().take_while(|byte| is_skipped(byte)).count();
    }

    fn value<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut values = serde_json::Deserializer::from_slice(&self.bytes[self.place..]).into_iter::<T>();
        let value = values.next()?.ok()?;
        self.place += values.byte_offset();
        Some(value)
    }

    /// A value, if it is there and no longer than `n_bytes`; the walk goes on behind it.
    fn short_value(&mut self, n_bytes: usize) -> Option<Option<Value>> {
        let start = self.place;
        self.value::<IgnoredAny>()?;
        let text = &self.bytes[start..self.place];
        Some(if text.len() <= n_bytes { serde_json::from_slice(text).ok() } else { None })
    }

    /// Values one behind the other.
    fn values(&mut self) -> Vec<Value> {
        let mut values = Vec::new();
        while values.len() < N_ROWS && self.place < MAX_KEPT_BYTES {
            let Some(value) = self.short_value(MAX_KEPT_BYTES) else { break };
            values.extend(value);
        }
        values
    }

    /// The items of a list, of which the first are kept.
    fn list(&mut self) -> Vec<Value> {
        self.skip(b"");
        self.place += 1;
        let (mut items, start) = (Vec::new(), self.place);
        while self.next().is_some_and(|next| next != b']') {
            let is_kept = items.len() < N_ROWS && self.place - start < MAX_KEPT_BYTES;
            let is_read = match is_kept {
                true => self.short_value(MAX_KEPT_BYTES).map(|item| items.extend(item)).is_some(),
                false => self.value::<IgnoredAny>().is_some(),
            };
            if !is_read {
                // cut off here
                self.place = self.bytes.len();
            }
            self.skip(b",");
        }
        self.place = (self.place + 1).min(self.bytes.len());
        items
    }
}

fn columns(rows: &[Value]) -> Table {
    let text = |value: &Value| match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    match rows.iter().find(|row| row.is_object() || row.is_array()) {
        Some(Value::Object(first)) => {
            // a value that is a list or an object is neither a text nor a label
            let is_scalar =
                |name: &&String| first.get(*name).is_some_and(|value| !value.is_object() && !value.is_array());
            let names: Vec<String> = first.keys().filter(is_scalar).cloned().collect();
            let cells = |row: &Value| names.iter().map(|name| row.get(name).map(text).unwrap_or_default()).collect();
            let rows = rows.iter().filter(|row| row.is_object()).map(cells).collect();
            Table { names: Some(names), rows }
        }
        _ => Table {
            names: None,
            rows: rows.iter().filter_map(|row| Some(row.as_array()?.iter().map(text).collect())).collect(),
        },
    }
}
