//! What a table looks like: which columns hold texts and labels, and how the file is to be read. The start of the file decides,
//! whatever its length.
//!
//! | file | subject |
//! |---|---|
//! | `delimited.rs` | delimiter, quotation marks, header of a text file |
//! | `json.rs` | rows of a JSON file, of whatever form |
//! | `parquet.rs` | columns of a parquet file, of texts or of images |
//! | `columns.rs` | the columns by their names and by what is in them |
//! | `table.rs` | what all of them hand over |
//! | `text_column.rs` | the texts of a table without labels |

mod columns;
mod delimited;
mod json;
mod parquet;
mod table;
mod text_column;

pub use parquet::{ParquetGuess, guess_parquet};
pub use table::TableGuess;
pub(crate) use text_column::{TextColumn, find_text_column};

use super::row::open;
use crate::DataError;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use table::{no_columns, no_json_columns};

/// Bytes that are looked at, of a text file with a delimiter.
const N_BYTES: u64 = 4 << 20;
/// Bytes that are looked at, of a JSON file: the training rows may come behind long lists of others.
const N_JSON_BYTES: u64 = 64 << 20;
/// Other files of the folder that are looked at.
const N_OTHERS: usize = 4;

/// Guesses the columns of a CSV, TSV or JSON file, or of a text file of another name. `others` are further tables of the same
/// form, which tell whether the first line is a header.
///
/// # Errors
/// A file that cannot be read, or in which no two columns look like texts and labels.
pub fn guess_table(path: &Path, others: &[PathBuf]) -> Result<TableGuess, DataError> {
    let ending = Ending::of(path);
    let start = start_of(path)?;
    let is_json = start.trim_ascii_start().first().is_some_and(|first| b"[{".contains(first));
    if ending == Ending::Json || (ending == Ending::Other && is_json) {
        let table = json::table(&read_start(path, N_JSON_BYTES)?);
        if ending == Ending::Other && !table.rows.is_empty() {
            let expected = "a name that ends in .json or .jsonl";
            return Err(DataError::invalid(path, "JSON under another name", expected).hint("rename the file"));
        }
        return columns::choose(&table).map(|found| found.guess(&table)).ok_or_else(|| no_json_columns(path));
    }
    let others = others.iter().filter(|other| *other != path).take(N_OTHERS);
    let others: Vec<Vec<u8>> = others.filter_map(|other| read_start(other, N_BYTES).ok()).collect();
    let sniffed = delimited::sniff(&read_start(path, N_BYTES)?, ending.delimiter()).ok_or_else(|| no_columns(path))?;
    let (table, found) = sniffed.with_header(&others).ok_or_else(|| no_columns(path))?;
    Ok(TableGuess {
        delimiter: (ending.delimiter() != Some(sniffed.delimiter)).then_some(sniffed.delimiter.into()),
        quotes: (sniffed.quotes != (sniffed.delimiter != b'\t')).then_some(sniffed.quotes),
        ..found.guess(&table)
    })
}

/// What a name's ending says of the format.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Json,
    Comma,
    Tab,
    Other,
}

impl Ending {
    fn of(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        match name.trim_end_matches(".gz").rsplit('.').next().unwrap_or_default() {
            "jsonl" | "ndjson" | "json" => Self::Json,
            "tsv" | "tab" => Self::Tab,
            "csv" => Self::Comma,
            _ => Self::Other,
        }
    }

    fn delimiter(self) -> Option<u8> {
        match self {
            Self::Comma => Some(b','),
            Self::Tab => Some(b'\t'),
            Self::Json | Self::Other => None,
        }
    }
}

/// What the file holds behind a byte order mark; nothing is taken.
fn start_of(path: &Path) -> Result<Vec<u8>, DataError> {
    Ok(open(path)?.fill_buf().map_err(DataError::io(path, "read"))?.to_vec())
}

/// The start of a file, unzipped; a gzipped file of a few kB can be as long as a disk. A stream that breaks later on is told by
/// who reads all of it.
fn read_start(path: &Path, n_bytes: u64) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    match open(path)?.take(n_bytes).read_to_end(&mut bytes) {
        Err(error) if bytes.is_empty() => Err(DataError::io(path, "read")(error)),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests;
