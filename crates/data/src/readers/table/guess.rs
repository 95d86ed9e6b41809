//! Which columns of a table hold texts and labels, guessed from its first rows.

use super::row::open;
use crate::DataError;
use crate::readers::split_name::SplitName;
use csv::{ReaderBuilder, StringRecord};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, Read};
use std::path::Path;

/// What a table looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableGuess {
    /// name of the text column, or its number from 1 on
    pub text: String,
    /// name of the label column, or its number from 1 on
    pub label: String,
    /// whether columns have names
    pub has_names: bool,
    /// distinct labels among the rows that were looked at
    pub n_labels: usize,
    /// mean number of characters of a text
    pub mean_characters: usize,
}

/// Rows that are looked at.
const N_ROWS: usize = 2000;
/// Bytes that are looked at, of a file that is one JSON value.
const MAX_JSON_BYTES: u64 = 64 << 20;
/// Usual names, the most telling first.
const TEXT_NAMES: [&str; 12] = [
    "text",
    "sentence",
    "utterance",
    "question",
    "query",
    "content",
    "message",
    "review",
    "document",
    "title",
    "description",
    "body",
];
const LABEL_NAMES: [&str; 10] =
    ["label", "intent", "category", "class", "target", "topic", "language", "lang", "labels", "y"];

/// Guesses the columns of a CSV, TSV or JSON file.
///
/// # Errors
/// A file that cannot be read, or in which no two columns look like texts and labels.
pub fn guess_table(path: &Path) -> Result<TableGuess, DataError> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (names, rows) = match name.trim_end_matches(".gz").rsplit('.').next().unwrap_or_default() {
        "jsonl" | "ndjson" => json_columns(&first_lines(path)?),
        "json" => json_columns(&first_items(path)?),
        "tsv" | "tab" => delimited_columns(path, b'\t')?,
        _ => delimited_columns(path, b',')?,
    };
    choose(names.as_ref(), &rows).ok_or_else(|| {
        DataError::invalid(path, "no columns that look like texts and labels", "a column of texts and one of labels")
            .hint("write the config by hand: kind = \"table\", text = COLUMN, label = COLUMN")
    })
}

type Columns = (Option<Vec<String>>, Vec<Vec<String>>);

/// Names of the columns if the first row holds some, and rows.
fn delimited_columns(path: &Path, delimiter: u8) -> Result<Columns, DataError> {
    let mut builder = ReaderBuilder::new();
    builder.delimiter(delimiter).quoting(delimiter != b'\t').has_headers(false).flexible(true);
    let records = builder.from_reader(open(path)?).into_records().take(N_ROWS);
    let cells = |record: StringRecord| record.iter().map(|cell| cell.trim().to_owned()).collect::<Vec<String>>();
    let mut rows: Vec<Vec<String>> = records.map_while(Result::ok).map(cells).collect();
    let is_known = |cell: &String| {
        let cell = cell.to_lowercase();
        TEXT_NAMES.contains(&cell.as_str()) || LABEL_NAMES.contains(&cell.as_str())
    };
    let has_names = rows.first().is_some_and(|first| first.iter().any(is_known));
    let names = has_names.then(|| rows.remove(0));
    Ok((names, rows))
}

fn first_lines(path: &Path) -> Result<Vec<Value>, DataError> {
    let lines = open(path)?.lines().take(N_ROWS).map_while(Result::ok);
    Ok(lines.filter_map(|line| serde_json::from_str(&line).ok()).collect())
}

/// Items of the list, or of the first list in the object, that the file is.
fn first_items(path: &Path) -> Result<Vec<Value>, DataError> {
    let value: Option<Value> = serde_json::from_reader(open(path)?.take(MAX_JSON_BYTES)).ok();
    let list = match value {
        Some(Value::Array(rows)) => Some(rows),
        Some(Value::Object(lists)) => {
            let named = |(key, value): (String, Value)| match value {
                Value::Array(rows) => Some((SplitName::of_word(&key).is_none(), rows)),
                _ => None,
            };
            lists.into_iter().filter_map(named).min_by_key(|(is_other, _)| *is_other).map(|(_, rows)| rows)
        }
        _ => None,
    };
    Ok(list.unwrap_or_default().into_iter().take(N_ROWS).collect())
}

