//! Rows of files with a delimiter between the columns: CSV, TSV and similar ones.

use super::header::{Dialect, FirstRow, name_of};
use super::quotes::{MAX_ROW_BYTES, RowTooLong, Scan, Scanned};
use super::row::{Columns, Place, Row, Visit, open};
use super::swallowed::Swallowed;
use crate::text_input::{self, in_mib, utf8};
use crate::{DataError, LoadContext};
use csv::{ByteRecord, ReaderBuilder};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

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
    let scan = Rc::new(RefCell::new(Scan::new(dialect.delimiter, dialect.quotes)));
    let mut reader = ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .quoting(dialect.quotes)
        .has_headers(false)
        .flexible(true)
        .from_reader(Scanned { inner: open(path)?, scan: scan.clone() });
    let mut table = Table::new(path, dialect);
    let (mut record, mut n_records, mut read_to) = (ByteRecord::new(), 0_u64, 0);
    while reader.read_byte_record(&mut record).map_err(|error| broken(path, error, &scan.borrow()))? {
        let position = reader.position().byte();
        scan.borrow_mut().row_start = position;
        table.check_quotes(&scan.borrow(), position)?;
        if record.as_slice() == text_input::END_MARK {
            continue;
        }
        n_records += 1;
        if n_records == 1 {
            table.begin(&record, columns)?;
            if dialect.header {
                continue;
            }
        }
        if n_records.is_multiple_of(ROWS_AT_ONCE) {
            context.check_interrupted()?;
            context.progress.advance(position - read_to);
            read_to = position;
        }
        table.check_width(&record)?;
        if !table.repeats_header(&record) {
            table.see(&record);
            visit(&table.row(&record, columns)?)?;
        }
    }
    table.finish(&scan.borrow(), n_records, context)
}

/// What is known of the table once its first record is read.
struct Table<'a> {
    path: &'a Path,
    dialect: Dialect,
    /// The first record.
    first: ByteRecord,
    /// Columns of text, label and split, from 0 on.
    places: [usize; 3],
    swallowed: Swallowed,
    n_rows: u64,
    /// Texts in quotation marks, where these are a part of the text.
    n_quoted: u64,
    /// Rows that repeat the header, and the first of them.
    n_headers: u64,
    first_header: Option<Place<'static>>,
}

impl<'a> Table<'a> {
    fn new(path: &'a Path, dialect: Dialect) -> Self {
        Self {
            path,
            dialect,
            first: ByteRecord::new(),
            places: [0; 3],
            swallowed: Swallowed::default(),
            n_rows: 0,
            n_quoted: 0,
            n_headers: 0,
            first_header: None,
        }
    }

    fn begin(&mut self, first: &ByteRecord, columns: &Columns<'_>) -> Result<(), DataError> {
        let row = FirstRow::new(self.path, self.dialect, first)?;
        let text = row.find(columns.text, "text")?;
        let label = row.find(columns.label, "label")?;
        self.places = [text, label, columns.split.map_or(Ok(0), |split| row.find(split, "split"))?];
        self.first = first.clone();
        Ok(())
    }

    /// A quotation mark that has swallowed lines: it closes in the middle of another text, or never.
    fn check_quotes(&self, scan: &Scan, position: u64) -> Result<(), DataError> {
        if let Some(line) = scan.open_line().filter(|_| scan.ends_open(position)) {
            return Err(self.unclosed(format!("a quotation mark in line {line} that is never closed")));
        }
        let Some(stray) = scan.stray_before(position) else { return Ok(()) };
        let found = format!(
            "a quotation mark that opens in line {} and closes in the middle of a text in line {}",
            stray.opens_in_line, stray.closes_in_line
        );
        Err(self.unclosed(found))
    }

    fn unclosed(&self, found: String) -> DataError {
        let expected = "one at the end of the same field";
        DataError::invalid(self.path, found, expected)
            .hint("close it, or quotes = false if quotation marks are a part of the texts")
    }

