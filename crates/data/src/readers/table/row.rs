//! One row of a table of texts, whatever the format of the file, and how files are opened.

use super::builtin;
use super::column::ColumnName;
use crate::{DataError, text_input};
use std::borrow::Cow;
use std::io::{BufRead, Read};
use std::path::Path;

/// The columns that are read.
pub(crate) struct Columns<'a> {
    pub(crate) text: &'a ColumnName,
    pub(crate) label: &'a ColumnName,
    pub(crate) split: Option<&'a ColumnName>,
    /// Whether a text that is not there is an empty one, where a format can say so.
    pub(crate) missing_is_empty: bool,
}

/// The cells of one row that are wanted.
pub(crate) struct Row<'a> {
    pub(crate) text: &'a str,
    pub(crate) label: &'a str,
    /// What the split column says, or the key of the list that the row is in.
    pub(crate) split: Option<&'a str>,
    pub(crate) place: Place<'a>,
}

/// Where a row is in its file.
#[derive(Clone, Debug)]
pub(crate) enum Place<'a> {
    Line(u64),
    /// A record that begins at this byte, or after the empty lines that do.
    Record {
        byte: u64,
    },
    /// An item of a JSON list, counted from 1, and the key of that list.
    Item {
        list: Option<Cow<'a, str>>,
        number: usize,
    },
}

impl Place<'_> {
    /// The place without its row.
    pub(crate) fn detached(&self) -> Place<'static> {
        match *self {
            Self::Line(line) => Place::Line(line),
            Self::Record { byte } => Place::Record { byte },
            Self::Item { ref list, number } => {
                Place::Item { list: list.as_ref().map(|list| Cow::Owned(list.to_string())), number }
            }
        }
    }

    /// The place in words, for a message. It reads the file once more to count its lines.
    pub(crate) fn describe(&self, path: &Path) -> String {
        match self {
            Self::Line(line) => format!("line {line}"),
            Self::Record { byte } => match line_at(path, *byte) {
                Some(line) => format!("line {line}"),
                None => format!("byte {byte}"),
            },
            Self::Item { list: Some(list), number } => format!("item {number} of `{list}`"),
            Self::Item { list: None, number } => format!("item {number}"),
        }
    }
}

/// The line of the first character from a byte on that ends no line. `\r\n` ends one line, and so does either of the two alone.
fn line_at(path: &Path, byte: u64) -> Option<u64> {
    let (mut line, mut last) = (1, 0);
    for (position, byte_here) in (0..).zip(open(path).ok()?.bytes()) {
        let here: u8 = byte_here.ok()?;
        if position >= byte && !b"\r\n".contains(&here) {
            break;
        }
        line += u64::from(here == b'\r' || (here == b'\n' && last != b'\r'));
        last = here;
    }
    Some(line)
}

/// Finds out whether rows come from more than one list of a JSON file.
#[derive(Default)]
pub(crate) struct OneList(Option<String>);

impl OneList {
    /// The list of a row, if rows before it were in another one.
    pub(crate) fn other_than_first<'l>(&mut self, list: Option<&'l str>) -> Option<&'l str> {
        let list = list?;
        let first = self.0.get_or_insert_with(|| list.to_owned());
        (first != list).then_some(list)
    }
}

/// Takes rows one by one.
pub(crate) type Visit<'a> = dyn FnMut(&Row<'_>) -> Result<(), DataError> + 'a;

/// Opens a file of text, gzipped or not, behind its byte order mark; or a table inside the program.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    match builtin::open(path)? {
        Some(table) => Ok(table),
        None => text_input::open(path),
    }
}
