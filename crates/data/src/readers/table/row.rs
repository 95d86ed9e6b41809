//! One row of a table of texts, whatever the format of the file, and how files are opened.

use super::builtin;
use super::column::ColumnName;
use crate::DataError;
use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::path::Path;

/// The columns that are read.
pub(crate) struct Columns<'a> {
    pub(crate) text: &'a ColumnName,
    pub(crate) label: &'a ColumnName,
    pub(crate) split: Option<&'a ColumnName>,
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
    /// A record that begins at this byte, or after the empty lines that do; `line` is that of the byte.
    Record {
        line: u64,
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
            Self::Record { line, byte } => Place::Record { line, byte },
            Self::Item { ref list, number } => {
                Place::Item { list: list.as_ref().map(|list| Cow::Owned(list.to_string())), number }
            }
        }
    }

    /// The place in words, for a message. It reads the file once more, for the empty lines before a record.
    pub(crate) fn describe(&self, path: &Path) -> String {
        match self {
            Self::Line(line) => format!("line {line}"),
            Self::Record { line, byte } => {
                format!("line {}", line + n_line_breaks_at(path, *byte).unwrap_or(0))
            }
            Self::Item { list: Some(list), number } => format!("item {number} of `{list}`"),
            Self::Item { list: None, number } => format!("item {number}"),
        }
    }
}

/// Line breaks from a byte on to the first other character.
fn n_line_breaks_at(path: &Path, byte: u64) -> Option<u64> {
    let mut input = open(path).ok()?;
    io::copy(&mut input.by_ref().take(byte), &mut io::sink()).ok()?;
    let breaks = input.bytes().map_while(Result::ok).take_while(|byte| b"\r\n".contains(byte));
    Some(breaks.filter(|byte| *byte == b'\n').count() as u64)
}

/// Takes rows one by one.
pub(crate) type Visit<'a> = dyn FnMut(&Row<'_>) -> Result<(), DataError> + 'a;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Opens a file of text, compressed (`.gz`) or not, behind its byte order mark; or a table inside the program.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    if let Some(table) = builtin::open(path)? {
        return Ok(table);
    }
    let mut input = crate::bytes::open(path)?;
    let start = input.fill_buf().map_err(DataError::io(path, "read"))?;
    if UTF16_MARKS.iter().any(|mark| start.starts_with(mark)) {
        return Err(DataError::invalid(path, "a text in UTF-16", "one in UTF-8").hint(UTF8_HINT));
    }
    if start.is_empty() {
        return Err(DataError::invalid(path, "an empty file", "a table of texts"));
    }
    if start.starts_with(UTF8_MARK) {
        input.consume(UTF8_MARK.len());
    }
    Ok(input)
}

const UTF8_HINT: &str = "save the file as UTF-8, for example with `iconv -f LATIN1 -t UTF-8`";

/// The text of some bytes; `found` says where they are.
pub(crate) fn utf8<'a>(path: &Path, bytes: &'a [u8], place: impl FnOnce() -> String) -> Result<&'a str, DataError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let byte = bytes[error.valid_up_to()];
        let found = format!("byte 0x{byte:02x} that is no UTF-8 in {}", place());
        DataError::invalid(path, found, "text in UTF-8").hint(UTF8_HINT)
    })
}
