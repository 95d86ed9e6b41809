//! Examples without labels: for a student to learn what its teachers say about them, or of no class at all. They are of the kind
//! of the data's own examples and become what these are: images of the same size, windows of the same length.
//!
//! | data | read | refused | noted |
//! |---|---|---|---|
//! | texts | a file of texts as of `[data] kind = "table"`, parquet files too | as in `table/mod.rs`; several lists without `list` | as in `table/mod.rs` |
//! | images | a folder of images, with all folders in it; an idx file of images; parquet files with a column of images | no image; idx images of another size or for data in colour; as in `image_folder.rs`, `idx.rs` and `hub_images.rs` | files that are no images; transparent images |
//! | features | a matrix, as in `features.rs` | another number of columns | |
//! | glyphs | nothing: new writers draw the classes, or further characters that are of no class | more characters than there are | |
//!
//! Those that are equal to an example of a split are counted in the report.

mod images;
mod texts;

use super::kind::DataKind;
use super::table::ColumnName;
use crate::features::{FeatureExamples, read_matrix};
use crate::found::Found;
use crate::store::Store;
use crate::unlabelled::{Purpose, Unlabelled};
use crate::{DataError, LoadContext};
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
        problems.extend(texts::problems(self));
        problems
    }

    fn path(&self) -> &Path {
        self.path.as_deref().expect("checked with the config")
    }

    /// Reads the examples, whole where the data's own are still to be cut.
    ///
    /// # Errors
    /// A file that is absent, damaged or of another kind than the data, or that has no example; an interruption.
    pub(crate) fn read(
        &self,
        kind: &dyn DataKind,
        found: &Found,
        purpose: Purpose,
        context: &LoadContext<'_>,
    ) -> Result<Unlabelled, DataError> {
        context.check_interrupted()?;
        if let Some(per_class) = self.per_class {
            let store = kind.draw_unlabelled(per_class, purpose, context)?;
            return Ok(self.found(store, &found.path, purpose, Vec::new()));
        }
        match &found.train.store {
            Store::Texts(own) => {
                let (examples, notes) = texts::read(self, own, purpose, context)?;
                Ok(self.found(Store::Texts(examples), self.path(), purpose, notes))
            }
            Store::Images(own) => {
                let examples = images::read(self, own, kind.transposes_idx(), purpose, context)?;
                Ok(self.found(Store::Images(examples), self.path(), purpose, Vec::new()))
            }
            Store::Features(own) => {
                let examples = self.read_features(own, &found.path)?;
                Ok(self.found(Store::Features(examples), self.path(), purpose, Vec::new()))
            }
        }
    }

    fn read_features(&self, own: &FeatureExamples, train: &Path) -> Result<FeatureExamples, DataError> {
        let path = self.path();
        let matrix = read_matrix(path, self.tensor.as_deref(), Some(&own.offset))?;
        let n_features = matrix.n_features();
        if n_features != own.n_features {
            let expected = format!("{}, as in {}", own.n_features, train.display());
            return Err(DataError::invalid(path, format!("{n_features} features"), expected));
        }
        Ok(FeatureExamples { values: matrix.values, n_features, offset: matrix.offset })
    }

    /// Examples with what is to be told of them.
    fn found(&self, store: Store, path: &Path, purpose: Purpose, notes: Vec<(String, String)>) -> Unlabelled {
        let what = purpose.describe(store.modality().noun());
        let origin = (what, format!("{} of {}", store.n_wholes(), path.display()));
        let notes = std::iter::once(origin).chain(notes).collect();
        Unlabelled { store, path: path.to_owned(), max_examples: self.max_examples, notes }
    }
}

/// ``path`, `image` or `max_examples``
fn listed_keys(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    format!("{} or `max_examples`", quoted.join(", "))
}
