//! The tables `[student.transfer]` and `evaluation.out_of_scope`.

use crate::readers::kind::DataKind;
use crate::readers::table::ColumnName;
use crate::readers::table::format::delimiter_problem;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::{Problem, check_values};

/// Examples without labels, in addition to the data's own and of their kind. Texts are cut into windows, images resized, as the
/// data's own are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlabelledConfig {
    /// Texts: a table's file. Images: a folder, an idx file or parquet files. Features: a matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub path: Option<PathBuf>,
    /// Glyphs to draw of each class, by writers of their own; of no class: of as many further characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub per_class: Option<usize>,
    /// At most so many of the examples, drawn at random; all of them by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_examples: Option<usize>,
    /// The list that is read of a `.json` file that holds several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Column with the texts, `text` by default: its name, or its number from 1 on where columns have no names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<ColumnName>,
    /// Whether the first line names the columns, as it does by default; of no meaning for JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Character between the columns; by default the tab in `.tsv` files and the comma in `.csv` files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether a field in double quotes may hold delimiters and line breaks; by default unless the delimiter is the tab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotes: Option<bool>,
    /// Leave rows without a text out; by default they are an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_empty: Option<bool>,
    /// Characters that are kept of a longer text; 10000 by default, and all of them where texts are cut into windows. It
    /// should be the `max_characters` of `[data]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_characters: Option<usize>,
    /// Column with the images in parquet files; not needed where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The tensor to read, where a `.safetensors` file has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
}

impl UnlabelledConfig {
    /// Everything that is wrong with the values, for such data.
    pub(crate) fn problems(&self, kind: &dyn DataKind) -> Vec<Problem> {
        let keys = kind.unlabelled_keys();
        let mut problems = check_values(self);
        let written = serde_json::to_value(self).expect("a config is JSON");
        let written = written.as_object().expect("a table");
        let is_idle = |key: &&String| *key != "max_examples" && !keys.contains(&key.as_str());
        problems.extend(written.keys().filter(is_idle).map(|key| {
            Problem::new(key.clone(), format!("of no meaning for this kind of data, expected {}", listed_keys(keys)))
        }));
        if !written.contains_key(keys[0]) {
            problems.push(Problem::new(keys[0], "missing; it says which examples are meant"));
        }
        problems.extend(delimiter_problem(self.delimiter));
        let name = self.path.as_ref().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        if self.list.is_some() && !name.trim_end_matches(".gz").ends_with(".json") {
            problems.push(Problem::new("list", "only a .json file has lists"));
        }
        problems
    }

    /// Where they are; only for kinds of data that are read.
    pub(super) fn path(&self) -> &Path {
        self.path.as_deref().expect("checked with the config")
    }
}

/// ``path`, `image` or `max_examples``
fn listed_keys(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    format!("{} or `max_examples`", quoted.join(", "))
}
