//! Tables for programs: RFC 4180, numbers in full precision.

use crate::table::Table;
use csv::{Terminator, WriterBuilder};
use std::borrow::Cow;
use std::io::{self, Write};

/// The table with all its columns; a number that is not known is an empty field.
pub(crate) fn render(table: &Table) -> String {
    let rows = table.rows().map(|row| {
        row.cells.iter().map(|cell| cell.value.map_or(cell.text.clone(), |value| value.to_string())).collect()
    });
    let header: Vec<String> = table.columns.iter().map(|column| column.title.clone()).collect();
    let mut text = Vec::new();
    write_rows(&mut text, std::iter::once(header).chain(rows)).expect("memory takes all bytes");
    String::from_utf8(text).expect("fields are UTF-8")
}

/// Writes rows, the header first. Fields with commas, quotes or line breaks are quoted.
///
/// # Errors
/// Those of the writer.
///
/// # Panics
/// If a row is not as long as the header: a bug of the caller.
pub fn write_rows(out: impl Write, rows: impl IntoIterator<Item = Vec<String>>) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    for row in rows {
        if let Err(error) = writer.write_record(&row) {
            match error.into_kind() {
                csv::ErrorKind::Io(error) => return Err(error),
                other => panic!("rows are as long as the header: {other:?}"),
            }
        }
    }
    writer.flush()
}

/// A text of somebody's data as a field: one that a spreadsheet would compute as a formula gets an apostrophe in front, which
/// spreadsheets take for "this is text". Numbers, such as the label `-1`, stay as they are.
pub fn text_field(text: &str) -> Cow<'_, str> {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.trim().parse::<f64>().is_err();
    if is_formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_formulas_are_text() {
        let labels = ["a,b", "say \"x\"", "two\nlines", "=1+1", "@SUM(A1)", "-1", "+2.5", "- none", "plain"];
        let mut text = Vec::new();
        write_rows(&mut text, labels.iter().map(|label| vec![text_field(label).into_owned(), "0.5".to_owned()]))
            .unwrap();
        let text = String::from_utf8(text).unwrap();
        let expected = "\"a,b\",0.5|\"say \"\"x\"\"\",0.5|\"two\nlines\",0.5|'=1+1,0.5|'@SUM(A1),0.5|-1,0.5|+2.5,0.5|'- none,0.5|plain,0.5|";
        assert_eq!(text.replace("\r\n", "|"), expected);
    }
}
