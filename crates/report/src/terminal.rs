//! The last thing that a run or a sweep prints: the finding, a small table, the warnings. Plain ASCII but for the user's
//! own labels, at most 80 columns.

use crate::document::{Document, Part};
use crate::format::ascii;
use crate::table::{Cell, Output, Table};
use crate::text::{TERMINAL_WIDTH, wrapped};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell as GridCell, CellAlignment, ContentArrangement, Row, Table as Grid, TableStyle};

/// The headline, the first table, the warnings and what to try next.
pub(crate) fn render(document: &Document) -> String {
    let paragraphs = |first: &str, sentences: &[String]| -> String {
        sentences.iter().map(|sentence| wrapped(first, &ascii(sentence), TERMINAL_WIDTH)).collect()
    };
    let mut blocks =
        vec![wrapped("", &ascii(&document.headline), TERMINAL_WIDTH) + &paragraphs("  ", &document.supporting)];
    let parts = || document.sections.iter().flat_map(|section| section.parts.iter().map(move |part| (section, part)));
    let mut tables = parts().filter_map(|(_, part)| if let Part::Table(table) = part { Some(table) } else { None });
    blocks.extend(tables.next().map(|table| grid(&table.shown_in(Output::Terminal), NOTHING, ascii) + "\n"));
    blocks.push(paragraphs("! ", &document.warnings));
    for (section, part) in parts() {
        if let Part::List(sentences) = part {
            blocks.push(format!("{}:\n{}", section.title, paragraphs("- ", sentences)));
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

/// A table of characters, texts to the left and numbers to the right.
pub(crate) fn grid(table: &Table, style: TableStyle, escaped: fn(&str) -> String) -> String {
    let mut grid = Grid::new();
    grid.load_style(style);
    if style == NOTHING {
        grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(TERMINAL_WIDTH as u16);
    }
    let row = |texts: Vec<String>| {
        let cells = texts.iter().zip(&table.columns).map(|(text, column)| {
            let alignment = if column.is_text { CellAlignment::Left } else { CellAlignment::Right };
            GridCell::new(escaped(text)).set_alignment(alignment)
        });
        Row::from(cells.collect::<Vec<_>>())
    };
    grid.set_header(row(table.columns.iter().map(|column| column.title.clone()).collect()));
    for cells in table.rows().map(|row| &row.cells) {
        grid.add_row(row(cells.iter().map(Cell::plain).collect()));
    }
    if style == NOTHING {
        // one blank between columns: seven of them and the longest name just fit
        grid.column_iter_mut().for_each(|column| _ = column.set_padding((0, 1)));
    }
    grid.trim_fmt()
}
