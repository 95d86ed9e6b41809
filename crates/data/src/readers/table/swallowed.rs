//! Rows that a quotation mark has made a part of one text, though it is closed as it should be.
//!
//! `"` at the beginning of one text and at the end of a later one, as in sizes in inches, look like a quoted text of many
//! lines. Its lines then are rows: as many cells as the table has columns, and in the label's place a label of the table.

use csv::ByteRecord;
use std::collections::HashSet;

/// Fewest lines inside a field that are rows; one alone may be chance.
const MIN_ROWS: usize = 2;
/// Texts of which the lines are kept.
const MAX_SUSPECTS: usize = 100;

/// Labels of a table and texts whose lines may be rows.
#[derive(Default)]
pub(super) struct Swallowed {
    labels: HashSet<Vec<u8>>,
    suspects: Vec<Suspect>,
}

struct Suspect {
    line: u64,
    n_lines: usize,
    /// What stands in the label's place of each line inside the text.
    labels: Vec<Vec<u8>>,
}

impl Swallowed {
    /// Takes up a row of the table.
    pub(super) fn see(&mut self, record: &ByteRecord, label: usize, delimiter: u8, line: u64) {
        let of_row = record[label].trim_ascii();
        if !self.labels.contains(of_row) {
            self.labels.insert(of_row.to_vec());
        }
        if self.suspects.len() < MAX_SUSPECTS {
            let suspects = record.iter().filter_map(|field| suspect(field, record.len(), label, delimiter, line));
            self.suspects.extend(suspects);
        }
    }

    /// The line of the first text that holds rows, and how many lines it goes on.
    pub(super) fn find(&self) -> Option<(u64, usize)> {
        let holds_rows = |suspect: &&Suspect| suspect.labels.iter().all(|label| self.labels.contains(label));
        self.suspects.iter().find(holds_rows).map(|suspect| (suspect.line, suspect.n_lines))
    }
}

/// The lines between the first and the last one of a field, if all of them have the cells of a row.
fn suspect(field: &[u8], width: usize, label: usize, delimiter: u8, line: u64) -> Option<Suspect> {
    let n_lines = field.iter().filter(|&&byte| byte == b'\n').count();
    if n_lines <= MIN_ROWS {
        return None;
    }
    let inner = field.split(|&byte| byte == b'\n').skip(1).take(n_lines - 1);
    let label_of = |line: &[u8]| {
        let cells: Vec<&[u8]> = line.split(|&byte| byte == delimiter).collect();
        (cells.len() == width).then(|| cells[label].trim_ascii().to_vec())
    };
    let labels: Option<Vec<Vec<u8>>> = inner.map(label_of).collect();
    Some(Suspect { line, n_lines, labels: labels? })
}
