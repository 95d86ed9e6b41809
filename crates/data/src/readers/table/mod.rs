//! Tables of texts and labels: CSV, TSV, JSON lines and JSON.

pub(crate) mod builtin;
mod column;
mod delimited;
mod gathered;
mod guess;
mod json;
mod row;
mod unlabelled;

pub use column::ColumnName;
pub(crate) use gathered::{Changes, TextRules};
pub use guess::{TableGuess, guess_table};
pub use unlabelled::UnlabelledConfig;

use self::delimited::Dialect;
use self::gathered::Gathered;
use self::row::{Columns, Visit};
use super::split_name::SplitName;
use crate::assemble::{Found, Part, Views, assemble};
use crate::augment::TextAugmentConfig;
use crate::config::default_valid_fraction;
use crate::store::Store;
use crate::windows::WindowsConfig;
use crate::{DataError, Dataset, LoadContext, ProgressUnit};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::Problem;

/// Texts and labels in files: `.csv`, `.tsv`, `.jsonl` or `.json`, each also with `.gz` behind it. Give one file for each
/// split, or a single `path`. `builtin:languages/train.tsv`, `.../unlabelled.tsv` and `.../test.tsv` are tables inside the
/// program: the Universal Declaration of Human Rights in 200 languages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// File of training texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<PathBuf>,
    /// File of validation texts; without it they are carved from the training texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<PathBuf>,
    /// File of test texts; without it a tenth of each class is held out for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// One file instead. Its splits are told apart by the column `split`, or by the keys of the lists in a `.json` file;
    /// splits that are not there are carved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Column with the texts: its name, or its number from 1 on where columns have no names.
    #[serde(default = "default_text")]
    pub text: ColumnName,
    /// Column with the labels.
    #[serde(default = "default_label")]
    pub label: ColumnName,
    /// Column of `path` that says `train`, `valid` or `test`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<ColumnName>,
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
    /// How training texts are varied from view to view.
    #[serde(default)]
    pub augment: TextAugmentConfig,
}

pub(crate) fn default_text() -> ColumnName {
    ColumnName::new("text")
}

pub(crate) fn default_label() -> ColumnName {
    ColumnName::new("label")
}

fn yes() -> bool {
    true
}

/// Longer texts are rare, and their ends rarely say what their beginnings do not.
const MAX_CHARACTERS: usize = 10_000;

/// Characters kept of a text, by what the config says.
pub(crate) fn max_characters(limit: Option<usize>, windows: Option<&WindowsConfig>) -> Option<usize> {
    limit.or(windows.is_none().then_some(MAX_CHARACTERS))
}

/// Views that move windows, of texts that are not cut into windows.
pub(crate) fn shift_problem(windows: Option<&WindowsConfig>, augment: &TextAugmentConfig) -> Option<Problem> {
    let (TextAugmentConfig::Text(views), None) = (augment, windows) else { return None };
    let text = "moves the windows of a text; set windows too, or augment.window instead";
    (views.shift > 0).then(|| Problem::new("augment.shift", text))
}

impl TableConfig {
    fn rules(&self) -> TextRules {
        let max_characters = max_characters(self.max_characters, self.windows.as_ref());
        TextRules { max_characters, skip_empty: self.skip_empty }
    }

    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        let place = match (&self.path, &self.train) {
            (None, None) => Some(("path", "missing; path or train says where the texts are")),
            (Some(_), Some(_)) => {
                Some(("path", "a single file in place of train, valid and test, expected one of the two"))
            }
            (Some(_), None) if self.valid.is_some() || self.test.is_some() => {
                Some(("path", "a single file, expected no valid and no test with it"))
            }
            (None, Some(_)) if self.split.is_some() => {
                Some(("split", "tells the rows of a single file apart, which is given as path"))
            }
            _ => None,
        };
        let is_usable = |delimiter: char| delimiter.is_ascii() && !"\r\n\"".contains(delimiter);
        let delimiter = self.delimiter.filter(|delimiter| !is_usable(*delimiter)).map(|delimiter| {
            let text = format!("must be an ASCII character that ends no line, found {delimiter:?}");
            Problem::new("delimiter", text)
        });
        let place = place.map(|(key, text)| Problem::new(key, text));
        let shift = shift_problem(self.windows.as_ref(), &self.augment);
        [shift, place, delimiter].into_iter().flatten().collect()
    }

    /// Reads all rows of a file.
    fn visit(&self, path: &Path, context: &LoadContext, visit: &mut Visit<'_>) -> Result<(), DataError> {
        context.check_interrupted()?;
        let columns = Columns { text: &self.text, label: &self.label, split: self.split.as_ref() };
        let is_plain = path.extension().is_none_or(|ending| ending != "gz");
        let size = std::fs::metadata(path).map(|data| data.len()).ok().filter(|_| is_plain);
        context.progress.start(&format!("reading {}", path.display()), size, ProgressUnit::Bytes);
        let read = match Format::of(path, self)? {
            Format::Delimited(dialect) => delimited::visit_rows(path, dialect, &columns, context, visit),
            Format::JsonLines => json::visit_lines(path, &columns, context, visit),
            Format::Json => json::visit_whole(path, &columns, visit),
        };
        context.progress.finish();
        read
    }
}

