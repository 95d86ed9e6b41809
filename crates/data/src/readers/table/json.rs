//! Rows of JSON files: one value a line, or one list, or an object of lists whose keys are the splits. The content says
//! which of them a file is, not its name.

use super::json_rows::{JsonRows, open};
use super::json_whole;
use super::quotes::MAX_ROW_BYTES;
use super::row::{Columns, Place, Visit};
use crate::text_input::{self, utf8};
use crate::{DataError, LoadContext};
use serde_json::Value;
use std::path::Path;

/// Lines between two checks for an interruption.
const LINES_AT_ONCE: u64 = 4096;
/// Empty lines that are passed over where the first rows are looked for.
const MAX_EMPTY_LINES: usize = 1000;

/// Hands out the rows of a file. `is_named_lines` says whether its name is one of files with a row in each line.
pub(crate) fn visit(
    path: &Path,
    is_named_lines: bool,
    columns: &Columns<'_>,
    context: &LoadContext<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), DataError> {
    let mut rows = JsonRows::new(path, columns, visit);
    match has_rows_in_lines(path, is_named_lines, columns)? {
        true => visit_lines(&mut rows, context)?,
        false => json_whole::visit(&mut rows, context)?,
    }
    rows.finish()
}

/// Whether each line is a value: the first one is whole, and either a row or followed by others.
fn has_rows_in_lines(path: &Path, is_named_lines: bool, columns: &Columns<'_>) -> Result<bool, DataError> {
    let mut input = open(path)?;
    let mut bytes = Vec::new();
    let mut lines = |bytes: &mut Vec<u8>| -> Result<Option<String>, DataError> {
        for _ in 0..MAX_EMPTY_LINES {
            if !text_input::read_line(&mut input, bytes, MAX_ROW_BYTES, path, 1)? {
                break;
            }
            let text = String::from_utf8_lossy(bytes).trim().to_owned();
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
        Ok(None)
    };
    // a file in one long line is no file of lines
    let Ok(first) = lines(&mut bytes) else { return Ok(false) };
    let Some(first) = first else { return Ok(is_named_lines) };
    match serde_json::from_str::<Value>(&first) {
        Ok(Value::Array(items)) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            Ok(lines(&mut bytes)?.is_some())
        }
        Ok(Value::Object(cells)) if cells.values().any(Value::is_array) => {
            let is_row = cells.contains_key(columns.text.name()) && cells.contains_key(columns.label.name());
            Ok(is_row || lines(&mut bytes)?.is_some())
        }
        Ok(Value::Array(_) | Value::Object(_)) => Ok(true),
        Ok(_) => Ok(is_named_lines),
        Err(_) => Ok(is_named_lines && !first.ends_with(['[', '{', ','])),
    }
}

fn visit_lines(rows: &mut JsonRows<'_, '_>, context: &LoadContext<'_>) -> Result<(), DataError> {
    let path = rows.path;
    let mut input = open(path)?;
    let mut bytes = Vec::new();
    for line in 1.. {
        if !text_input::read_line(&mut input, &mut bytes, MAX_ROW_BYTES, path, line)? {
            break;
        }
        context.progress.advance(bytes.len() as u64);
        if line.is_multiple_of(LINES_AT_ONCE) {
            context.check_interrupted()?;
        }
        let text = utf8(path, &bytes, || format!("line {line}"))?.trim();
        if text_input::is_end_mark(text.as_bytes()) {
            continue;
        }
        let row: Value = serde_json::from_str(text).map_err(|error| {
            let found = format!("line {line} that is no JSON ({error})");
            DataError::invalid(path, found, "one whole JSON object a line")
        })?;
        rows.visit(&row, Place::Line(line), None)?;
    }
    Ok(())
}
