//! Rows of files with a delimiter between the columns: CSV, TSV and similar ones.

use super::column::ColumnName;
use super::row::{Columns, Place, Row, Visit, open, utf8};
use crate::{DataError, LoadContext};
use csv::{ByteRecord, ReaderBuilder};
use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

/// How columns are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    /// Whether a field in double quotes may hold delimiters and line breaks.
    pub(crate) quotes: bool,
    /// Whether the first row names the columns.
    pub(crate) header: bool,
}

/// Rows between two checks for an interruption.
const ROWS_AT_ONCE: u64 = 4096;

/// Hands out the rows of a file in their order, one at a time in memory.
pub(crate) fn visit_rows(
    path: &Path,
    dialect: Dialect,
    columns: &Columns<'_>,
    context: &LoadContext<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), DataError> {
    let last_byte = Rc::new(Cell::new(0));
    let input = Watched { inner: open(path)?, last_byte: last_byte.clone() };
    let mut reader = ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .quoting(dialect.quotes)
        .has_headers(false)
        .flexible(true)
        .from_reader(input);
    let mut table = Table { path, dialect, width: 0, places: [0; 3] };
    let (mut record, mut n_records, mut read_to) = (ByteRecord::new(), 0_u64, 0);
    let mut last_with_break = None;
    while reader.read_byte_record(&mut record).map_err(|error| broken(path, error))? {
        n_records += 1;
        if n_records == 1 {
            table.begin(&record, columns)?;
            if dialect.header {
                continue;
            }
        }
        table.check_width(&record)?;
        visit(&table.row(&record, columns)?)?;
        last_with_break = ends_with_break(&record).then(|| place(&record));
        if n_records.is_multiple_of(ROWS_AT_ONCE) {
            context.check_interrupted()?;
            let position = reader.position().byte();
            context.progress.advance(position - read_to);
            read_to = position;
        }
    }
    table.check_end(last_with_break, n_records, last_byte.get())
}

/// What is known of the table once its first record is read.
struct Table<'a> {
    path: &'a Path,
    dialect: Dialect,
    /// Fields of the first record.
    width: usize,
    /// Columns of text, label and split, from 0 on.
    places: [usize; 3],
}

impl Table<'_> {
    fn begin(&mut self, first: &ByteRecord, columns: &Columns<'_>) -> Result<(), DataError> {
        self.width = first.len();
        let names = match self.dialect.header {
            true => Some(self.header_names(first)?),
            false => None,
        };
        let find = |column: &ColumnName, key: &str| match &names {
            Some(names) => self.by_name(names, column, key),
            None => self.by_number(column, key),
        };
        let text = find(columns.text, "text")?;
        let label = find(columns.label, "label")?;
        self.places = [text, label, columns.split.map_or(Ok(0), |split| find(split, "split"))?];
        Ok(())
    }

    fn header_names(&self, header: &ByteRecord) -> Result<Vec<String>, DataError> {
        let name = |field| utf8(self.path, field, || "the header".to_owned()).map(|name| name.trim().to_owned());
        header.iter().map(name).collect()
    }

    fn by_name(&self, names: &[String], column: &ColumnName, key: &str) -> Result<usize, DataError> {
        let mut matching = names.iter().enumerate().filter(|(_, name)| *name == column.name());
        let list = || format!("one of `{}`", names.join("`, `"));
        match (matching.next(), matching.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some(_), Some(_)) => {
                let found = format!("several columns `{column}` in the header");
                Err(DataError::invalid(self.path, found, "a different name for each column"))
            }
            (None, _) => {
                let hint = match column.position() {
                    Some(_) => "columns are counted in files without a header: header = false".to_owned(),
                    None => format!(
                        "name the column with the key `{key}`; a file without names in its first line needs header = false"
                    ),
                };
                Err(DataError::invalid(self.path, format!("no column `{column}` in the header"), list()).hint(hint))
            }
        }
    }

    fn by_number(&self, column: &ColumnName, key: &str) -> Result<usize, DataError> {
        let width = self.width;
        let expected = format!("a number in 1..={width}");
        match column.position() {
            Some(place) if place < width => Ok(place),
            Some(_) => {
                let found = format!("{width} columns, and none with the number {column}");
                Err(DataError::invalid(self.path, found, expected))
            }
            None => {
                let found = format!("column `{column}` for a file without a header");
                Err(DataError::invalid(self.path, found, expected).hint(format!("give the column as {key} = NUMBER")))
            }
        }
    }

    fn check_width(&self, record: &ByteRecord) -> Result<(), DataError> {
        if record.len() == self.width {
            return Ok(());
        }
        let found = format!("{} columns in {}", record.len(), self.describe(record));
        let like = if self.dialect.header { "the header" } else { "the first line" };
        let has_line_break = record.iter().any(|field| field.contains(&b'\n'));
        let hint = match (has_line_break, self.dialect.quotes) {
            (true, _) => "a quotation mark is not closed, or quotes = false if they are part of the texts",
            (false, true) => "a field that holds the delimiter must be in double quotes",
            (false, false) => "a text holds the delimiter: use another one, or quotes = true if such fields are quoted",
        };
        Err(DataError::invalid(self.path, found, format!("{}, as in {like}", self.width)).hint(hint))
    }

    fn row<'r>(&self, record: &'r ByteRecord, columns: &Columns<'_>) -> Result<Row<'r>, DataError> {
        let cell = |place: usize, column: &ColumnName| {
            let where_ = || format!("column `{column}`, {}", self.describe(record));
            utf8(self.path, &record[place], where_)
        };
        let [text, label, split] = self.places;
        Ok(Row {
            text: cell(text, columns.text)?,
            label: cell(label, columns.label)?,
            split: columns.split.map(|column| cell(split, column)).transpose()?,
            place: place(record),
        })
    }

    fn describe(&self, record: &ByteRecord) -> String {
        place(record).describe(self.path)
    }

    /// A table without rows, and a last field whose quotation mark is never closed, which has swallowed what follows.
    fn check_end(&self, last_with_break: Option<Place<'_>>, n_records: u64, last_byte: u8) -> Result<(), DataError> {
        if n_records <= u64::from(self.dialect.header) {
            let found = if n_records == 0 { "no row" } else { "a header and no row below it" };
            return Err(DataError::invalid(self.path, found, "at least one row"));
        }
        if let Some(place) = last_with_break.filter(|_| last_byte != b'"') {
            let found = format!("a quotation mark in {} that is never closed", place.describe(self.path));
            let hint = "close it, or quotes = false if quotation marks are part of the texts";
            return Err(DataError::invalid(self.path, found, "one at the end of the field").hint(hint));
        }
        Ok(())
    }
}

/// Whether the last field of a record goes over several lines, which only quotes allow.
fn ends_with_break(record: &ByteRecord) -> bool {
    record.iter().next_back().is_some_and(|field| field.contains(&b'\n'))
}

fn place(record: &ByteRecord) -> Place<'static> {
    let (line, byte) = record.position().map_or((0, 0), |position| (position.line(), position.byte()));
    Place::Record { line, byte }
}

/// Remembers the last byte that does not end a line.
struct Watched<R> {
    inner: R,
    last_byte: Rc<Cell<u8>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n_read = self.inner.read(out)?;
        if let Some(&byte) = out[..n_read].iter().rev().find(|byte| !b"\r\n".contains(byte)) {
            self.last_byte.set(byte);
        }
        Ok(n_read)
    }
}

fn broken(path: &Path, error: csv::Error) -> DataError {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => DataError::io(path, "read")(source),
        _ => DataError::invalid(path, format!("content that cannot be read ({text})"), "a table of texts"),
    }
}