/// How a file is to be read.
enum Format {
    Delimited(Dialect),
    JsonLines,
    Json,
}

impl Format {
    /// By the ending of the name; a delimiter in the config speaks for itself.
    fn of(path: &Path, config: &TableConfig) -> Result<Self, DataError> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let ending = name.trim_end_matches(".gz").rsplit('.').next().unwrap_or_default();
        let delimiter = match (ending, config.delimiter) {
            ("jsonl" | "ndjson", _) => return Ok(Self::JsonLines),
            ("json", _) => return Ok(Self::Json),
            (_, Some(delimiter)) => delimiter,
            ("csv", None) => ',',
            ("tsv" | "tab", None) => '\t',
            _ => {
                let expected = "a name that ends in .csv, .tsv, .jsonl or .json";
                return Err(DataError::invalid(path, "a file of unknown format", expected)
                    .hint("a text file of columns is read with delimiter = \",\" or another one"));
            }
        };
        let quotes = config.quotes.unwrap_or(delimiter != '\t');
        Ok(Self::Delimited(Dialect { delimiter: delimiter as u8, quotes, header: config.header }))
    }
}

pub(crate) fn load(config: &TableConfig, context: &LoadContext) -> Result<Dataset, DataError> {
    let [train, valid, test] = match (&config.path, &config.train) {
        (Some(path), _) => read_together(config, path, context)?,
        (None, train) => {
            let read = |path: &PathBuf| read_alone(config, path, context).map(|gathered| (path.clone(), gathered));
            let train = train.as_ref().map(read).transpose()?;
            [train, config.valid.as_ref().map(read).transpose()?, config.test.as_ref().map(read).transpose()?]
        }
    };
    let (path, train) = train.expect("the config is checked before the load, and a file has rows");
    let labels = train.sorted_labels();
    let mut provenance = vec![("training texts".to_owned(), path.display().to_string())];
    let mut part = |split: &str, path: &Path, gathered: Gathered| -> Result<Part, DataError> {
        explain(split, gathered.changes, &mut provenance);
        let (texts, classes) = gathered.finish(path, &labels)?;
        Ok(Part { store: Store::Texts(texts), classes, digests: Vec::new() })
    };
    let train = part("training", &path, train)?;
    let valid = valid.map(|(path, gathered)| part("validation", &path, gathered)).transpose()?;
    let test = test.map(|(path, gathered)| part("test", &path, gathered)).transpose()?;
    let found = Found {
        name: dataset_name(&path),
        path,
        labels: labels.clone(),
        train,
        valid,
        test,
        provenance,
        salt: String::new(),
        windows: config.windows.clone(),
    };
    assemble(found, config.valid_fraction, Views::Texts(config.augment.clone()), context)
}

/// The folder of a file that is named by its split, and the file's own name otherwise.
fn dataset_name(path: &Path) -> String {
    if let Some(name) = builtin::dataset_name(path) {
        return name.to_owned();
    }
    let stem = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default().to_owned();
    let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    if SplitName::of_word(&stem).is_some() { folder.unwrap_or(stem) } else { stem }
}

/// Notes what the rules have changed.
pub(crate) fn explain(split: &str, changes: Changes, provenance: &mut Vec<(String, String)>) {
    let notes = [(changes.n_skipped, "left out, being empty"), (changes.n_shortened, "shortened")];
    for (n_texts, what) in notes.into_iter().filter(|(n_texts, _)| *n_texts > 0) {
        provenance.push((format!("{split} texts {what}"), n_texts.to_string()));
    }
}

type Named = Option<(PathBuf, Gathered)>;

/// A file of one split.
fn read_alone(config: &TableConfig, path: &Path, context: &LoadContext) -> Result<Gathered, DataError> {
    let mut gathered = Gathered::default();
    config.visit(path, context, &mut |row| {
        if let Some(split) = row.split {
            let found = format!("several lists, `{split}` among them");
            return Err(DataError::invalid(path, found, "one list of rows")
                .hint("a file with all splits is given as path, without train and test"));
        }
        gathered.push(path, row, config.rules())
    })?;
    Ok(gathered)
}

/// A file of all splits. Rows without a split are training rows; lists of a JSON file that no split is named after are
/// left alone.
fn read_together(config: &TableConfig, path: &Path, context: &LoadContext) -> Result<[Named; 3], DataError> {
    let mut splits: [Gathered; 3] = Default::default();
    config.visit(path, context, &mut |row| {
        let split = match row.split.map(|word| (word, SplitName::of_word(word.trim()))) {
            None | Some((_, Some(SplitName::Train))) => 0,
            Some((_, Some(SplitName::Valid))) => 1,
            Some((_, Some(SplitName::Test))) => 2,
            Some((_, None)) if config.split.is_none() => return Ok(()),
            Some((word, None)) => {
                let found = format!("split `{word}` in {}", row.place.describe(path));
                return Err(DataError::invalid(path, found, "train, valid or test"));
            }
        };
        splits[split].push(path, row, config.rules())
    })?;
    if splits[0].len() == 0 {
        return Err(DataError::invalid(path, "no training row", "rows, or a list, of the split `train`"));
    }
    Ok(splits.map(|gathered| (gathered.len() > 0).then(|| (path.to_owned(), gathered))))
}
