//! Documents as Markdown, for repositories, issues and terminals.

use crate::document::{Document, Link, Part, Section};
use crate::table::{Output, Table};
use crate::terminal::grid;
use crate::text::{TERMINAL_WIDTH, without_controls, wrapped};
use comfy_table::presets::ASCII_MARKDOWN;

/// The document as Markdown, without what only a page can show.
pub(crate) fn render(document: &Document) -> String {
    let mut blocks = vec![format!("# {}\n", escaped(&document.title))];
    blocks.push(paragraph("", &format!("**{}**", escaped(&document.headline))));
    blocks.push(list(&document.supporting));
    blocks.push(paragraph("", &escaped(&document.facts.join("; "))));
    if !document.warnings.is_empty() {
        blocks.push(format!("## Before you believe it\n\n{}", list(&document.warnings)));
    }
    blocks.extend(document.sections.iter().filter_map(section));
    blocks.retain(|block| !block.is_empty());
    // spaces that only a typesetter needs
    blocks.join("\n").replace(['\u{a0}', '\u{202f}'], " ")
}

/// A section that has more than figures.
fn section(section: &Section) -> Option<String> {
    let parts: Vec<String> = section.parts.iter().map(part).filter(|text| !text.is_empty()).collect();
    let heading = format!("## {}\n", escaped(&section.title));
    let lead = paragraph("", &escaped(&section.lead));
    let blocks = [heading, lead].into_iter().filter(|text| !text.is_empty()).chain(parts.iter().cloned());
    (!parts.is_empty()).then(|| blocks.collect::<Vec<_>>().join("\n"))
}

fn part(part: &Part) -> String {
    match part {
        Part::Table(table) => table_of(table),
        Part::Heading(title) => format!("### {}\n", escaped(title)),
        Part::Text(text) => paragraph("- ", &escaped(text)),
        Part::List(sentences) => list(sentences),
        Part::Links(links) => {
            let line = |link: &Link| format!("[{}]({}): {}", escaped(&link.text), link.path, escaped(&link.facts));
            links.iter().map(|link| paragraph("- ", &line(link))).collect()
        }
        Part::Pairs(_, pairs) => {
            pairs.iter().map(|(name, value)| paragraph("- ", &escaped(&format!("{name}: {value}")))).collect()
        }

        _ => String::new(),
    }
}

fn table_of(table: &Table) -> String {
    let table = table.shown_in(Output::Markdown);
    if table.columns.is_empty() {
        return String::new();
    }
    let title = if table.is_folded { format!("### {}\n\n", escaped(&table.title)) } else { String::new() };
    let mut lines: Vec<String> = grid(&table, ASCII_MARKDOWN, escaped_cell).lines().map(str::to_owned).collect();
    if let Some(rule) = lines.get_mut(1) {
        let columns = rule.trim_matches('|').split('|').zip(&table.columns);
        let aligned = columns.map(|(dashes, column)| match column.is_text {
            true => format!(":{}", &dashes[1..]),
            false => format!("{}:", &dashes[1..]),
        });
        *rule = format!("|{}|", aligned.collect::<Vec<_>>().join("|"));
    }
    let mut text = title + &lines.join("\n") + "\n";
    if table.n_more > 0 {
        text += &format!("\nAnd {} more, in report.json.\n", table.n_more);
    }
    if !table.note.is_empty() {
        text += &format!("\n{}", paragraph("", &escaped(&table.note)));
    }
    text
}

fn list(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| paragraph("- ", &escaped(sentence))).collect()
}

fn paragraph(first: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { wrapped(first, text, TERMINAL_WIDTH) }
}

fn escaped_cell(text: &str) -> String {
    escaped(text).replace('|', "\\|")
}

/// A text that no Markdown reader takes for markup.
fn escaped(text: &str) -> String {
    let text = without_controls(text);
    let mut escaped = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' | '`' | '*' | '[' | ']' => escaped.extend(['\\', letter]),
            '<' if letters.peek().is_some_and(|next| !next.is_whitespace()) => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\n' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{numbers, texts};

    #[test]
    fn tables_line_up_and_bars_stay_in_their_cells() {
        let fields = vec![
            texts("Name", |(name, _): &(&str, f64)| (*name).to_owned()),
            numbers("x", |value| value.to_string(), |(_, value): &(&str, f64)| Some(*value)),
        ];
        let table = Table::new("", fields, &[("a|b", 1.0), ("c", 22.5)]);
        let expected = "| Name |    x |\n|:-----|-----:|\n| a\\|b |    1 |\n| c    | 22.5 |\n";
        assert_eq!(table_of(&table), expected);
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(escaped("<b>*x*\n[y]"), "&lt;b>\\*x\\* \\[y\\]");
        assert_eq!(escaped("p < 0.001"), "p < 0.001");
    }
}