    fn check_width(&self, record: &ByteRecord) -> Result<(), DataError> {
        let width = self.first.len();
        if record.len() == width {
            return Ok(());
        }
        let found = format!("{} columns in {}", record.len(), self.describe(record));
        let like = if self.dialect.header { "the header" } else { "the first line" };
        let opens = record.iter().any(|field| field.starts_with(b"\"") && !field[1..].contains(&b'"'));
        let has_line_break = record.iter().any(|field| field.contains(&b'\n'));
        let hint = match (self.dialect.quotes, record.len() < width) {
            (true, _) if has_line_break => {
                "a quotation mark is not closed, or quotes = false if they are part of the texts"
            }
            (true, true) => {
                "a line break inside a text, or a missing delimiter: a text of several lines must be in double quotes"
            }
            (true, false) => "a field that holds the delimiter must be in double quotes",
            (false, true) if opens => "quotes = true if texts in quotation marks go over several lines",
            (false, true) => "a text with a line break must be in double quotes, with quotes = true",
            (false, false) => "a text holds the delimiter: use another one, or quotes = true if such fields are quoted",
        };
        Err(DataError::invalid(self.path, found, format!("{width}, as in {like}")).hint(hint))
    }

    /// Whether a record is the header once more, as in files that were joined.
    fn repeats_header(&mut self, record: &ByteRecord) -> bool {
        let bare = |field: &[u8]| name_of(self.path, field).ok();
        let repeats = self.dialect.header
            && record[self.places[0]].len() <= self.first[self.places[0]].len() + 4
            && record.iter().zip(&self.first).all(|(field, name)| bare(field) == bare(name));
        if repeats {
            self.n_headers += 1;
            self.first_header.get_or_insert_with(|| place(record));
        }
        repeats
    }

    fn see(&mut self, record: &ByteRecord) {
        let [text, label, _] = self.places;
        self.n_rows += 1;
        let text = &record[text];
        self.n_quoted += u64::from(text.len() > 1 && text.starts_with(b"\"") && text.ends_with(b"\""));
        if self.dialect.quotes && self.places[0] != label {
            let line = record.position().map_or(0, csv::Position::line);
            self.swallowed.see(record, label, self.dialect.delimiter, line);
        }
    }

    fn row<'r>(&self, record: &'r ByteRecord, columns: &Columns<'_>) -> Result<Row<'r>, DataError> {
        let cell = |place: usize, column: &super::column::ColumnName| {
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

    /// Refuses a table without rows and one with rows inside a text; tells what was passed over.
    fn finish(&self, scan: &Scan, n_records: u64, context: &LoadContext<'_>) -> Result<(), DataError> {
        if n_records <= u64::from(self.dialect.header) {
            let found = if n_records == 0 { "no row" } else { "a header and no row below it" };
            return Err(DataError::invalid(self.path, found, "at least one row"));
        }
        if let Some((line, n_lines)) = self.swallowed.find() {
            let found = format!(
                "a quotation mark near line {line} and another {n_lines} lines below, with whole rows between them"
            );
            return Err(self.unclosed(found));
        }
        let path = self.path.display();
        if let Some(first) = &self.first_header {
            let (n, first) = (self.n_headers, first.describe(self.path));
            context.note(format!("{path}: rows that repeat the header are left out: {n}, the first in {first}"));
        }
        if !self.dialect.quotes && self.n_rows > 1 && 2 * self.n_quoted > self.n_rows {
            context.note(format!(
                "{path}: {} of {} texts stand in quotation marks, which are read as a part of the texts; quotes = true takes \
                 them off",
                self.n_quoted, self.n_rows
            ));
        }
        if scan.n_trailing > 0 {
            context.note(format!(
                "{path}: fields that begin with a quoted piece and go on behind it: {}; the quotation marks around the piece are \
                 not read; quotes = false keeps them",
                scan.n_trailing
            ));
        }
        Ok(())
    }
}

fn place(record: &ByteRecord) -> Place<'static> {
    Place::Record { byte: record.position().map_or(0, csv::Position::byte) }
}

fn broken(path: &Path, error: csv::Error, scan: &Scan) -> DataError {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) if source.get_ref().is_some_and(|inner| inner.is::<RowTooLong>()) => {
            let limit = in_mib(MAX_ROW_BYTES);
            match scan.open_line() {
                Some(line) => {
                    let found = format!("a quotation mark in line {line} that is not closed within {limit}");
                    DataError::invalid(path, found, "one at the end of the same field")
                        .hint("close it, or quotes = false if quotation marks are a part of the texts")
                }
                None => {
                    let place = Place::Record { byte: scan.row_start }.describe(path);
                    DataError::invalid(path, format!("a row of more than {limit} in {place}"), "shorter rows")
                }
            }
        }
        csv::ErrorKind::Io(source) => text_input::broken(path, source),
        _ => DataError::invalid(path, format!("content that cannot be read ({text})"), "a table of texts"),
    }
}
