//! The start of a table, and what it looks like.

use crate::DataError;
use crate::readers::table::json_rows::AS_ROWS;
use std::path::Path;

/// What a table looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableGuess {
    /// name of the text column, or its number from 1 on
    pub text: String,
    /// name of the label column, or its number from 1 on
    pub label: String,
    /// the column that says the split of each row, where there is one
    pub split: Option<String>,
    /// whether columns have names
    pub has_names: bool,
    /// character between the columns, where it is not that of the file's ending
    pub delimiter: Option<char>,
    /// whether quotation marks are marks of the format, where it is not what the delimiter suggests
    pub quotes: Option<bool>,
    /// distinct labels among the rows that were looked at
    pub n_labels: usize,
    /// mean number of characters of a text
    pub mean_characters: usize,
}

/// Rows that are looked at.
pub(super) const N_ROWS: usize = 2000;
/// Names of the columns if they have some, and rows.
pub(super) struct Table {
    pub(super) names: Option<Vec<String>>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The same of JSON, of which the rows may be what is missing.
pub(super) fn no_json_columns(path: &Path) -> DataError {
    no_columns(path).hint(AS_ROWS)
}

/// A table in which nothing looks like texts and labels.
pub(super) fn no_columns(path: &Path) -> DataError {
    DataError::invalid(path, "no columns that look like texts and labels", "a column of texts and one of labels")
        .hint("write the config by hand: kind = \"table\", text = COLUMN, label = COLUMN")
}
