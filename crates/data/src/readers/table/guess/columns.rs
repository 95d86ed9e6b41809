//! Which columns hold texts, labels and splits: by usual names, then by content.

use super::table::{Table, TableGuess};
use crate::readers::split_name::SplitName;
use std::collections::BTreeMap;

/// Usual names, the most telling first.
const TEXT_NAMES: [&str; 15] = [
    "text",
    "sentence",
    "utterance",
    "question",
    "query",
    "content",
    "message",
    "review",
    "comment",
    "tweet",
    "document",
    "abstract",
    "title",
    "description",
    "body",
];
const LABEL_NAMES: [&str; 14] = [
    "label",
    "labels",
    "intent",
    "category",
    "class",
    "target",
    "topic",
    "emotion",
    "sentiment",
    "language",
    "lang",
    "genre",
    "tag",
    "y",
];
/// Columns whose values are all different have no labels, from so many rows on.
const FEW_ROWS: usize = 20;

/// Columns by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) text: usize,
    pub(super) label: usize,
    split: Option<usize>,
    /// Whether a usual name told the text or the label.
    pub(super) by_name: bool,
}

/// Columns with usual names; otherwise the longest one is the text, and the one with the fewest distinct values, which
/// still occur again and again, the label.
pub(super) fn choose(table: &Table) -> Option<Found> {
    let width = table.names.as_ref().map_or_else(|| usual_width(&table.rows), Vec::len);
    let rows: Vec<&Vec<String>> = table.rows.iter().filter(|row| row.len() == width).collect();
    if rows.is_empty() || width < 2 {
        return None;
    }
    let columns: Vec<Column<'_>> = (0..width).map(|place| Column::of(&rows, place)).collect();
    let split = (0..width).find(|place| columns[*place].is_split());
    let is_free = |place: &usize| Some(*place) != split;
    let named = |known: &[&str], fits: &dyn Fn(usize) -> bool| {
        let names: Vec<String> = table.names.as_ref()?.iter().map(|name| name.to_lowercase()).collect();
        let fitting = || (0..width).filter(|place| is_free(place) && fits(*place));
        let exact = known.iter().find_map(|known| fitting().find(|place| names[*place] == *known));
        exact.or_else(|| {
            let most_distinct = |known: &&str| {
                fitting()
                    .filter(|place| has_word(&names[*place], known))
                    .max_by_key(|place| columns[*place].n_distinct())
            };
            known.iter().find_map(most_distinct)
        })
    };
    let text_by_name = named(&TEXT_NAMES, &|_| true);
    let text = text_by_name.or_else(|| (0..width).filter(is_free).max_by_key(|place| columns[*place].n_characters))?;
    let can_be_label =
        |place: usize| place != text && (columns[place].n_distinct() < rows.len() || rows.len() < FEW_ROWS);
    let label_by_name = named(&LABEL_NAMES, &can_be_label);
    let label = label_by_name.or_else(|| {
        let repeats = |place: &usize| *place != text && (2..rows.len()).contains(&columns[*place].n_distinct());
        // numbers, of a chapter or a page, say, are labels only where nothing else can be
        let order = |place: &usize| (columns[*place].is_numeric(), columns[*place].n_distinct());
        (0..width).filter(is_free).filter(repeats).min_by_key(order)
    })?;
    Some(Found { text, label, split, by_name: text_by_name.is_some() || label_by_name.is_some() })
}

impl Found {
    pub(super) fn guess(self, table: &Table) -> TableGuess {
        let width = table.names.as_ref().map_or_else(|| usual_width(&table.rows), Vec::len);
        let rows: Vec<&Vec<String>> = table.rows.iter().filter(|row| row.len() == width).collect();
        let word =
            |place: usize| table.names.as_ref().map_or_else(|| (place + 1).to_string(), |names| names[place].clone());
        let of = |place| Column::of(&rows, place);
        TableGuess {
            text: word(self.text),
            label: word(self.label),
            split: self.split.map(word),
            has_names: table.names.is_some(),
            n_labels: of(self.label).n_distinct(),
            mean_characters: of(self.text).n_characters / rows.len().max(1),
            ..TableGuess::default()
        }
    }
}

