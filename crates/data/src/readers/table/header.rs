//! Which column of a delimited file is which, by its first row.

use super::column::ColumnName;
use crate::DataError;
use crate::labels::shown;
use csv::{ByteRecord, ReaderBuilder};
use std::path::Path;

/// How columns are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    /// Whether a field in double quotes may hold delimiters and line breaks.
    pub(crate) quotes: bool,
    /// Whether the first row names the columns.
    pub(crate) header: bool,
}

/// Most columns of a table.
const MAX_COLUMNS: usize = 16_384;
/// Names that a message lists.
const MAX_LISTED: usize = 20;
/// Characters that usually separate columns.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The first row of a file, as names or as the number of columns.
pub(super) struct FirstRow<'a> {
    path: &'a Path,
    dialect: Dialect,
    record: &'a ByteRecord,
    /// The names, where there is a header.
    names: Option<Vec<String>>,
}

impl<'a> FirstRow<'a> {
    pub(super) fn new(path: &'a Path, dialect: Dialect, record: &'a ByteRecord) -> Result<Self, DataError> {
        if record.len() > MAX_COLUMNS {
            let found = format!("{} columns in the first line", record.len());
            return Err(DataError::invalid(path, found, format!("at most {MAX_COLUMNS}")));
        }
        let names = dialect.header.then(|| record.iter().map(|field| name_of(path, field)).collect());
        Ok(Self { path, dialect, record, names: names.transpose()? })
    }

    /// The place of a column, from 0 on; `key` is the config's key for it.
    pub(super) fn find(&self, column: &ColumnName, key: &str) -> Result<usize, DataError> {
        match &self.names {
            Some(names) => self.by_name(names, column, key),
            None => self.by_number(column, key),
        }
    }

    fn by_name(&self, names: &[String], column: &ColumnName, key: &str) -> Result<usize, DataError> {
        let mut matching = names.iter().enumerate().filter(|(_, name)| *name == column.name());
        match (matching.next(), matching.next()) {
            (Some((place, _)), None) => Ok(place),
            (Some(_), Some(_)) => {
                let found = format!("several columns `{column}` in the header");
                Err(DataError::invalid(self.path, found, "a different name for each column"))
            }
            (None, _) => Err(self.absent(names, column, key)),
        }
    }

    fn absent(&self, names: &[String], column: &ColumnName, key: &str) -> DataError {
        if let Some(error) = self.other_delimiter(column) {
            return error;
        }
        let found = format!("no column `{column}` in the header");
        let hint = match near(names.iter().map(String::as_str), column.name()) {
            Some(name) if name.starts_with('"') => {
                "quotes = true takes off the quotation marks around fields".to_owned()
            }
            Some(name) => format!("`{}` is there: {key} = {name:?}", shown(name)),
            None if column.position().is_some() => {
                "columns are counted in files without a header: header = false".to_owned()
            }
            None => {
                format!(
                    "name the column with the key `{key}`; a file without names in its first line needs header = false"
                )
            }
        };
        DataError::invalid(self.path, found, format!("one of {}", listed(names.iter().map(String::as_str)))).hint(hint)
    }

    fn by_number(&self, column: &ColumnName, key: &str) -> Result<usize, DataError> {
        let width = self.record.len();
        let expected = format!("a number in 1..={width}");
        match column.position() {
            Some(place) if place < width => Ok(place),
            Some(_) => Err(self.other_delimiter(column).unwrap_or_else(|| {
                let found = format!("{width} columns, and none with the number {column}");
                DataError::invalid(self.path, found, expected)
            })),
            None => {
                let found = format!("column `{column}` for a file without a header");
                Err(DataError::invalid(self.path, found, expected).hint(format!("give the column as {key} = NUMBER")))
            }
        }
    }

    /// The error for a first row in which another character than the config's or the usual one separates columns.
    fn other_delimiter(&self, column: &ColumnName) -> Option<DataError> {
        let line: Vec<u8> = self.record.iter().collect::<Vec<_>>().join(&self.dialect.delimiter);
        let holds = |delimiter: u8| {
            let mut builder = ReaderBuilder::new();
            builder.has_headers(false).delimiter(delimiter).quoting(true);
            let cells = builder.from_reader(&line[..]).into_byte_records().next()?.ok()?;
            let has = match column.position().filter(|_| !self.dialect.header) {
                Some(place) => place < cells.len(),
                None => cells.iter().any(|cell| cell.trim_ascii() == column.name().as_bytes()),
            };
            (cells.len() > 1 && (has || self.record.len() == 1)).then_some((has, cells.len()))
        };
        let others = DELIMITERS.into_iter().filter(|delimiter| *delimiter != self.dialect.delimiter);
        let (_, delimiter) =
            others.filter_map(|delimiter| Some((holds(delimiter)?, delimiter))).max_by_key(|(fit, _)| *fit)?;
        let name =
            |delimiter: u8| if delimiter == b'\t' { "the tab".to_owned() } else { format!("`{}`", delimiter as char) };
        let found = format!("{} between the columns of the first line", name(delimiter));
        let key = if delimiter == b'\t' { "\\t".to_owned() } else { (delimiter as char).to_string() };
        let error = DataError::invalid(self.path, found, name(self.dialect.delimiter));
        Some(error.hint(format!("delimiter = \"{key}\" has the file read so")))
    }
}

/// A field of the header as a name.
pub(super) fn name_of(path: &Path, field: &[u8]) -> Result<String, DataError> {
    let text = crate::text_input::utf8(path, field, || "the header".to_owned())?;
    Ok(text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned())
}

/// A name that differs from a column's in capital letters, spaces or quotation marks alone.
pub(super) fn near<'n>(mut names: impl Iterator<Item = &'n str>, column: &str) -> Option<&'n str> {
    let bare = |name: &str| name.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let wanted = bare(column);
    names.find(|name| !wanted.is_empty() && bare(name) == wanted)
}

/// Names for a message, as many as are read there.
pub(super) fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let rest = names.len().saturating_sub(MAX_LISTED);
    let named: Vec<String> = names.take(MAX_LISTED).map(|name| format!("`{}`", shown(name))).collect();
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    named.join(", ") + &rest
}
