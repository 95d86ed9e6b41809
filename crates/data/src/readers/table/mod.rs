//! Tables of texts and labels: CSV, TSV, JSON lines and JSON; parquet files are read as `readers/parquet/mod.rs` says.
//!
//! What is read, what is refused (exit code 3, with the file, the line and a remedy), and what is noted on the terminal and in
//! the report:
//!
//! | subject | read | refused | noted |
//! |---|---|---|---|
//! | bytes | UTF-8 and UTF-16 with and without a mark; gzip by content, whatever the name | other encodings (with the byte), UTF-32; zstd, bzip2, xz, zip, spreadsheets, databases and parquet under another name, each by its name; pointers of Git LFS; pipes | |
//! | ends of lines | `\n`, `\r\n`, `\r`; a last `^Z` is passed over | | |
//! | sizes | rows of up to 16 MiB, up to 16384 columns, any number of rows, all of whose texts are in memory | longer rows, more columns, JSON nested more than 128 deep | |
//! | delimiter | the config's, or the usual one of the name's ending | another one in the first line, named with the key `delimiter` | |
//! | quotation marks | fields of several lines, with `quotes` | one that is never closed, closes in the middle of another text, or has whole rows between it and its end: with the line in which it opens | texts that stand in them without `quotes`; text behind a closing one |
//! | header | names with spaces or a mark around them | no such column, with the names that are there and the nearest one | rows that repeat it, which are left out |
//! | JSON | by content: a value in each line, one list, or an object of lists; the only list is the table, whatever its key; `NaN` is an empty value | several lists in a file of one split | lists that no split is named after, and lists that hold no rows, both left alone |
//! | texts | cut at `max_characters` | an empty or missing text, without `skip_empty` | how many were cut; words for a missing value (`nan`, `null`), which stay texts; how many rows `skip_empty` left out |
//! | labels | see `labels/`: spellings that look the same are one class, and `1` and `1.0` where all are numbers; whole numbers are in the order of numbers | an empty label, a line break or control character (a tab is none), more than 1000 characters; labels that look the same and have letters of different alphabets; in other splits a label that training does not have | what was joined, with its rows; words for a missing value, which stay classes; quotation marks around all of them |
//! | splits | a file for each; or one file with a column `split`, or with a JSON list for each, in the words of `split_name.rs`; splits that are not there are carved | another word in the column `split`; no training row; `eval` next to both other splits | `eval`, which is taken for the split that is missing |

pub(crate) mod builtin;
mod column;
mod config;
mod delimited;
pub(crate) mod format;
mod gathered;
mod guess;
mod header;
mod json;
mod json_rows;
mod json_whole;
mod nan;
pub(crate) mod parquet;
mod quotes;
pub(crate) mod row;
mod swallowed;
mod text_files;

pub use column::ColumnName;
pub use config::TableConfig;
pub(crate) use config::is_named_parquet;
pub use guess::{ParquetGuess, TableGuess, guess_parquet, guess_table};
pub(crate) use guess::{TextColumn, find_text_column};

use super::kind::DataKind;
use crate::found::Found;
use crate::hub::Hub;
use crate::outline::Outline;
use crate::{DataError, LoadContext};
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, Problem};

impl DataKind for TableConfig {
    fn contradictions(&self) -> Vec<Problem> {
        self.problems()
    }

    fn is_augmented(&self) -> bool {
        !self.augment.is_none()
    }

    fn paths(&self) -> Vec<&Path> {
        [&self.path, &self.train, &self.valid, &self.test].into_iter().flatten().map(PathBuf::as_path).collect()
    }

    fn given_input(&self) -> Option<InputShape> {
        Some(InputShape::Text {})
    }

    fn unlabelled_keys(&self) -> &'static [&'static str] {
        &["path", "list", "text", "header", "delimiter", "quotes", "skip_empty", "max_characters"]
    }

    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let labels = if self.is_parquet() { parquet::class_names(self, context)? } else { None };
        Ok(Outline { input: self.given_input(), labels, notes: Vec::new() })
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        if self.is_parquet() {
            return parquet::read_from(self, &Hub::from_env(), context);
        }
        text_files::read(self, context)
    }
}
