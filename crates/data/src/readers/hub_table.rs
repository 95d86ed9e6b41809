//! Texts in parquet files: a text column and a label column, local or from a hub.

use super::parquet_source::{Source, Whereabouts, join};
use super::parquet_table::ParquetTable;
use super::table::{
    Changes, ColumnName, TextRules, default_label, default_text, explain, max_characters, shift_problem,
};
use crate::assemble::{Found, Part, Views, assemble};
use crate::augment::TextAugmentConfig;
use crate::config::default_valid_fraction;
use crate::hub::Hub;
use crate::labels::{LabelColumn, Numbering, RawLabels};
use crate::outline::Outline;
use crate::places::Places;
use crate::store::Store;
use crate::texts::TextStore;
use crate::windows::WindowsConfig;
use crate::{DataError, Dataset, LoadContext};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, Problem};

/// Parquet files with a text column and a label column. Give `repo` or `path`; a `path` wins, so that any config can be
/// pointed at local files with `--set data.path=FOLDER`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubTableConfig {
    /// Dataset repository on the hub, `owner/name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Folder of parquet files with `train`, `test` or `validation` in their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Branch, tag or commit of the repository; without it `main`. The commit that was used is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Folder of the wanted files where the source holds several subsets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Column with the texts.
    #[serde(default = "default_text")]
    pub text: ColumnName,
    /// Column with the labels, whole numbers or names.
    #[serde(default = "default_label")]
    pub label: ColumnName,
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
    /// Part of each class's training texts that is held out for validation where the source has none.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
    /// How training texts are varied from view to view.
    #[serde(default)]
    pub augment: TextAugmentConfig,
}

impl HubTableConfig {
    fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            repo: self.repo.as_deref(),
            path: self.path.as_deref(),
            revision: self.revision.as_deref(),
            subset: self.subset.as_deref(),
        }
    }

    fn rules(&self) -> TextRules {
        let max_characters = max_characters(self.max_characters, self.windows.as_ref());
        TextRules { max_characters, skip_empty: self.skip_empty }
    }

    pub(crate) fn contradictions(&self) -> Vec<Problem> {
        let shift = shift_problem(self.windows.as_ref(), &self.augment);
        shift.into_iter().chain(self.whereabouts().problems()).collect()
    }
}

pub(crate) fn load(config: &HubTableConfig, context: &LoadContext) -> Result<Dataset, DataError> {
    load_from(config, &Hub::from_env(), context)
}

/// What the label column of local training files and the settings tell; none for files that are still to be fetched.
pub(crate) fn outline(config: &HubTableConfig, context: &LoadContext) -> Result<Outline, DataError> {
    let input = Some(InputShape::Text {});
    let labels = match &config.path {
        Some(path) => Some(Source::local(path, &config.whereabouts())?.class_names(config.label.name(), context)?),
        None => None,
    };
    Ok(Outline { input, labels, notes: Vec::new() })
}

/// As [`load`], with a hub of one's own.
pub(crate) fn load_from(config: &HubTableConfig, hub: &Hub, context: &LoadContext) -> Result<Dataset, DataError> {
    let source = Source::find(&config.whereabouts(), hub, context)?;
    let mut splits = Vec::new();
    for (split, files) in source.splits() {
        splits.push((split, read_tables(files, config, context)?));
    }
    let numbering = Numbering::new(&splits[0].1.labels, splits[0].1.names.clone())?;
    let mut provenance = source.provenance;
    let mut parts = Vec::new();
    for (split, tables) in splits {
        explain(split, tables.changes, &mut provenance);
        let classes = numbering.classes(&tables.labels)?;
        let classes = classes.into_iter().zip(&tables.is_kept).filter(|(_, kept)| **kept).map(|(class, _)| class);
        let part = Part { store: Store::Texts(tables.texts), classes: classes.collect(), digests: Vec::new() };
        parts.push((split, part));
    }
    let mut part = |name: &str| {
        let index = parts.iter().position(|(split, _)| *split == name)?;
        Some(parts.swap_remove(index).1)
    };
    let found = Found {
        name: source.name,
        path: source.path,
        labels: numbering.names().to_vec(),
        train: part("train").expect("a source has training files"),
        valid: part("valid"),
        test: part("test"),
        provenance,
        salt: String::new(),
        windows: config.windows.clone(),
    };
    assemble(found, config.valid_fraction, Views::Texts(config.augment.clone()), context)
}

/// The texts and labels of one split.
struct Tables {
    texts: TextStore,
    labels: LabelColumn,
    names: Option<Vec<String>>,
    /// Which rows have a text; the others have a label alone.
    is_kept: Vec<bool>,
    changes: Changes,
}

fn read_tables(files: &[PathBuf], config: &HubTableConfig, context: &LoadContext) -> Result<Tables, DataError> {
    let mut places = Places::new("row", 0);
    let mut labels: Option<RawLabels> = None;
    let mut names = None;
    let (mut texts, mut is_kept, mut changes) = (TextStore::default(), Vec::new(), Changes::default());
    for path in files {
        let table = ParquetTable::open(path)?;
        let first = is_kept.len();
        places.begin_file(path, first);
        let more = table.read_labels(config.label.name(), context)?;
        table.read_texts(config.text.name(), context, |bytes| {
            let place = || format!("row {}", is_kept.len() - first);
            let text = utf8(path, bytes, place)?;
            let kept = config.rules().apply(text, path, place, &mut changes)?;
            kept.iter().for_each(|text| texts.push(text));
            is_kept.push(kept.is_some());
            Ok(())
        })?;
        if is_kept.len() - first != more.len() {
            let found = format!("{} texts and {} labels", is_kept.len() - first, more.len());
            return Err(DataError::invalid(path, found, "as many labels as texts"));
        }
        names = names.or_else(|| table.class_names(config.label.name()));
        labels = Some(join(labels, more, path)?);
    }
    texts.shrink();
    let labels = labels.expect("there is at least one file in a split that is read");
    Ok(Tables { texts, labels: LabelColumn { labels, places }, names, is_kept, changes })
}

fn utf8<'a>(path: &Path, bytes: &'a [u8], place: impl Fn() -> String) -> Result<&'a str, DataError> {
    std::str::from_utf8(bytes)
        .map_err(|_| DataError::invalid(path, format!("bytes that are no UTF-8 in {}", place()), "a text"))
}
