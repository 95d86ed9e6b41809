//! Tables of texts and labels in parquet files, local or from a hub.

use super::config::TableConfig;
use crate::found::{Found, Part, by_split};
use crate::hub::Hub;
use crate::labels::Numbering;
use crate::readers::parquet::{ParquetSource, number_all, read_labelled};
use crate::store::Store;
use crate::texts::{Changes, TextExamples, TextStore, note_changes};
use crate::{DataError, LoadContext};
use std::path::Path;
use stillhouse_core::Problem;

/// Files on this machine, which the config names one by one or by their folder; none where a repository is to be fetched.
fn local(config: &TableConfig, context: &LoadContext<'_>) -> Result<Option<ParquetSource>, DataError> {
    let single = config.path.as_deref().filter(|path| !path.is_dir()).or(config.train.as_deref());
    match (single, &config.path) {
        (Some(train), _) => Ok(Some(ParquetSource::of_files(train, config.valid.as_deref(), config.test.as_deref()))),
        (None, Some(folder)) => ParquetSource::local(folder, &config.whereabouts(), context).map(Some),
        (None, None) => Ok(None),
    }
}

/// The classes of local files; of files that are still to be fetched, nothing is known.
///
/// # Errors
/// Files that are absent or damaged, or have no such label column.
pub(crate) fn class_names(config: &TableConfig, context: &LoadContext<'_>) -> Result<Option<Vec<String>>, DataError> {
    local(config, context)?.map(|source| source.class_names(config.label.name(), context)).transpose()
}

/// Reads the examples, from `hub` where they are not on this machine.
///
/// # Errors
/// Files that are absent or damaged, rows without a text, a hub that does not deliver, an interruption.
pub(crate) fn read_from(config: &TableConfig, hub: &Hub, context: &LoadContext<'_>) -> Result<Found, DataError> {
    if config.split.is_some() {
        let text = "only for files of text; parquet files are one for each split";
        return Err(DataError::Config(vec![Problem::new("split", text)]));
    }
    let source = match local(config, context)? {
        Some(source) => source,
        None => ParquetSource::find(&config.whereabouts(), hub, context)?,
    };
    let rules = config.rules();
    let (mut splits, mut columns) = (Vec::new(), Vec::new());
    for (split, files) in source.splits() {
        // rows without a text have a label alone
        let (mut texts, mut is_kept, mut changes) = (TextStore::default(), Vec::new(), Changes::default());
        columns.push(read_labelled(files, config.label.name(), "text", context, |table, path, _| {
            let first = is_kept.len();
            table.read_texts(config.text.name(), context, |bytes| {
                let place = || format!("row {}", is_kept.len() - first);
                let text = utf8(path, bytes, place)?;
                let kept = rules.apply(text, path, place, &mut changes)?;
                kept.iter().for_each(|text| texts.push(text));
                is_kept.push(kept.is_some());
                Ok(())
            })?;
            Ok(is_kept.len() - first)
        })?);
        texts.shrink();
        splits.push((split, texts, is_kept, changes));
    }
    let (columns, names) = number_all(columns, context)?;
    let numbering = Numbering::new(&columns[0], names, context)?;
    let mut provenance = source.provenance;
    let mut parts = Vec::new();
    for ((split, texts, is_kept, changes), labels) in splits.into_iter().zip(&columns) {
        note_changes(split, changes, &source.path, context, &mut provenance);
        let classes = numbering.classes(labels, context)?.into_iter().zip(is_kept);
        let classes = classes.filter(|(_, kept)| *kept).map(|(class, _)| class).collect();
        let (windows, augment) = (config.windows.clone(), config.augment.clone());
        parts.push((split, Part { store: Store::Texts(TextExamples { texts, windows, augment }), classes }));
    }
    let [train, valid, test] = by_split(parts);
    Ok(Found {
        name: source.name,
        path: source.path,
        labels: numbering.names().to_vec(),
        train: train.expect("a source has training files"),
        valid,
        test,
        valid_fraction: config.valid_fraction,
        labelled_fraction: config.labelled_fraction,
        provenance,
        salt: String::new(),
    })
}

/// The text of a cell.
pub(crate) fn utf8<'a>(path: &Path, bytes: &'a [u8], place: impl Fn() -> String) -> Result<&'a str, DataError> {
    std::str::from_utf8(bytes)
        .map_err(|_| DataError::invalid(path, format!("bytes that are no UTF-8 in {}", place()), "a text"))
}
