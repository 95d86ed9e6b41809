//! Rows of JSON files: one value a line, or one list, or an object of lists whose keys are the splits.
//!
//! A row is an object, whose columns have names, or a list, whose columns are counted from 1.

use super::column::ColumnName;
use super::row::{Columns, Place, Row, Visit, open, utf8};
use crate::{DataError, LoadContext};
use serde_json::Value;
use std::borrow::Cow;
use std::io::BufRead;
use std::path::Path;

/// Lines between two checks for an interruption.
const LINES_AT_ONCE: u64 = 4096;

/// Hands out the rows of a file with one JSON value a line, one at a time in memory.
pub(crate) fn visit_lines(
    path: &Path,
    columns: &Columns<'_>,
    context: &LoadContext<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), DataError> {
    let mut input = open(path)?;
    let (mut bytes, mut line, mut n_rows) = (Vec::new(), 0_u64, 0);
    loop {
        bytes.clear();
        line += 1;
        if input.read_until(b'\n', &mut bytes).map_err(DataError::io(path, "read"))? == 0 {
            break;
        }
        context.progress.advance(bytes.len() as u64);
        if line.is_multiple_of(LINES_AT_ONCE) {
            context.check_interrupted()?;
        }
        let text = utf8(path, &bytes, || format!("line {line}"))?.trim();
        if text.is_empty() {
            continue;
        }
        let row: Value = serde_json::from_str(text).map_err(|error| {
            let found = format!("line {line} that is no JSON ({error})");
            DataError::invalid(path, found, "one whole JSON object a line")
        })?;
        visit_row(path, &row, Place::Line(line), None, columns, visit)?;
        n_rows += 1;
    }
    if n_rows == 0 { Err(DataError::invalid(path, "no row", "at least one row")) } else { Ok(()) }
}

/// Hands out the rows of a file that is one JSON value, which is held in memory.
pub(crate) fn visit_whole(path: &Path, columns: &Columns<'_>, visit: &mut Visit<'_>) -> Result<(), DataError> {
    let value: Value = serde_json::from_reader(open(path)?)
        .map_err(|error| DataError::invalid(path, format!("content that is no JSON ({error})"), EXPECTED_WHOLE))?;
    match &value {
        Value::Array(rows) => visit_list(path, rows, None, columns, visit),
        Value::Object(lists) => {
            let mut n_lists = 0;
            for (key, rows) in lists {
                if let Value::Array(rows) = rows {
                    visit_list(path, rows, Some(key), columns, visit)?;
                    n_lists += 1;
                }
            }
            if n_lists == 0 { Err(DataError::invalid(path, "an object without lists", EXPECTED_WHOLE)) } else { Ok(()) }
        }
        other => Err(DataError::invalid(path, describe(other), EXPECTED_WHOLE)),
    }
}

const EXPECTED_WHOLE: &str = "a list of rows, or an object of such lists by split";

fn visit_list(
    path: &Path,
    rows: &[Value],
    list: Option<&str>,
    columns: &Columns<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), DataError> {
    for (row_idx, row) in rows.iter().enumerate() {
        visit_row(path, row, Place::Item { list: list.map(Cow::Borrowed), number: row_idx + 1 }, list, columns, visit)?;
    }
    Ok(())
}

fn visit_row(
    path: &Path,
    row: &Value,
    place: Place<'_>,
    list: Option<&str>,
    columns: &Columns<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), DataError> {
    let cell = |column: &ColumnName| cell(path, row, column, &place);
    let (text, label) = (cell(columns.text)?, cell(columns.label)?);
    let split = columns.split.map(cell).transpose()?;
    visit(&Row { text: &text, label: &label, split: split.as_deref().or(list), place })
}

fn cell<'a>(path: &Path, row: &'a Value, column: &ColumnName, place: &Place<'_>) -> Result<Cow<'a, str>, DataError> {
    let (value, hint) = match row {
        Value::Object(cells) => {
            let keys: Vec<&str> = cells.keys().map(String::as_str).collect();
            (cells.get(column.name()), format!("keys that are there: `{}`", keys.join("`, `")))
        }
        Value::Array(cells) => {
            let value = column.position().and_then(|position| cells.get(position));
            (value, format!("the row is a list of {}: give columns by their numbers, from 1 on", cells.len()))
        }
        other => {
            let found = format!("{} in {}", describe(other), place.describe(path));
            return Err(DataError::invalid(path, found, "a row that is an object or a list"));
        }
    };
    match value {
        Some(Value::String(text)) => Ok(Cow::Borrowed(text)),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => Ok(Cow::Owned(scalar.to_string())),
        Some(other) => {
            let found = format!("{} in column `{column}`, {}", describe(other), place.describe(path));
            Err(DataError::invalid(path, found, "a string"))
        }
        None => {
            Err(DataError::invalid(path, format!("no column `{column}` in {}", place.describe(path)), "a value")
                .hint(hint))
        }
    }
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
