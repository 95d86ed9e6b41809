//! Texts without labels: for a student to learn what its teachers say about them, or of no class at all.

use super::column::{ColumnName, default_text};
use super::format::{TableFormat, delimiter_problem, yes};
use super::row::{Columns, OneList};
use crate::labels::shown;
use crate::texts::{Changes, TextRules, TextStore, WindowsConfig, max_characters, note_changes};
use crate::unlabelled::UnlabelledTexts;
use crate::{DataError, LoadContext};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use stillhouse_core::{Problem, check_values};

/// A file of texts without labels, in a format of `[data] kind = "table"`. They are cut into windows as the
/// dataset's own texts are: a student's as training texts, texts of no class as test texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlabelledConfig {
    /// The file.
    pub path: PathBuf,
    /// The list that is read of a `.json` file that holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Column with the texts: its name, or its number from 1 on where columns have no names.
    #[serde(default = "default_text")]
    pub text: ColumnName,
    /// Whether the first line names the columns; of no meaning for JSON.
    #[serde(default = "yes")]
    pub header: bool,
    /// Character between the columns; by default the tab in `.tsv` files and the comma in `.csv` files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether a field in double quotes may hold delimiters and line breaks; by default unless the delimiter is the tab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotes: Option<bool>,
    /// Leave rows without a text out; otherwise they are an error.
    #[serde(default)]
    pub skip_empty: bool,
    /// Characters that are kept of a longer text; 10000 by default, and all of them where texts are cut into windows. It
    /// should be the `max_characters` of `[data]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_characters: Option<usize>,
}

impl UnlabelledConfig {
    /// Everything that is wrong with the values.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = check_values(self);
        problems.extend(delimiter_problem(self.delimiter));
        let name = self.path.to_string_lossy();
        if self.list.is_some() && !name.trim_end_matches(".gz").ends_with(".json") {
            problems.push(Problem::new("list", "only a .json file has lists"));
        }
        problems
    }

    /// Whole texts, to be cut as the dataset's own texts are. `split` and `what` name them in the provenance.
    ///
    /// # Errors
    /// A file that is absent, damaged, of another format or without a text; an interruption.
    pub(crate) fn read(
        &self,
        windows: Option<&WindowsConfig>,
        [split, what]: [&str; 2],
        context: &LoadContext<'_>,
    ) -> Result<UnlabelledTexts, DataError> {
        let max_characters = max_characters(self.max_characters, windows);
        let rules = TextRules { max_characters, skip_empty: self.skip_empty };
        // there is no label, so the text is read in its place
        let columns = Columns { text: &self.text, label: &self.text, split: None, missing_is_empty: self.skip_empty };
        let format = TableFormat { columns, header: self.header, delimiter: self.delimiter, quotes: self.quotes };
        let (mut texts, mut changes) = (TextStore::default(), Changes::default());
        let (path, mut lists) = (&self.path, OneList::default());
        format.visit(path, context, &mut |row| {
            match self.list.as_deref() {
                Some(wanted) if row.split != Some(wanted) => return Ok(()),
                Some(_) => {}
                None => {
                    if let Some(list) = lists.other_than_first(row.split) {
                        let found = format!("several lists, `{}` among them", shown(list));
                        return Err(DataError::invalid(path, found, "one list of rows")
                            .hint(format!("list = {list:?} reads one of them")));
                    }
                }
            }
            if let Some(text) = rules.apply(row.text, path, || row.place.describe(path), &mut changes)? {
                texts.push(text);
            }
            Ok(())
        })?;
        if texts.n_texts() == 0 {
            let expected = match &self.list {
                Some(list) => format!("at least one in a list `{list}`"),
                None => "at least one".to_owned(),
            };
            return Err(DataError::invalid(path, "no text", expected));
        }
        texts.shrink();
        let mut notes = vec![(what.to_owned(), format!("{} of {}", texts.n_texts(), path.display()))];
        note_changes(split, changes, path, context, &mut notes);
        Ok(UnlabelledTexts { texts, path: path.clone(), notes })
    }
}
