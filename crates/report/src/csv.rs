//! Tables for programs: RFC 4180, numbers in full precision.

use crate::table::Table;
use csv::{Terminator, WriterBuilder};

/// The table with all its columns; a number that is not known is an empty field.
pub(crate) fn render(table: &Table) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    let rows = table.rows().map(|row| {
        row.cells.iter().map(|cell| cell.value.map_or(cell.text.clone(), |value| value.to_string())).collect()
    });
    let header: Vec<String> = table.columns.iter().map(|column| column.title.clone()).collect();
    for record in std::iter::once(header).chain(rows) {
        writer.write_record(&record).expect("rows are as long as the header, and memory takes all bytes");
    }
    String::from_utf8(writer.into_inner().expect("memory takes all bytes")).expect("fields are UTF-8")
}
