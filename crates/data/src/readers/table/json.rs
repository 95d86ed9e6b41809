//! Rows of JSON files: one value a line, or one list, or an object of lists whose keys are the splits. The content says
//! which of them a file is, not its name.
//!
//! A row is an object, whose columns have names, or a list, whose columns are counted from 1.

use super::column::ColumnName;
use super::header::{listed, near};
use super::json_whole;
use super::nan::NanAsEmpty;
use super::quotes::MAX_ROW_BYTES;
use super::row::{Columns, Place, Row, Visit};
use crate::labels::shown;
use crate::text_input::{self, utf8};
use crate::{DataError, LoadContext};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Lines between two checks for an interruption.
const LINES_AT_ONCE: u64 = 4096;

/// Hands out the rows of a file. `is_named_lines` says whether its name is one of files with a row in each line.
pub(crate) fn visit(
    path: &Path,
    is_named_lines: bool,
    columns: &Columns<'_>,
    context: &LoadContext<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), DataError> {
    let mut rows = JsonRows { path, columns, visit, n_rows: 0, has_text: false };
    match has_rows_in_lines(path, is_named_lines, columns)? {
        true => visit_lines(&mut rows, context)?,
        false => json_whole::visit(&mut rows, context)?,
    }
    rows.finish()
}

/// Opens a file whose `NaN` are empty texts.
pub(super) fn open(path: &Path) -> Result<BufReader<NanAsEmpty<Box<dyn BufRead>>>, DataError> {
    Ok(BufReader::new(NanAsEmpty::new(text_input::open_lines(path)?)))
}

/// Whether each line is a value: the first one is whole, and either a row or followed by others.
fn has_rows_in_lines(path: &Path, is_named_lines: bool, columns: &Columns<'_>) -> Result<bool, DataError> {
    let mut input = open(path)?;
    let mut bytes = Vec::new();
    let mut lines = |bytes: &mut Vec<u8>| -> Result<Option<String>, DataError> {
        while text_input::read_line(&mut input, bytes, MAX_ROW_BYTES, path, 1)? {
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

/// Takes up JSON values as rows.
pub(super) struct JsonRows<'a, 'v> {
    pub(super) path: &'a Path,
    columns: &'a Columns<'a>,
    visit: &'a mut Visit<'v>,
    n_rows: u64,
    /// Whether any row has a text.
    has_text: bool,
}

impl JsonRows<'_, '_> {
    /// Takes up a row; `list` is the key of the list that it is in.
    pub(super) fn visit(&mut self, row: &Value, place: Place<'_>, list: Option<&str>) -> Result<(), DataError> {
        self.n_rows += 1;
        let text = match self.cell(row, self.columns.text, &place, "text")? {
            Cell::Text(text) => {
                self.has_text = true;
                text
            }
            Cell::Missing(_) if self.columns.missing_is_empty => Cow::Borrowed(""),
            Cell::Missing(error) => return Err(error),
        };
        let label = match self.cell(row, self.columns.label, &place, "label")? {
            Cell::Text(label) => label,
            Cell::Missing(_) if text.trim().is_empty() && self.columns.missing_is_empty => Cow::Borrowed(""),
            Cell::Missing(error) => return Err(error),
        };
        let split = match self.columns.split.map(|column| self.cell(row, column, &place, "split")).transpose()? {
            Some(Cell::Missing(error)) => return Err(error),
            Some(Cell::Text(split)) => Some(split),
            None => None,
        };
        (self.visit)(&Row { text: &text, label: &label, split: split.as_deref().or(list), place })
    }

    /// Refuses a file without any text: its column was named wrongly.
    fn finish(self) -> Result<(), DataError> {
        if self.n_rows == 0 {
            return Err(DataError::invalid(self.path, "no row", "at least one row"));
        }
        if self.has_text {
            return Ok(());
        }
        let found = format!("no text in column `{}` of any row", self.columns.text);
        Err(DataError::invalid(self.path, found, "a text in most rows").hint("name the column with the key `text`"))
    }

    fn cell<'r>(
        &self,
        row: &'r Value,
        column: &ColumnName,
        place: &Place<'_>,
        key: &str,
    ) -> Result<Cell<'r>, DataError> {
        let (path, where_) = (self.path, || place.describe(self.path));
        let value = match row {
            Value::Object(cells) => cells.get(column.name()),
            Value::Array(cells) => column.position().and_then(|position| cells.get(position)),
            other => {
                let found = format!("{} in {}", describe(other), where_());
                return Err(DataError::invalid(path, found, "a row that is an object or a list"));
            }
        };
        match value {
            Some(Value::String(text)) => Ok(Cell::Text(Cow::Borrowed(text))),
            Some(scalar @ (Value::Number(_) | Value::Bool(_))) => Ok(Cell::Text(Cow::Owned(scalar.to_string()))),
            Some(other) => {
                let found = format!("{} in column `{column}`, {}", describe(other), where_());
                let error = DataError::invalid(path, found, "a string");
                match (other, key) {
                    (Value::Null, "text") => {
                        Ok(Cell::Missing(error.hint("remove the row, or skip_empty = true leaves such rows out")))
                    }
                    (Value::Null, _) => Ok(Cell::Missing(error)),
                    _ => Err(error),
                }
            }
            None => {
                let found = format!("no column `{column}` in {}", where_());
                Ok(Cell::Missing(DataError::invalid(path, found, "a value").hint(there_is(row, column, key))))
            }
        }
    }
}

/// A cell of a row.
enum Cell<'r> {
    Text(Cow<'r, str>),
    /// A null or nothing at all, and the error if that may not be.
    Missing(DataError),
}

/// What a row has in place of a column.
fn there_is(row: &Value, column: &ColumnName, key: &str) -> String {
    match row {
        Value::Object(cells) => match near(cells.keys().map(String::as_str), column.name()) {
            Some(name) => format!("`{}` is there: {key} = {name:?}", shown(name)),
            None => format!("keys that are there: {}", listed(cells.keys().map(String::as_str))),
        },
        Value::Array(cells) => {
            format!("the row is a list of {}: give columns by their numbers, from 1 on", cells.len())
        }
        _ => String::new(),
    }
}

/// The kind of a value, for a message.
pub(super) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
