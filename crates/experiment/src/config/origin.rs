//! Where a key of a config comes from: a line of its file, or a `--set`.

use super::overrides::{is_within, key_of};
use std::ops::Range;
use std::sync::Arc;
use stillhouse_core::Problem;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What a config was read from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Origin {
    /// Text of the file; none for a config that the program made.
    pub(super) text: Option<Arc<str>>,
    /// `--set`, in their order.
    pub(super) overrides: Vec<String>,
    /// What is to be said of the file's paths.
    pub(super) notes: Vec<String>,
}

/// Where a key or its value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the file.
    Line(Line),
    /// In a `--set`, whose text this is.
    Set(String),
    /// In the `[sweep]` table: the key with this value.
    Sweep(String),
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1 on.
    pub number: usize,
    /// Of the part's first character, from 1 on.
    pub column: usize,
    /// The whole line.
    pub text: String,
    /// Characters of the part, at least one.
    pub n_marked: usize,
}

impl Origin {
    /// Where the key of a problem comes from; for a missing key the table that lacks it.
    pub(super) fn place(&self, problem: &Problem) -> Option<Place> {
        if problem.key.is_empty() {
            return None;
        }
        let is_set = |text: &&String| is_within(&problem.key, key_of(text));
        if let Some(text) = self.overrides.iter().rev().find(is_set) {
            return Some(Place::Set(text.clone()));
        }
        let text = self.text.as_deref()?;
        let document = DeTable::parse(text).ok()?;
        let steps = steps(&problem.key);
        let (span, n_found) = locate(document.get_ref(), &steps, problem.is_key)?;
        // a table that is not in the file was begun by a `--set` of one of its keys
        let parents = problem.key.rsplit_once('.').map_or("", |(table, _)| table);
        let begun = |text: &&String| !parents.is_empty() && is_within(key_of(text), parents);
        if n_found < steps.len().saturating_sub(1)
            && let Some(set) = self.overrides.iter().find(begun)
        {
            return Some(Place::Set(set.clone()));
        }
        Some(Place::Line(Line::of(text, span)))
    }
}

/// A key, or a number in a list.
enum Step<'k> {
    Key(&'k str),
    Index(usize),
}

/// `a.b[2].c` in its steps.
fn steps(path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let mut pieces = part.split('[');
        steps.extend(pieces.next().map(Step::Key));
        steps.extend(pieces.filter_map(|piece| piece.trim_end_matches(']').parse().ok()).map(Step::Index));
    }
    steps
}

/// The bytes of what a path leads to, as far as it is there, and the number of steps that were found. Of a table, the bytes
/// are those of its name.
fn locate(document: &DeTable<'_>, steps: &[Step<'_>], is_key: bool) -> Option<(Range<usize>, usize)> {
    let mut found = None;
    let mut table = Some(document);
    let mut value: Option<&Spanned<DeValue<'_>>> = None;
    for (nth, step) in steps.iter().enumerate() {
        let next = match step {
            Step::Key(name) => {
                let Some((key, next)) =
                    table.and_then(|table| table.iter().find(|(key, _)| key.get_ref().as_ref() == *name))
                else {
                    break;
                };
                let is_last = nth + 1 == steps.len();
                let of_value = is_last && !is_key && !matches!(next.get_ref(), DeValue::Table(_));
                let span = if of_value { next.span() } else { key.span() };
                found = Some((span, nth + 1));
                next
            }
            Step::Index(index) => {
                let Some(DeValue::Array(items)) = value.map(Spanned::get_ref) else { break };
                let Some(next) = items.get(*index) else { break };
                // tables of a list have no names: their header stays marked
                if !matches!(next.get_ref(), DeValue::Table(_)) {
                    found = Some((next.span(), nth + 1));
                }
                next
            }
        };
        value = Some(next);
        table = match next.get_ref() {
            DeValue::Table(inner) => Some(inner),
            _ => None,
        };
    }
    found
}

