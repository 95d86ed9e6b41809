//! Texts without labels: for a student to learn what its teachers say about them, or of no class at all.

use super::{Changes, ColumnName, TableConfig, default_text, max_characters, yes};
use crate::texts::TextStore;
use crate::windows::WindowsConfig;
use crate::{DataError, LoadContext, TextAugmentConfig};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use stillhouse_core::{Problem, check_values};

/// A file of texts without labels, in a format of `[data] kind = "table"`. They are cut into windows as the texts beside
/// them are: a student's as training texts, those of no class as test texts.
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
    /// The same file as a table, for the readers of tables; its texts stand for the labels that it does not need.
    fn as_table(&self) -> TableConfig {
        TableConfig {
            train: None,
            valid: None,
            test: None,
            path: Some(self.path.clone()),
            text: self.text.clone(),
            label: self.text.clone(),
            split: None,
            header: self.header,
            delimiter: self.delimiter,
            quotes: self.quotes,
            skip_empty: self.skip_empty,
            max_characters: self.max_characters,
            windows: None,
            valid_fraction: crate::config::default_valid_fraction(),
            augment: TextAugmentConfig::default(),
        }
    }

    /// Everything that is wrong with the values.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = check_values(self);
        problems.extend(self.as_table().contradictions());
        let name = self.path.to_string_lossy();
        if self.list.is_some() && !name.trim_end_matches(".gz").ends_with(".json") {
            problems.push(Problem::new("list", "only a .json file has lists"));
        }
        problems
    }

    /// Whole texts, and how many were changed or left out.
    pub(crate) fn read(
        &self,
        windows: Option<&WindowsConfig>,
        context: &LoadContext,
    ) -> Result<(TextStore, Changes), DataError> {
        let table = self.as_table();
        let mut rules = table.rules();
        rules.max_characters = max_characters(self.max_characters, windows);
        let (mut texts, mut changes) = (TextStore::default(), Changes::default());
        let path = &self.path;
        table.visit(path, context, &mut |row| {
            match (row.split, self.list.as_deref()) {
                (Some(list), None) => {
                    let found = format!("several lists, `{list}` among them");
                    return Err(DataError::invalid(path, found, "one list of rows")
                        .hint(format!("list = \"{list}\" reads one of them")));
                }
                (list, Some(wanted)) if list != Some(wanted) => return Ok(()),
                _ => {}
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
        Ok((texts, changes))
    }
}
