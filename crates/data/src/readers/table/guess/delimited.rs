//! How a text file of columns is to be read: the delimiter and the meaning of quotation marks with which most rows have the same
//! number of cells, and whether the first line is a header.

use super::columns::{Found, choose, has_text_name, is_header, is_number, usual_width};
use super::table::{N_ROWS, Table};
use csv::ReaderBuilder;

const DELIMITERS: [u8; 4] = [b'\t', b',', b';', b'|'];
/// More columns are none of a table of texts.
const MAX_COLUMNS: usize = 1000;

/// A text file as it is read with a delimiter.
pub(super) struct Sniffed {
    pub(super) delimiter: u8,
    pub(super) quotes: bool,
    /// Whole per cent of the rows that have the usual number of cells.
    share: usize,
    n_rows: usize,
    /// The first rows.
    rows: Vec<Vec<String>>,
}

/// The delimiter that fits best, that of the file's ending where several do; none where no row has two cells.
pub(super) fn sniff(start: &[u8], usual: Option<u8>) -> Option<Sniffed> {
    let delimiters = usual.into_iter().chain(DELIMITERS.into_iter().filter(|delimiter| Some(*delimiter) != usual));
    let mut best: Option<Sniffed> = None;
    for delimiter in delimiters {
        let found = with_delimiter(start, delimiter);
        let has_columns = (2..=MAX_COLUMNS).contains(&usual_width(&found.rows));
        if has_columns && best.as_ref().is_none_or(|best| found.share > best.share) {
            best = Some(found);
        }
    }
    best
}

/// The meaning of quotation marks with which more rows are whole, or with which none of them swallows whole lines.
fn with_delimiter(start: &[u8], delimiter: u8) -> Sniffed {
    let (quoted, plain) = (Sniffed::read(start, delimiter, true), Sniffed::read(start, delimiter, false));
    let is_quoted = match quoted.share.cmp(&plain.share) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal if quoted.n_rows < plain.n_rows => false,
        std::cmp::Ordering::Equal => delimiter != b'\t' || plain.has_quoted_values(),
    };
    if is_quoted { quoted } else { plain }
}

impl Sniffed {
    fn read(start: &[u8], delimiter: u8, quotes: bool) -> Self {
        let mut builder = ReaderBuilder::new();
        let reader = builder.delimiter(delimiter).quoting(quotes).has_headers(false).flexible(true);
        let (mut rows, mut widths) = (Vec::new(), Vec::new());
        for record in reader.from_reader(start).into_byte_records().map_while(Result::ok) {
            widths.push(record.len());
            if rows.len() < N_ROWS && record.len() <= MAX_COLUMNS {
                let cell = |cell: &[u8]| String::from_utf8_lossy(cell).trim().to_owned();
                rows.push(record.iter().map(cell).collect::<Vec<String>>());
            }
        }
        let usual = usual_width(&rows);
        let n_usual = widths.iter().filter(|width| **width == usual).count();
        Self { delimiter, quotes, share: n_usual * 100 / widths.len().max(1), n_rows: widths.len(), rows }
    }

    /// A text file of a single column.
    pub(super) fn single_column(start: &[u8], usual: Option<u8>) -> Self {
        with_delimiter(start, usual.unwrap_or(b','))
    }

    /// The table of a file that need not have labels. Its first line is a header if it names the wanted column, if it is one in a
    /// table with labels, if it has a usual name for texts, or if a column has numbers below a cell that is none.
    pub(super) fn with_or_without_header(&self, wanted: Option<&str>) -> Table {
        let Some((first, rest)) = self.rows.split_first() else { return Table { names: None, rows: Vec::new() } };
        let is_labelled = || self.with_header(&[]).is_some_and(|(table, _)| table.names.is_some());
        let names_numbers = |place: usize| {
            let mut below = rest.iter().filter(|row| row.len() == first.len()).map(|row| &row[place]).peekable();
            !is_number(&first[place]) && below.peek().is_some() && below.all(|cell| is_number(cell))
        };
        let is_header = first.iter().any(|cell| Some(cell.as_str()) == wanted)
            || has_text_name(first)
            || (0..first.len()).any(names_numbers)
            || (wanted.is_none() && is_labelled());
        match is_header {
            true => Table { names: Some(first.clone()), rows: rest.to_vec() },
            false => Table { names: None, rows: self.rows.clone() },
        }
    }

    /// Whether a column has a value both in quotation marks and without.
    fn has_quoted_values(&self) -> bool {
        let unquoted = |cell: &str| Some(cell.strip_prefix('"')?.strip_suffix('"')?.to_owned());
        let mut seen = std::collections::HashMap::<(usize, String), [bool; 2]>::new();
        for row in &self.rows {
            for (place, cell) in row.iter().enumerate() {
                let inner = unquoted(cell);
                let form = usize::from(inner.is_some());
                seen.entry((place, inner.unwrap_or_else(|| cell.clone()))).or_default()[form] = true;
            }
        }
        seen.values().any(|forms| *forms == [true; 2])
    }

    /// The table with its header, if it has one, and its columns. `others` are the starts of other files of the same form.
    pub(super) fn with_header(&self, others: &[Vec<u8>]) -> Option<(Table, Found)> {
        let (first, rest) = self.rows.split_first()?;
        let headed = Table { names: Some(first.clone()), rows: rest.to_vec() };
        let bare = Table { names: None, rows: self.rows.clone() };
        let others: Vec<Vec<Vec<String>>> =
            others.iter().map(|start| Self::read(start, self.delimiter, self.quotes).rows).collect();
        let found = choose(&headed).filter(|found| is_header(first, rest, *found, &others));
        match found {
            Some(found) => Some((headed, found)),
            None => choose(&bare).map(|found| (bare, found)),
        }
    }
}