impl Line {
    /// The line in which a range of bytes begins.
    pub(super) fn of(text: &str, span: Range<usize>) -> Self {
        let start = floor_of(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor_of(text, span.end).clamp(start, line_end);
        let line = text[line_start..line_end].trim_end();
        Self {
            number: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: line.to_owned(),
            n_marked: text[start..end].trim_end().chars().count().max(1),
        }
    }

    /// The line with its number, and below it a mark under the part, in at most `width` columns.
    pub(super) fn in_words(&self, indent: &str, width: usize) -> String {
        let number = self.number.to_string();
        let room = width.saturating_sub(indent.len() + number.len() + " | ".len()).max(MIN_ROOM);
        let characters: Vec<char> = self.text.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
        let (at, n_marked) = (self.column - 1, self.n_marked);
        let (first, last) = match characters.len() > room {
            false => (0, characters.len()),
            // the mark's beginning is in the first third, where what comes before it fits too
            true => {
                let first =
                    (at + n_marked).saturating_sub(room - CUT.len() * 2).min(at.saturating_sub(room / 3)).min(at);
                (first, (first + room - CUT.len() * 2).min(characters.len()))
            }
        };
        let before = if first > 0 { CUT } else { "" };
        let after = if last < characters.len() { CUT } else { "" };
        let shown: String = characters[first..last].iter().collect();
        let offset = before.len() + at - first;
        let marks = "^".repeat(n_marked.min((last - first.min(last)).saturating_sub(at - first).max(1)));
        let margin = " ".repeat(number.len());
        format!("{indent}{number} | {before}{shown}{after}\n{indent}{margin} | {}{marks}", " ".repeat(offset))
    }
}

/// Stands for the rest of a line.
const CUT: &str = "...";
/// Columns of a line that are shown at least.
const MIN_ROOM: usize = 30;

/// The nearest border of characters at or before a byte.
fn floor_of(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigSource, Experiment};

    const TEXT: &str =
        "seed = 0\n\n[student]\nmodel = { kind = \"mlp\", widths = [8, 0] }\n[[teacher]]\nname = \"a\"\n";

    fn place(key: &str, is_key: bool, overrides: &[&str]) -> Option<Place> {
        let overrides = overrides.iter().map(|text| (*text).to_owned()).collect();
        let origin = Origin { text: Some(TEXT.into()), overrides, ..Origin::default() };
        origin.place(&Problem { is_key, ..Problem::new(key, "") })
    }

    /// Number, column and marked characters.
    fn line(key: &str, is_key: bool) -> (usize, usize, usize) {
        match place(key, is_key, &[]) {
            Some(Place::Line(line)) => (line.number, line.column, line.n_marked),
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn a_key_is_found_or_the_table_that_lacks_it() {
        assert_eq!(line("seed", false), (1, 8, 1));
        assert_eq!(line("seed", true), (1, 1, 4));
        assert_eq!(line("student.model.widths", false), (4, 34, 6));
        assert_eq!(line("student.model.widths[1]", false), (4, 38, 1));
        assert_eq!(line("student.model.kind", true), (4, 11, 4));
        assert_eq!(line("student.model.depth", false), (4, 1, 5));
        assert_eq!(line("student.training.n_epochs", false), (3, 2, 7));
        assert_eq!(line("teacher[0].name", false), (6, 8, 3));
        assert_eq!(line("teacher[0].train", false), (5, 3, 7));
        assert_eq!((place("data", false, &[]), place("", false, &[])), (None, None));
    }

    #[test]
    fn what_was_set_comes_from_set() {
        let set = |text: &str| Some(Place::Set(text.to_owned()));
        assert_eq!(place("seed", false, &["seed=1", "seed=x"]), set("seed=x"));
        assert_eq!(
            place("student.model.widths[1]", false, &["student.model={ kind = \"mlp\" }"]),
            set("student.model={ kind = \"mlp\" }")
        );
        assert_eq!(place("student.mix.share", false, &["student.mix.a=1"]), set("student.mix.a=1"));
        assert_eq!(place("data.kind", false, &["data.path=x"]), None);
        assert!(matches!(place("student.model.widths", false, &["seed=1"]), Some(Place::Line(_))));
    }

    #[test]
    fn a_mark_is_under_its_part_and_long_lines_are_cut() {
        let shown = |text: &str, part: &str| {
            let start = text.find(part).unwrap();
            Line::of(text, start..start + part.len()).in_words("    ", 80)
        };
        assert_eq!(shown("a = 1\nbc = \"x\" # no\n", "\"x\""), "    2 | bc = \"x\" # no\n      |      ^^^");
        for text in [
            format!("{}key = 1 # {}", "x = 1, ".repeat(30), "z".repeat(90)),
            format!("{}key", " ".repeat(200)),
            format!("key{}", "y".repeat(300)),
        ] {
            let shown = shown(&text, "key");
            let lines: Vec<&str> = shown.lines().collect();
            assert!(lines.iter().all(|line| line.chars().count() <= 80), "{shown}");
            assert_eq!(lines[0].find("key"), lines[1].find("^^^"), "{shown}");
        }
        let whole = shown(&format!("key = [{}]", "1, ".repeat(100)), &format!("[{}]", "1, ".repeat(100)));
        assert!(whole.lines().all(|line| line.len() <= 80) && whole.contains("^^^^"), "{whole}");
    }

    #[test]
    fn a_file_that_is_no_toml_shows_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.toml");
        std::fs::write(&path, "seed = 0\n[student\nviews = 1\n").unwrap();
        let text = Experiment::load(&ConfigSource::File(path), &[]).unwrap_err().to_string();
        assert!(
            text.contains("not valid TOML: ") && text.contains("bad.toml:2:9\n    2 | [student\n      |         ^"),
            "{text}"
        );
    }
}