/// The only column that can hold the texts: the one with a usual name, the only one that is not of numbers, or one with twice as many
/// characters as any other.
pub(super) fn obvious_text(table: &Table) -> Option<usize> {
    let width = table.names.as_ref().map_or_else(|| usual_width(&table.rows), Vec::len);
    let by_name = |is_usual: fn(&str, &str) -> bool| {
        let names = table.names.as_ref()?;
        TEXT_NAMES.iter().find_map(|known| names.iter().position(|name| is_usual(&name.to_lowercase(), known)))
    };
    if let Some(place) = by_name(|name, known| name == known).or_else(|| by_name(has_word)) {
        return Some(place);
    }
    let rows: Vec<&Vec<String>> = table.rows.iter().filter(|row| row.len() == width).collect();
    let columns: Vec<Column<'_>> = (0..width).map(|place| Column::of(&rows, place)).collect();
    let mut others: Vec<usize> = (0..width).filter(|place| width == 1 || !columns[*place].is_numeric()).collect();
    others.sort_by_key(|place| std::cmp::Reverse(columns[*place].n_characters));
    match others[..] {
        [only] => Some(only),
        [first, second, ..] if columns[first].n_characters >= 2 * columns[second].n_characters.max(1) => Some(first),
        _ => None,
    }
}

/// Whether a row has a usual name of a column of texts.
pub(super) fn has_text_name(row: &[String]) -> bool {
    row.iter().any(|name| TEXT_NAMES.contains(&name.to_lowercase().as_str()))
}

/// Whether a cell is a number.
pub(super) fn is_number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok()
}

/// Whether a name has a word among others.
fn has_word(name: &str, known: &str) -> bool {
    name.split(|c: char| !c.is_alphanumeric()).any(|word| word == known)
}

/// The values of a column.
struct Column<'a> {
    /// Each distinct value with its number of rows.
    values: BTreeMap<&'a str, usize>,
    n_characters: usize,
}

impl<'a> Column<'a> {
    fn of(rows: &[&'a Vec<String>], place: usize) -> Self {
        let (mut values, mut n_characters) = (BTreeMap::new(), 0);
        for row in rows {
            *values.entry(row[place].as_str()).or_insert(0) += 1;
            n_characters += row[place].chars().count();
        }
        Self { values, n_characters }
    }

    fn n_distinct(&self) -> usize {
        self.values.len()
    }

    fn is_numeric(&self) -> bool {
        self.values.keys().all(|value| is_number(value))
    }

    /// Whether each value is the name of a split, and there are training rows.
    fn is_split(&self) -> bool {
        let splits: Option<Vec<SplitName>> = self.values.keys().map(|word| SplitName::of_word(word)).collect();
        splits.is_some_and(|splits| splits.len() >= 2 && splits.contains(&SplitName::Train))
    }
}

/// The number of cells that most rows have; the first row may be a broken one.
pub(super) fn usual_width(rows: &[Vec<String>]) -> usize {
    let mut n_rows: BTreeMap<usize, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *n_rows.entry(row.len()).or_insert(0) += 1);
    n_rows.into_iter().max_by_key(|(_, n_rows)| *n_rows).map_or(0, |(width, _)| width)
}

/// Whether a first row is a header: its cell in the label column is nowhere else in that column. Where labels that occur once are
/// usual, that says nothing.
pub(super) fn is_header(first: &[String], rest: &[Vec<String>], found: Found, others: &[Vec<Vec<String>>]) -> bool {
    let Some(cell) = first.get(found.label).filter(|cell| !cell.is_empty()) else { return false };
    let of = |rows: &[Vec<String>]| rows.iter().filter_map(|row| row.get(found.label)).any(|other| other == cell);
    if of(rest) || others.iter().any(|rows| of(rows.get(1..).unwrap_or_default())) {
        return false;
    }
    if found.by_name || others.iter().any(|rows| rows.first().is_some_and(|row| row == first)) {
        return true;
    }
    let rows: Vec<&Vec<String>> = rest.iter().filter(|row| row.len() == first.len()).collect();
    let labels = Column::of(&rows, found.label);
    let n_single = labels.values.values().filter(|n_rows| **n_rows == 1).count();
    (labels.is_numeric() || n_single * 4 <= labels.n_distinct()) && !is_number(cell)
}
