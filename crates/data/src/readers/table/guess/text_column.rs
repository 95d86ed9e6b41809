//! Where the texts of a table without labels are: the column that is named, or the obvious one.

use super::columns::{obvious_text, usual_width};
use super::delimited::{Sniffed, sniff};
use super::parquet::text_columns;
use super::table::Table;
use super::{Ending, N_BYTES, N_JSON_BYTES, json, read_start};
use crate::DataError;
use crate::labels::shown;
use crate::readers::table::column::ColumnName;
use crate::readers::table::config::is_named_parquet;
use crate::readers::table::header::listed;
use std::path::Path;

/// Where the texts of a table are, and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextColumn {
    pub(crate) column: ColumnName,
    /// Whether the first line names the columns.
    pub(crate) header: bool,
    pub(crate) delimiter: Option<char>,
    pub(crate) quotes: bool,
    /// Whether there are other columns.
    is_one_of_several: bool,
    /// Whether rows are lines, which may or may not have a header.
    is_delimited: bool,
}

impl TextColumn {
    /// What was guessed, for the user.
    pub(crate) fn note(&self, is_named: bool) -> Option<String> {
        let column = shown(self.column.name());
        match (is_named, self.is_delimited && !self.header) {
            (false, true) => {
                Some(format!("column {column} is read, and no line names it: the first line is a text too"))
            }
            (false, false) if self.is_one_of_several => {
                Some(format!("the column `{column}` is read; --column NAME reads another one"))
            }
            _ => None,
        }
    }
}

/// Finds the column of a CSV, TSV, JSON or parquet file: the one that is named (or has this number, from 1 on, where columns
/// have no names), or the only one that can hold texts.
///
/// # Errors
/// A file that cannot be read, no such column, or several that could be meant.
pub(crate) fn find_text_column(path: &Path, wanted: Option<&str>) -> Result<TextColumn, DataError> {
    if is_named_parquet(path) {
        return in_table(path, &text_columns(path)?, wanted, None);
    }
    match Ending::of(path) {
        Ending::Json => in_table(path, &json::table(&read_start(path, N_JSON_BYTES)?), wanted, None),
        ending => {
            let start = read_start(path, N_BYTES)?;
            let usual = ending.delimiter();
            let sniffed = sniff(&start, usual).unwrap_or_else(|| Sniffed::single_column(&start, usual));
            in_table(path, &sniffed.with_or_without_header(wanted), wanted, Some(&sniffed))
        }
    }
}

/// The column in a table whose names are known, if it has some.
fn in_table(
    path: &Path,
    table: &Table,
    wanted: Option<&str>,
    sniffed: Option<&Sniffed>,
) -> Result<TextColumn, DataError> {
    let names = table.names.as_deref();
    let width = names.map_or_else(|| usual_width(&table.rows), <[String]>::len);
    let place = match wanted {
        Some(wanted) => find(names, width, wanted).ok_or_else(|| absent(path, table, width, wanted))?,
        None => obvious_text(table).ok_or_else(|| not_obvious(path, table, width))?,
    };
    let column = names.map_or_else(|| (place + 1).to_string(), |names| names[place].clone());
    Ok(TextColumn {
        column: ColumnName::new(column),
        header: names.is_some(),
        delimiter: sniffed.map(|sniffed| sniffed.delimiter.into()),
        quotes: sniffed.is_none_or(|sniffed| sniffed.quotes),
        is_one_of_several: width > 1,
        is_delimited: sniffed.is_some(),
    })
}

/// The place of a column by its name or, from 1 on, by its number.
fn find(names: Option<&[String]>, width: usize, wanted: &str) -> Option<usize> {
    let by_name = names.and_then(|names| names.iter().position(|name| name == wanted));
    by_name.or_else(|| wanted.parse::<usize>().ok()?.checked_sub(1).filter(|place| *place < width))
}

/// The columns that can be named: those of the header, or of a first line that may be one.
fn columns(table: &Table, width: usize) -> String {
    let cells = |cells: &[String]| listed(cells.iter().map(String::as_str));
    match (&table.names, table.rows.first()) {
        (Some(names), _) => cells(names),
        (None, Some(first)) => format!("{}, if the first line is a header, or a number in 1..={width}", cells(first)),
        (None, None) => format!("a number in 1..={width}"),
    }
}

fn absent(path: &Path, table: &Table, width: usize, wanted: &str) -> DataError {
    let found = format!("no column `{}`", shown(wanted));
    DataError::invalid(path, found, format!("--column with one of {}", columns(table, width)))
}

fn not_obvious(path: &Path, table: &Table, width: usize) -> DataError {
    let found = if width == 0 { "no column of texts" } else { "no column that is obviously the one with the texts" };
    let hint = match width {
        0 => "the file should hold a text in each row".to_owned(),
        _ => format!("name it with --column: {}", columns(table, width)),
    };
    DataError::invalid(path, found, "a table with a column of texts").hint(hint)
}
