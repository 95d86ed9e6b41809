//! Texts that a model is to predict: lines, or a column of a table.

use super::input::{Given, GivenInput, GivenSource, STANDARD_INPUT, TakeGiven, Undecoded};
use crate::labels::shown;
use crate::readers::parquet::ParquetTable;
use crate::readers::table::format::TableFormat;
use crate::readers::table::parquet::utf8;
use crate::readers::table::row::{Columns, OneList};
use crate::readers::table::{TextColumn, find_text_column, is_named_parquet};
use crate::text_lines::TextLines;
use crate::{DataError, LoadContext};
use std::path::Path;

/// Lines that are read together.
const LINES_AT_ONCE: usize = 1024;

/// The lines of a file, a pipe or a device; a file `-` is standard input.
pub(super) fn visit_lines(path: &Path, take: &mut TakeGiven<'_>) -> Result<(), DataError> {
    visit(TextLines::of_file(path)?, &path.display().to_string(), take)
}

/// The lines of standard input.
pub(super) fn visit_standard_input(take: &mut TakeGiven<'_>) -> Result<(), DataError> {
    visit(TextLines::of_stream(Path::new("standard input"), std::io::stdin().lock())?, STANDARD_INPUT, take)
}

fn visit(mut lines: TextLines<'_>, place: &str, take: &mut TakeGiven<'_>) -> Result<(), DataError> {
    let mut row = 0;
    loop {
        let piece = lines.next_lines(LINES_AT_ONCE)?;
        if piece.is_empty() {
            return Ok(());
        }
        for text in piece {
            take_text(place, row, text, take)?;
            row += 1;
        }
    }
}

fn take_text(place: &str, row: u64, text: String, take: &mut TakeGiven<'_>) -> Result<(), DataError> {
    take(Given::Input(GivenInput { source: GivenSource::row(place, row), content: Undecoded::Text(text) }))
}

/// One column of a table. A text that is missing is an empty one.
pub(super) fn visit_table(
    path: &Path,
    column: Option<&str>,
    context: &LoadContext<'_>,
    take: &mut TakeGiven<'_>,
) -> Result<(), DataError> {
    let found = find_text_column(path, column)?;
    if let Some(note) = found.note(column.is_some()) {
        context.note(format!("{}: {note}", path.display()));
    }
    match is_named_parquet(path) {
        true => visit_parquet(path, &found, context, take),
        false => visit_rows(path, &found, context, take),
    }
}

fn visit_rows(
    path: &Path,
    found: &TextColumn,
    context: &LoadContext<'_>,
    take: &mut TakeGiven<'_>,
) -> Result<(), DataError> {
    let column = &found.column;
    // there is no label, so the text is read in its place
    let columns = Columns { text: column, label: column, split: None, missing_is_empty: true };
    let format = TableFormat { columns, header: found.header, delimiter: found.delimiter, quotes: Some(found.quotes) };
    let (mut lists, mut row_idx, place) = (OneList::default(), 0, path.display().to_string());
    format.visit(path, context, &mut |row| {
        if let Some(list) = lists.other_than_first(row.split) {
            let found = format!("several lists, `{}` among them", shown(list));
            return Err(
                DataError::invalid(path, found, "one list of rows").hint("write each list into a file of its own")
            );
        }
        take_text(&place, row_idx, row.text.to_owned(), take)?;
        row_idx += 1;
        Ok(())
    })
}

fn visit_parquet(
    path: &Path,
    found: &TextColumn,
    context: &LoadContext<'_>,
    take: &mut TakeGiven<'_>,
) -> Result<(), DataError> {
    let (table, place) = (ParquetTable::open(path)?, path.display().to_string());
    take(Given::Expected(table.n_rows()))?;
    let mut row = 0;
    table.read_texts(found.column.name(), context, |bytes| {
        let text = utf8(path, bytes, || format!("row {row}"))?.to_owned();
        take_text(&place, row, text, take)?;
        row += 1;
        Ok(())
    })
}
