//! Plain text that reads well in a terminal: aligned Markdown tables, wrapped paragraphs.

/// Columns of a terminal that nobody has widened.
pub(crate) const TERMINAL_WIDTH: usize = 80;

/// The text up to a number of characters.
pub(crate) fn shortened(text: &str, n_characters: usize) -> String {
    match text.char_indices().nth(n_characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A Markdown table with aligned columns; `columns` begin with `<` for left or `>` for right.
pub(crate) fn markdown_table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = columns.iter().map(|column| column[1..].to_owned()).collect();
    let is_right: Vec<bool> = columns.iter().map(|column| column.starts_with('>')).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| markdown_cell(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&headings]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &[String]| {
        let padded = (0..columns.len())
            .map(|column| pad(row.get(column).map_or("", String::as_str), widths[column], is_right[column]));
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule = (0..columns.len()).map(|column| {
        let dashes = "-".repeat(widths[column] + 1);
        if is_right[column] { format!("{dashes}:") } else { format!(":{dashes}") }
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    std::iter::once(line(&headings)).chain([rule]).chain(rows.iter().map(|row| line(row))).collect()
}

/// A text that no Markdown reader takes for markup or for the end of a table cell.
pub(crate) fn markdown_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '[' | ']' => escaped.extend(['\\', letter]),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            letter if letter.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Lines of at most `width` characters; the first begins with `first`, the others are indented as far.
pub(crate) fn wrapped(first: &str, text: &str, width: usize) -> String {
    let indent = " ".repeat(first.chars().count());
    let mut lines = vec![first.to_owned()];
    let mut is_fresh = true;
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if !is_fresh && line + 1 + word.chars().count() > width {
            lines.push(indent.clone());
            is_fresh = true;
        }
        if let Some(line) = lines.last_mut() {
            if !is_fresh {
                line.push(' ');
            }
            line.push_str(word);
        }
        is_fresh = false;
    }
    lines.join("\n") + "\n"
}

/// Ordinary spaces for those that only a typesetter needs.
pub(crate) fn plain_spaces(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

/// Only a bar ends a cell, and cells were escaped as texts where they come from the user.
fn markdown_cell(cell: &str) -> String {
    cell.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn pad(text: &str, width: usize, is_right: bool) -> String {
    if is_right { format!("{text:>width$}") } else { format!("{text:<width$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_and_bars_stay_in_their_cells() {
        let rows = [vec!["a|b".to_owned(), "1".to_owned()], vec!["c".to_owned(), "22.5".to_owned()]];
        let expected = "| Name |    x |\n|:-----|-----:|\n| a\\|b |    1 |\n| c    | 22.5 |\n";
        assert_eq!(markdown_table(&["<Name", ">x"], &rows), expected);
    }

    #[test]
    fn paragraphs_keep_their_width() {
        let text = wrapped("  - ", "one two three four five six", 14);
        assert_eq!(text, "  - one two\n    three four\n    five six\n");
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(markdown_text("<b>*x*\n[y]"), "&lt;b>\\*x\\* \\[y\\]");
    }
}
