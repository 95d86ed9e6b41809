//! Files of text: which format a file has, and all of its rows.

use super::delimited;
use super::header::Dialect;
use super::json;
use super::row::{Columns, Visit, open};
use crate::{DataError, LoadContext, ProgressUnit};
use std::path::Path;
use stillhouse_core::Problem;

/// How a file is to be read, by what the config says.
pub(crate) struct TableFormat<'a> {
    pub(crate) columns: Columns<'a>,
    /// Whether the first line names the columns.
    pub(crate) header: bool,
    pub(crate) delimiter: Option<char>,
    pub(crate) quotes: Option<bool>,
}

/// The default of `header`.
pub(crate) fn yes() -> bool {
    true
}

/// A delimiter that cannot separate columns.
pub(crate) fn delimiter_problem(delimiter: Option<char>) -> Option<Problem> {
    let found = delimiter.filter(|delimiter| !delimiter.is_ascii() || "\r\n\"".contains(*delimiter))?;
    Some(Problem::new("delimiter", format!("must be an ASCII character that ends no line, found {found:?}")))
}

impl TableFormat<'_> {
    /// Reads all rows of a file.
    ///
    /// # Errors
    /// A file that is absent, damaged or of another format; those of `visit`; an interruption.
    pub(crate) fn visit(&self, path: &Path, context: &LoadContext<'_>, visit: &mut Visit<'_>) -> Result<(), DataError> {
        context.check_interrupted()?;
        let is_plain = path.extension().is_none_or(|ending| ending != "gz");
        let size = std::fs::metadata(path).map(|data| data.len()).ok().filter(|_| is_plain);
        context.progress.start(&format!("reading {}", path.display()), size, ProgressUnit::Bytes);
        let read = match Format::of(path, self)? {
            Format::Delimited(dialect) => delimited::visit_rows(path, dialect, &self.columns, context, visit),
            Format::Json { is_named_lines } => json::visit(path, is_named_lines, &self.columns, context, visit),
        };
        context.progress.finish();
        read
    }
}

/// The format of a file.
enum Format {
    Delimited(Dialect),
    /// What a JSON file holds is decided by its content; the name decides where that is too short.
    Json {
        is_named_lines: bool,
    },
}

impl Format {
    /// By the ending of the name, or by the delimiter of the config.
    fn of(path: &Path, config: &TableFormat<'_>) -> Result<Self, DataError> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let ending = name.trim_end_matches(".gz").rsplit('.').next().unwrap_or_default();
        let delimiter = match (ending, config.delimiter) {
            ("jsonl" | "ndjson", _) => return Ok(Self::Json { is_named_lines: true }),
            ("json", _) => return Ok(Self::Json { is_named_lines: false }),
            (_, Some(delimiter)) => delimiter,
            ("csv", None) => ',',
            ("tsv" | "tab", None) => '\t',
            _ => {
                // a file that is absent, a folder and an archive are told as that
                open(path)?;
                let expected = "a name that ends in .csv, .tsv, .jsonl or .json";
                return Err(DataError::invalid(path, "a file of unknown format", expected)
                    .hint("a text file of columns is read with delimiter = \",\" or another one"));
            }
        };
        let quotes = config.quotes.unwrap_or(delimiter != '\t');
        Ok(Self::Delimited(Dialect { delimiter: delimiter as u8, quotes, header: config.header }))
    }
}
