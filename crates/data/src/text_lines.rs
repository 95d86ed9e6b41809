//! Texts to predict, one a line, from a file, a pipe or standard input.

use crate::{DataError, text_input};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

/// Bytes of the longest line, and of the lines that are read together.
const MAX_BYTES: u64 = 16 << 20;
const GZIP: &[u8] = b"\x1f\x8b";
/// What is known of a text by its first bytes: compression, encoding, or that it is none.
const N_START: u64 = 64;

/// The lines of a text in UTF-8 or UTF-16, gzipped or not, behind its byte order mark. An endless stream without a line break
/// is refused when a line is longer than 16 MiB.
pub struct TextLines<'a> {
    /// The file, or another source, for messages.
    source: PathBuf,
    input: Box<dyn BufRead + 'a>,
    n_read: u64,
    n_empty: u64,
}

impl<'a> TextLines<'a> {
    /// The lines of a file; a pipe or a device is read as a stream.
    ///
    /// # Errors
    /// A file that cannot be read, a pointer of Git LFS, something that is no text.
    pub fn of_file(path: &Path) -> Result<Self, DataError> {
        let is_stream = std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        let file = if is_stream { File::open(path) } else { stillhouse_files::open(path) };
        Self::of_stream(path, file.map_err(DataError::io(path, "read"))?)
    }

    /// The lines of a stream, which messages call `source`.
    ///
    /// # Errors
    /// A stream that cannot be read or is no text.
    pub fn of_stream(source: &Path, stream: impl Read + 'a) -> Result<Self, DataError> {
        let broken = |error| text_input::broken(source, error);
        let (start, mut input) = behind_start(BufReader::new(stream)).map_err(broken)?;
        if start.starts_with(GZIP) {
            input = behind_start(BufReader::new(MultiGzDecoder::new(input))).map_err(broken)?.1;
        }
        let input = text_input::decoded(source, input)?;
        Ok(Self { source: source.to_owned(), input, n_read: 0, n_empty: 0 })
    }

    /// The next lines without their ends, at most so many; none at the end.
    ///
    /// # Errors
    /// A line that is longer than 16 MiB or no UTF-8, a gzip stream that breaks.
    pub fn next_lines(&mut self, n_lines: usize) -> Result<Vec<String>, DataError> {
        let (mut lines, mut n_bytes) = (Vec::new(), 0);
        while lines.len() < n_lines && n_bytes < MAX_BYTES {
            let Some(line) = self.next_line()? else { break };
            n_bytes += line.len() as u64;
            lines.push(line);
        }
        Ok(lines)
    }

    /// Lines so far in which there is nothing but spaces.
    pub fn n_empty(&self) -> u64 {
        self.n_empty
    }

    /// Lines so far.
    pub fn n_read(&self) -> u64 {
        self.n_read
    }

    fn next_line(&mut self) -> Result<Option<String>, DataError> {
        let mut bytes = Vec::new();
        let mut bounded = self.input.as_mut().take(MAX_BYTES + 1);
        let n_bytes =
            bounded.read_until(b'\n', &mut bytes).map_err(|error| text_input::broken(&self.source, error))? as u64;
        if n_bytes == 0 {
            return Ok(None);
        }
        self.n_read += 1;
        let number = self.n_read;
        if n_bytes > MAX_BYTES {
            let found = format!("line {number} of more than {} MiB", MAX_BYTES >> 20);
            return Err(DataError::invalid(&self.source, found, "one text a line, and each of them shorter"));
        }
        for end in [b'\n', b'\r'] {
            if bytes.last() == Some(&end) {
                bytes.pop();
            }
        }
        let line = String::from_utf8(bytes).map_err(|error| {
            let byte = error.as_bytes()[error.utf8_error().valid_up_to()];
            let found = format!("byte 0x{byte:02x} that is no UTF-8 in line {number}");
            DataError::invalid(&self.source, found, "text in UTF-8")
                .hint("save the file as UTF-8, for example with `iconv -f LATIN1 -t UTF-8` if it is in Latin-1")
        })?;
        self.n_empty += u64::from(line.trim().is_empty());
        Ok(Some(line))
    }
}

/// The first bytes of a stream, and the stream as if they had not been read. A pipe may deliver one by one.
fn behind_start<'a>(mut stream: impl BufRead + 'a) -> std::io::Result<(Vec<u8>, Box<dyn BufRead + 'a>)> {
    let mut start = Vec::new();
    stream.by_ref().take(N_START).read_to_end(&mut start)?;
    Ok((start.clone(), Box::new(Cursor::new(start).chain(stream))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn lines(bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut lines = TextLines::of_stream(Path::new("x"), bytes).map_err(|error| error.to_string())?;
        lines.next_lines(100).map_err(|error| error.to_string())
    }

    #[test]
    fn marks_line_ends_and_gzip_are_no_part_of_a_text() {
        let expected = ["one text", "", "\u{e9}"].map(str::to_owned);
        let plain = "one text\n\n\u{e9}".as_bytes();
        let marked = [b"\xef\xbb\xbf", plain].concat();
        let utf16: Vec<u8> = "\u{feff}one text\n\n\u{e9}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut zipped = GzEncoder::new(Vec::new(), flate2::Compression::default());
        zipped.write_all(&marked).unwrap();
        let zipped = zipped.finish().unwrap();
        for bytes in [plain, &marked, &utf16, "one text\r\n\r\n\u{e9}\r\n".as_bytes(), &zipped] {
            assert_eq!(lines(bytes).unwrap(), expected);
        }
        assert_eq!(lines(b"").unwrap(), [""; 0]);
        assert_eq!(lines(b"\xef").unwrap_err(), lines(b"\xef\n").unwrap_err());
        assert!(lines(&zipped[..20]).unwrap_err().contains("cut off or damaged"));
    }

    #[test]
    fn what_is_no_text_in_utf_8_is_named() {
        assert!(lines(b"PK\x03\x04 a sheet").unwrap_err().contains("spreadsheet"));
        assert!(lines(b"fine\ncaf\xe9\n").unwrap_err().contains("byte 0xe9 that is no UTF-8 in line 2"));
    }

    #[test]
    fn an_endless_line_ends() {
        let mut zeros = TextLines::of_stream(Path::new("zero"), std::io::repeat(0)).unwrap();
        let error = zeros.next_lines(7).unwrap_err().to_string();
        assert!(error.contains("line 1 of more than 16 MiB"), "{error}");
    }

    #[test]
    fn lines_come_in_pieces_and_empty_ones_are_counted() {
        let mut lines = TextLines::of_stream(Path::new("x"), &b"a\n \nb\n\nc"[..]).unwrap();
        assert_eq!(lines.next_lines(2).unwrap(), ["a", " "]);
        assert_eq!(lines.next_lines(9).unwrap(), ["b", "", "c"]);
        assert!(lines.next_lines(9).unwrap().is_empty());
        assert_eq!((lines.n_read(), lines.n_empty()), (5, 2));
    }
}
