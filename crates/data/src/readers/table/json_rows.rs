//! JSON values as rows: an object, whose columns have names, or a list, whose columns are counted from 1.

use super::column::ColumnName;
use super::header::{listed, near};
use super::nan::NanAsEmpty;
use super::row::{Columns, Place, Row, Visit};
use crate::labels::shown;
use crate::{DataError, text_input};
use serde_json::Value;
use std::borrow::Cow;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Opens a file whose `NaN` are empty texts.
pub(super) fn open(path: &Path) -> Result<BufReader<NanAsEmpty<Box<dyn BufRead>>>, DataError> {
    Ok(BufReader::new(NanAsEmpty::new(text_input::open_lines(path)?)))
}

/// How a table is written whose columns are lists or objects, as pandas writes it by default.
pub(super) const AS_ROWS: &str = "a row is an object or a list; of columns, pandas makes rows with \
                                  df.to_json(\"rows.json\", orient=\"records\")";

/// Takes up JSON values as rows.
pub(super) struct JsonRows<'a, 'v> {
    pub(super) path: &'a Path,
    columns: &'a Columns<'a>,
    visit: &'a mut Visit<'v>,
    n_rows: u64,
    /// Whether any row has a text.
    has_text: bool,
}

impl<'a, 'v> JsonRows<'a, 'v> {
    pub(super) fn new(path: &'a Path, columns: &'a Columns<'a>, visit: &'a mut Visit<'v>) -> Self {
        Self { path, columns, visit, n_rows: 0, has_text: false }
    }

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
    pub(super) fn finish(self) -> Result<(), DataError> {
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
                    (Value::Object(_) | Value::Array(_), _) => Err(error.hint(AS_ROWS)),
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
