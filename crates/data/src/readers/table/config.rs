//! The keys of `kind = "table"`.

use super::column::{ColumnName, default_label, default_text};
use super::format::{TableFormat, delimiter_problem, yes};
use super::row::Columns;
use crate::readers::parquet::Whereabouts;
use crate::settings::default_valid_fraction;
use crate::texts::{TextAugmentConfig, TextRules, WindowsConfig, max_characters, shift_problem};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::Problem;

/// Texts and labels in files: `.csv`, `.tsv`, `.jsonl` or `.json`, each also with `.gz` behind it, or `.parquet`. Give
/// one file for each split, a single `path`, or `repo`; a `path` wins over a `repo`, so that any config can be pointed at local
/// files with `--set data.path=PLACE`. `builtin:languages/train.tsv`, `.../unlabelled.tsv` and `.../test.tsv` are tables inside the
/// program: the Universal Declaration of Human Rights in 200 languages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// File of training texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub train: Option<PathBuf>,
    /// File of validation texts; without it they are carved from the training texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub valid: Option<PathBuf>,
    /// File of test texts; without it a tenth of each class is held out for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub test: Option<PathBuf>,
    /// One file instead. Its splits are named by the column `split`, or by the keys of the lists in a `.json` file; splits
    /// that are not there are carved. Or a folder of parquet files with `train`, `test` or `validation` in their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub path: Option<PathBuf>,
    /// Dataset repository of parquet files on the hub, `owner/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Branch, tag or commit of the repository; without it `main`. The commit that was used is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Folder of the wanted parquet files where the source holds several subsets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Column with the texts: its name, or its number from 1 on where columns have no names.
    #[serde(default = "default_text")]
    pub text: ColumnName,
    /// Column with the labels.
    #[serde(default = "default_label")]
    pub label: ColumnName,
    /// Column of `path` that says `train`, `valid` or `test`; not for parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<ColumnName>,
    /// Whether the first line names the columns; of no meaning for JSON and parquet.
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
    /// Characters that are kept of a longer text; 10000 by default, and all of them where texts are cut into windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_characters: Option<usize>,
    /// Cuts each text into several examples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<WindowsConfig>,
    /// Part of each class's training texts that is held out for validation where there are none.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
    /// Part of each class's training examples that keep their labels, all of them by default. The others become examples without
    /// labels: teachers do not see them, and students learn what teachers say about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub labelled_fraction: Option<f64>,
    /// How training texts are varied from view to view.
    #[serde(default)]
    pub augment: TextAugmentConfig,
}

/// Whether a file is a parquet file by its name.
pub(crate) fn is_named_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "parquet")
}

impl TableConfig {
    /// What is done with texts that are empty or too long.
    pub(crate) fn rules(&self) -> TextRules {
        let max_characters = max_characters(self.max_characters, self.windows.as_ref());
        TextRules { max_characters, skip_empty: self.skip_empty }
    }

    /// How a file of text is read.
    pub(crate) fn format(&self) -> TableFormat<'_> {
        let columns = Columns {
            text: &self.text,
            label: &self.label,
            split: self.split.as_ref(),
            missing_is_empty: self.skip_empty,
        };
        TableFormat { columns, header: self.header, delimiter: self.delimiter, quotes: self.quotes }
    }

    /// The place of parquet files, in a folder or on a hub.
    pub(crate) fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            repo: self.repo.as_deref(),
            path: self.path.as_deref(),
            revision: self.revision.as_deref(),
            subset: self.subset.as_deref(),
        }
    }

    /// Whether the texts are in parquet files: a folder, a repository, or files that are named so.
    pub(crate) fn is_parquet(&self) -> bool {
        match (&self.path, &self.train) {
            (Some(path), _) => path.is_dir() || is_named_parquet(path),
            (None, Some(train)) => is_named_parquet(train),
            (None, None) => self.repo.is_some(),
        }
    }

    /// Settings that contradict each other.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let place = match (&self.path, &self.train) {
            (None, None) if self.repo.is_none() => {
                Some(("path", "missing; path, train or repo says where the texts are"))
            }
            (Some(_), Some(_)) => {
                Some(("path", "a single file in place of train, valid and test, expected one of the two"))
            }
            (Some(_), None) if self.valid.is_some() || self.test.is_some() => {
                Some(("path", "a single file, expected no valid and no test with it"))
            }
            (None, _) if self.split.is_some() => {
                Some(("split", "tells the rows of a single file apart, which is given as path"))
            }
            (None, Some(_)) if self.repo.is_some() => Some(("repo", "holds all splits, expected no train with it")),
            _ => None,
        };
        let place = place.map(|(key, text)| Problem::new(key, text));
        let shift = shift_problem(self.windows.as_ref(), &self.augment);
        let problems = [shift, place, self.whereabouts().revision_problem(), delimiter_problem(self.delimiter)];
        problems.into_iter().flatten().collect()
    }
}
