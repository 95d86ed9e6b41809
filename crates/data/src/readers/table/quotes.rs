//! Follows quotation marks and lines through a file with delimiters while a parser reads it.
//!
//! The parser takes a quotation mark at the beginning of a field for the beginning of a quoted one, and everything up to the
//! next quotation mark for its content. Where the mark was a part of the text, lines vanish into one field: this is what
//! is found here.

use std::io::{self, ErrorKind, Read};

/// Longest row in bytes, which bounds the memory that a row takes.
pub(crate) const MAX_ROW_BYTES: u64 = 16 << 20;

/// A quotation mark that closes in the middle of a text, lines below the one in which it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stray {
    pub(crate) opens_in_line: u64,
    pub(crate) closes_in_line: u64,
    /// Bytes before the end of it.
    at: u64,
}

/// Where the parser of a delimited file is, as far as it has taken bytes.
#[derive(Debug)]
pub(crate) struct Scan {
    delimiter: u8,
    quotes: bool,
    state: State,
    n_bytes: u64,
    /// The line of the next byte, from 1 on.
    line: u64,
    ends_in_return: bool,
    opened_in: u64,
    stray: Option<Stray>,
    /// Fields with further text behind their closing quotation mark.
    pub(crate) n_trailing: u64,
    /// Where the row begins that the parser has not finished.
    pub(crate) row_start: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// Behind a quotation mark inside a quoted field: its end, or the first of two.
    QuoteInQuoted,
}

impl Scan {
    pub(crate) fn new(delimiter: u8, quotes: bool) -> Self {
        Self {
            delimiter,
            quotes,
            state: State::FieldStart,
            n_bytes: 0,
            line: 1,
            ends_in_return: false,
            opened_in: 0,
            stray: None,
            n_trailing: 0,
            row_start: 0,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.n_bytes += 1;
            if self.quotes {
                self.step(byte);
            }
            // `\r\n` is one end of a line, and so is either of the two alone
            self.line += u64::from(byte == b'\r' || (byte == b'\n' && !self.ends_in_return));
            self.ends_in_return = byte == b'\r';
        }
    }

    fn step(&mut self, byte: u8) {
        let ends_field = byte == self.delimiter || byte == b'\r' || byte == b'\n';
        self.state = match (self.state, byte) {
            (State::FieldStart, b'"') => {
                self.opened_in = self.line;
                State::Quoted
            }
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) | (State::QuoteInQuoted, b'"') => State::Quoted,
            (_, _) if ends_field => State::FieldStart,
            (State::QuoteInQuoted, _) => {
                self.n_trailing += 1;
                if self.line > self.opened_in && self.stray.is_none() {
                    let (opens_in_line, closes_in_line) = (self.opened_in, self.line);
                    self.stray = Some(Stray { opens_in_line, closes_in_line, at: self.n_bytes });
                }
                State::Plain
            }
            (State::FieldStart | State::Plain, _) => State::Plain,
        };
    }

    /// The first stray quotation mark before a byte; the scan is ahead of the parser by what that has buffered.
    pub(crate) fn stray_before(&self, byte: u64) -> Option<Stray> {
        self.stray.filter(|stray| stray.at <= byte)
    }

    /// Whether the parser has ended a row inside quotation marks, which it does at the end of the file alone.
    pub(crate) fn ends_open(&self, byte: u64) -> bool {
        self.state == State::Quoted && byte >= self.n_bytes
    }

    /// The line in which a quotation mark opened that is not closed yet.
    pub(crate) fn open_line(&self) -> Option<u64> {
        (self.state == State::Quoted).then_some(self.opened_in)
    }
}

/// A row that is longer than [`MAX_ROW_BYTES`].
#[derive(Debug, thiserror::Error)]
#[error("a row of more than 16 MiB")]
pub(crate) struct RowTooLong;

/// A stream that is scanned as it is read.
pub(crate) struct Scanned<R> {
    pub(crate) inner: R,
    pub(crate) scan: std::rc::Rc<std::cell::RefCell<Scan>>,
}

impl<R: Read> Read for Scanned<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut scan = self.scan.borrow_mut();
        if scan.n_bytes - scan.row_start > MAX_ROW_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidData, RowTooLong));
        }
        let n_read = self.inner.read(out)?;
        scan.take(&out[..n_read]);
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(content: &str) -> Scan {
        let mut scan = Scan::new(b',', true);
        scan.take(content.as_bytes());
        scan
    }

    #[test]
    fn a_mark_that_closes_in_the_middle_of_a_text_is_stray() {
        let stray = |content: &str| scan(content).stray.map(|stray| (stray.opens_in_line, stray.closes_in_line));
        assert_eq!(stray("a,x\n\"b,x\nc,x\n\"d,x\n"), Some((2, 4)));
        assert_eq!(stray("a,x\r\n\"b,x\r\nc,x\r\n\"d,x\r\n"), Some((2, 4)));
        assert_eq!(stray("a,x\r\"b,x\rc,x\r\"d,x\r"), Some((2, 4)));
        for whole in ["\"a\nb\",x\n", "\"a \"\"b\"\"\nc\"\n", "x,\"a\n\"", "\"a\" b,x\n", "a \"b\nc\" d,x\n"] {
            assert_eq!(stray(whole), None, "{whole}");
        }
        assert_eq!(scan("\"a\" b,x\n").n_trailing, 1);
        let two = scan("a,x\n\"b,x\nc,x\n\"d,x\n");
        assert_eq!((two.stray_before(5), two.stray_before(15).is_some()), (None, true));
    }

    #[test]
    fn a_mark_that_never_closes_has_a_line() {
        assert_eq!(scan("a,x\nb,\"y\nc,x\n").open_line(), Some(2));
        assert_eq!(scan("a,x\nb,\"y\nc\"\n").open_line(), None);
        assert_eq!(scan("a,x\nb,\"y\nc\"").open_line(), None, "the file may end with it");
    }
}
