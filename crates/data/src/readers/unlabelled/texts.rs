//! Texts without labels, in files of text or in parquet files.

use super::config::UnlabelledConfig;
use super::files::parquet_files;
use crate::labels::shown;
use crate::readers::parquet::ParquetTable;
use crate::readers::table::format::TableFormat;
use crate::readers::table::parquet::utf8;
use crate::readers::table::row::{Columns, OneList};
use crate::readers::table::{ColumnName, is_named_parquet};
use crate::texts::{Changes, TextExamples, TextRules, TextStore, max_characters, note_changes};
use crate::unlabelled::Purpose;
use crate::{DataError, LoadContext};

/// Whole texts, to be cut as the dataset's own texts are, and what was changed in them.
pub(super) fn read(
    config: &UnlabelledConfig,
    own: &TextExamples,
    purpose: Purpose,
    context: &LoadContext<'_>,
) -> Result<(TextExamples, Vec<(String, String)>), DataError> {
    let path = config.path();
    let skip_empty = config.skip_empty.unwrap_or(false);
    let rules = TextRules { max_characters: max_characters(config.max_characters, own.windows.as_ref()), skip_empty };
    let column = config.text.clone().unwrap_or_else(|| ColumnName::new("text"));
    let (mut texts, mut changes) = (TextStore::default(), Changes::default());
    match path.is_dir() || is_named_parquet(path) {
        true => read_parquet(config, &column, &rules, (&mut texts, &mut changes), context)?,
        false => read_text_file(config, &column, &rules, (&mut texts, &mut changes), context)?,
    }
    if texts.n_texts() == 0 {
        let expected = match &config.list {
            Some(list) => format!("at least one in a list `{list}`"),
            None => "at least one".to_owned(),
        };
        return Err(DataError::invalid(path, "no text", expected));
    }
    texts.shrink();
    let split = match purpose {
        Purpose::Transfer => "transfer",
        Purpose::OutOfScope => "out of scope",
    };
    let mut notes = Vec::new();
    note_changes(split, changes, path, context, &mut notes);
    Ok((TextExamples { texts, windows: own.windows.clone(), augment: own.augment.clone() }, notes))
}

fn read_text_file(
    config: &UnlabelledConfig,
    column: &ColumnName,
    rules: &TextRules,
    (texts, changes): (&mut TextStore, &mut Changes),
    context: &LoadContext<'_>,
) -> Result<(), DataError> {
    let path = config.path();
    // there is no label, so the text is read in its place
    let columns = Columns { text: column, label: column, split: None, missing_is_empty: rules.skip_empty };
    let header = config.header.unwrap_or(true);
    let format = TableFormat { columns, header, delimiter: config.delimiter, quotes: config.quotes };
    let mut lists = OneList::default();
    format.visit(path, context, &mut |row| {
        match config.list.as_deref() {
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
        if let Some(text) = rules.apply(row.text, path, || row.place.describe(path), changes)? {
            texts.push(text);
        }
        Ok(())
    })
}

fn read_parquet(
    config: &UnlabelledConfig,
    column: &ColumnName,
    rules: &TextRules,
    (texts, changes): (&mut TextStore, &mut Changes),
    context: &LoadContext<'_>,
) -> Result<(), DataError> {
    for path in &parquet_files(config.path())? {
        let mut row = 0;
        ParquetTable::open(path)?.read_texts(column.name(), context, |bytes| {
            let place = || format!("row {row}");
            let text = utf8(path, bytes, place)?;
            rules.apply(text, path, place, changes)?.iter().for_each(|text| texts.push(text));
            row += 1;
            Ok(())
        })?;
    }
    Ok(())
}