fn json_columns(rows: &[Value]) -> Columns {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match rows.first() {
        Some(Value::Object(first)) => {
            let names: Vec<String> = first.keys().cloned().collect();
            let cells = |row: &Value| names.iter().map(|name| row.get(name).map(text).unwrap_or_default()).collect();
            let rows = rows.iter().map(cells).collect();
            (Some(names), rows)
        }
        _ => (None, rows.iter().filter_map(|row| Some(row.as_array()?.iter().map(text).collect())).collect()),
    }
}

/// Columns with usual names; otherwise the longest one is the text, and the one with the fewest distinct values, which
/// still occur again and again, the label.
fn choose(names: Option<&Vec<String>>, rows: &[Vec<String>]) -> Option<TableGuess> {
    let width = names.map_or_else(|| usual_width(rows), Vec::len);
    let rows: Vec<&Vec<String>> = rows.iter().filter(|row| row.len() == width).collect();
    let by_name = |known: &[&str]| {
        let names = names?;
        known.iter().find_map(|known| names.iter().position(|name| name.to_lowercase() == *known))
    };
    if rows.is_empty() {
        return None;
    }
    let n_characters = |column: usize| rows.iter().map(|row| row[column].chars().count()).sum::<usize>();
    let distinct = |column: usize| rows.iter().map(|row| row[column].as_str()).collect::<BTreeSet<_>>().len();
    let text = by_name(&TEXT_NAMES).or_else(|| (0..width).max_by_key(|column| n_characters(*column)))?;
    let label = by_name(&LABEL_NAMES).or_else(|| {
        let repeats = |column: &usize| *column != text && (2..rows.len()).contains(&distinct(*column));
        // numbers, of a chapter or a page, say, are labels only where nothing else can be
        let is_numeric = |column: usize| rows.iter().all(|row| row[column].parse::<f64>().is_ok());
        (0..width).filter(repeats).min_by_key(|column| (is_numeric(*column), distinct(*column)))
    })?;
    let word = |column: usize| names.map_or_else(|| (column + 1).to_string(), |names| names[column].clone());
    (text != label).then(|| TableGuess {
        text: word(text),
        label: word(label),
        has_names: names.is_some(),
        n_labels: distinct(label),
        mean_characters: n_characters(text) / rows.len().max(1),
    })
}

/// The number of cells that most rows have; the first row may be a broken one.
fn usual_width(rows: &[Vec<String>]) -> usize {
    let n_rows = |width: usize| rows.iter().filter(|row| row.len() == width).count();
    rows.iter().map(Vec::len).collect::<BTreeSet<_>>().into_iter().max_by_key(|width| n_rows(*width)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(name: &str, content: &str) -> Result<TableGuess, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        guess_table(&path)
    }

    fn columns(name: &str, content: &str) -> (String, String, bool) {
        let found = guess(name, content).unwrap();
        (found.text, found.label, found.has_names)
    }

    fn expected(text: &str, label: &str, has_names: bool) -> (String, String, bool) {
        (text.to_owned(), label.to_owned(), has_names)
    }

    #[test]
    fn names_and_contents_tell_the_columns() {
        assert_eq!(columns("a.csv", "id,text,category\n1,hello you,x\n2,bye,y\n"), expected("text", "category", true));
        let tsv = "de\t1\tguten Tag allerseits\nfr\t1\tau revoir\nen\t2\tgood day to you\nde\t2\tauf Wiedersehen\n";
        assert_eq!(columns("a.tsv", tsv), expected("3", "1", false));
        let lines = "{\"Intent\": \"a\", \"utterance\": \"one two\"}\n{\"Intent\": \"b\", \"utterance\": \"three\"}\n";
        assert_eq!(columns("a.jsonl", lines), expected("utterance", "Intent", true));
        let lists = "{\"oos\": [[1]], \"train\": [[\"how are you\", \"a\"], [\"fine\", \"b\"], [\"well\", \"a\"]]}";
        assert_eq!(columns("a.json", lists), expected("1", "2", false));
    }

    #[test]
    fn a_first_row_that_is_too_short_is_passed_over() {
        let rows = "broken\n1,hello you,x\n2,bye bye,y\n3,hello there,x\n";
        assert_eq!(columns("a.csv", &format!("id,text,label\n{rows}")), expected("text", "label", true));
        assert_eq!(columns("a.csv", rows), expected("2", "3", false));
        assert!(guess("a.csv", "id,text,label\nbroken\n").is_err());
    }

    #[test]
    fn what_is_no_table_is_said_so() {
        for content in ["only one column\nof text\n", "{}"] {
            assert!(guess("a.csv", content).unwrap_err().to_string().contains("look like texts and labels"));
        }
    }
}
