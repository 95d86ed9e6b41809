//! Files of text: opened whatever they are compressed with or encoded in, or refused by the name of what they are.

use crate::{DataError, bytes};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
/// What an editor of old put behind the last line.
pub(crate) const END_MARK: &[u8] = b"\x1a";

/// First bytes of files that are no texts, with the name of what they are and the way to a text.
const OTHERS: [(&[u8], &str, &str); 10] = [
    (
        b"PK\x03\x04",
        "a zip archive or a spreadsheet (.zip, .xlsx, .ods)",
        "unpack it, or save the sheet as CSV in UTF-8",
    ),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls)", "save the sheet as CSV in UTF-8"),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", "`zstd -d` unpacks it; gzip is read as it is"),
    (b"BZh", "a file compressed with bzip2", "`bunzip2` unpacks it; gzip is read as it is"),
    (b"\xfd7zXZ\0", "a file compressed with xz", "`unxz` unpacks it; gzip is read as it is"),
    (b"\x04\x22\x4d\x18", "a file compressed with lz4", "`lz4 -d` unpacks it; gzip is read as it is"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it; gzip is read as it is"),
    (b"PAR1", "a parquet file", "a table with labels is read from it under a name that ends in .parquet"),
    (b"ARROW1\0", "an Arrow file", "save it as parquet or CSV"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
];

/// How characters are made of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8 { mark: bool },
    Utf16 { mark: bool, little_endian: bool },
}

impl Encoding {
    /// By the byte order mark, or by the zeros that UTF-16 has in every second place of plain letters.
    fn of(path: &Path, start: &[u8]) -> Result<Self, DataError> {
        if start.starts_with(b"\xff\xfe\0\0") || start.starts_with(b"\0\0\xfe\xff") {
            let hint = "save the file as UTF-8, for example with `iconv -f UTF-32 -t UTF-8`";
            return Err(DataError::invalid(path, "a text in UTF-32", "one in UTF-8 or UTF-16").hint(hint));
        }
        Ok(match start {
            [0xff, 0xfe, ..] => Self::Utf16 { mark: true, little_endian: true },
            [0xfe, 0xff, ..] => Self::Utf16 { mark: true, little_endian: false },
            [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Self::Utf16 { mark: false, little_endian: true },
            [0, a, 0, b, ..] if *a != 0 && *b != 0 => Self::Utf16 { mark: false, little_endian: false },
            _ => Self::Utf8 { mark: start.starts_with(UTF8_MARK) },
        })
    }
}

/// Opens a text behind its byte order mark as UTF-8, which it is or which its UTF-16 is made into. It may be gzipped.
///
/// # Errors
/// A file that is absent, empty, no regular file, a pointer of Git LFS, or known as something else than a text.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    let mut input = bytes::open(path)?;
    // the first buffer of a gzip stream may be short, but holds more than any mark
    let start = input.fill_buf().map_err(|error| broken(path, error))?;
    if start.is_empty() {
        return Err(DataError::invalid(path, "an empty file", "a text"));
    }
    decoded(path, input)
}

/// A text, of which the first buffer holds the start, behind its byte order mark and as UTF-8; messages call it `path`.
///
/// # Errors
/// Something that is known and no text.
pub(crate) fn decoded<'a>(path: &Path, mut input: Box<dyn BufRead + 'a>) -> Result<Box<dyn BufRead + 'a>, DataError> {
    let start = input.fill_buf().map_err(|error| broken(path, error))?;
    if let Some((_, found, hint)) = OTHERS.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return Err(DataError::invalid(path, found, "a text").hint(hint));
    }
    match Encoding::of(path, start)? {
        Encoding::Utf8 { mark } => {
            input.consume(if mark { UTF8_MARK.len() } else { 0 });
            Ok(input)
        }
        Encoding::Utf16 { mark, little_endian } => {
            input.consume(if mark { 2 } else { 0 });
            Ok(Box::new(BufReader::new(FromUtf16 { input, little_endian, high: None, left: Vec::new() })))
        }
    }
}

/// As [`open`], with `\n` at the end of each line of a file that has `\r` alone there, as old systems write.
pub(crate) fn open_lines(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    let mut input = open(path)?;
    let start = input.fill_buf().map_err(|error| broken(path, error))?;
    // a `\r` as the last byte may be the first half of `\r\n`
    let has_return = start.iter().rev().skip(1).any(|&byte| byte == b'\r');
    match has_return && !start.contains(&b'\n') {
        true => Ok(Box::new(BufReader::new(ReturnsAsBreaks(input)))),
        false => Ok(input),
    }
}

/// Reads a line with its end into `line`; `false` behind the last one.
///
/// # Errors
/// A line of more than `max_bytes`, which is not held in memory; whatever the system says.
pub(crate) fn read_line(
    input: &mut dyn BufRead,
    line: &mut Vec<u8>,
    max_bytes: u64,
    path: &Path,
    number: u64,
) -> Result<bool, DataError> {
    line.clear();
    let n_read = input.take(max_bytes + 1).read_until(b'\n', line).map_err(|error| broken(path, error))?;
    if n_read as u64 > max_bytes {
        return Err(DataError::invalid(
            path,
            format!("a line {number} of more than {}", in_mib(max_bytes)),
            "shorter lines",
        ));
    }
    Ok(n_read > 0)
}

/// A limit in words.
pub(crate) fn in_mib(n_bytes: u64) -> String {
    format!("{} MiB", n_bytes >> 20)
}

/// Whether a line without its end is empty, or the character that marked the end of a file in DOS.
pub(crate) fn is_end_mark(line: &[u8]) -> bool {
    line.is_empty() || line == END_MARK
}

/// An error while a file was read: of its gzip stream, of its encoding, or of the system.
pub(crate) fn broken(path: &Path, error: io::Error) -> DataError {
    match error.get_ref().is_some_and(|inner| inner.is::<NoUtf16>()) {
        true => DataError::invalid(path, error.to_string(), "a text in UTF-16 or UTF-8"),
        false if bytes::is_of_gzip(&error) => bytes::broken_gzip(path, &error),
        false => DataError::io(path, "read")(error),
    }
}

const UTF8_HINT: &str =
    "save the file as UTF-8, for example with `iconv -f WINDOWS-1252 -t UTF-8` if it is from Windows";

/// The text of some bytes; `place` says where they are.
pub(crate) fn utf8<'a>(path: &Path, bytes: &'a [u8], place: impl FnOnce() -> String) -> Result<&'a str, DataError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let byte = bytes[error.valid_up_to()];
        let found = format!("byte 0x{byte:02x} that is no UTF-8 in {}", place());
        DataError::invalid(path, found, "text in UTF-8").hint(UTF8_HINT)
    })
}

/// A stream of UTF-16, read as UTF-8.
struct FromUtf16<R> {
    input: R,
    little_endian: bool,
    /// The first half of a pair.
    high: Option<u16>,
    /// Bytes of a character that its reader had no room for, in reverse.
    left: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
#[error("a text in UTF-16 that breaks in the middle of a character")]
struct NoUtf16;

impl<R: BufRead> FromUtf16<R> {
    fn unit(&mut self) -> io::Result<Option<u16>> {
        let mut bytes = [0; 2];
        let mut n_read = 0;
        while n_read < 2 {
            match self.input.read(&mut bytes[n_read..])? {
                0 if n_read == 0 => return Ok(None),
                0 => return Err(io::Error::new(io::ErrorKind::InvalidData, NoUtf16)),
                more => n_read += more,
            }
        }
        Ok(Some(if self.little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }))
    }

    fn character(&mut self) -> io::Result<Option<char>> {
        let no_utf16 = || io::Error::new(io::ErrorKind::InvalidData, NoUtf16);
        loop {
            let Some(unit) = self.unit()? else {
                return if self.high.is_some() { Err(no_utf16()) } else { Ok(None) };
            };
            let units = [self.high.unwrap_or(unit), unit];
            let whole = if self.high.take().is_some() { &units[..] } else { &units[1..] };
            match char::decode_utf16(whole.iter().copied()).next() {
                Some(Ok(c)) => return Ok(Some(c)),
                _ if whole.len() == 1 && (0xd800..0xdc00).contains(&unit) => self.high = Some(unit),
                _ => return Err(no_utf16()),
            }
        }
    }
}

impl<R: BufRead> Read for FromUtf16<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut n_written = 0;
        while n_written < out.len() {
            if let Some(byte) = self.left.pop() {
                out[n_written] = byte;
                n_written += 1;
                continue;
            }
            let Some(c) = self.character()? else { break };
            self.left.extend(c.encode_utf8(&mut [0; 4]).bytes().rev());
        }
        Ok(n_written)
    }
}

/// A stream whose `\r` are read as `\n`.
struct ReturnsAsBreaks<R>(R);

impl<R: Read> Read for ReturnsAsBreaks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n_read = self.0.read(out)?;
        out[..n_read].iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file<T>(content: &[u8], read: impl Fn(&Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, content).unwrap();
        read(&path)
    }

    fn text(content: &[u8]) -> Result<String, String> {
        with_file(content, |path| {
            let mut text = String::new();
            let read =
                open(path).and_then(|mut input| input.read_to_string(&mut text).map_err(|error| broken(path, error)));
            read.map(|_| text).map_err(|error| error.to_string())
        })
    }

    #[test]
    fn utf16_is_read_with_and_without_its_mark() {
        let long: String = "a,é 🎈漢\r\n".repeat(5000);
        let encode =
            |text: &str, to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(to_bytes).collect() };
        for to_bytes in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
            assert!(text(&encode(&format!("\u{feff}{long}"), to_bytes)).unwrap() == long);
            assert!(text(&encode(&long, to_bytes)).unwrap() == long);
            let cut = encode(&format!("\u{feff}{long}"), to_bytes);
            assert!(text(&cut[..cut.len() - 1]).unwrap_err().contains("in the middle of a character"));
        }
        assert!(text(b"\xff\xfea\0\0\xd8b\0").unwrap_err().contains("UTF-16"));
        assert!(text(b"\xff\xfe\0\0a\0\0\0").unwrap_err().contains("iconv -f UTF-32"));
        assert_eq!(text(b"\xef\xbb\xbfa").unwrap(), "a");
    }

    #[test]
    fn what_is_no_text_is_called_by_its_name() {
        for (magic, name, _) in OTHERS {
            let refused = text(&[magic, &[0; 40][..]].concat()).unwrap_err();
            assert!(refused.contains(name) && refused.contains("hint"), "{refused}");
        }
        assert!(text(b"").unwrap_err().contains("an empty file"));
    }

    #[test]
    fn lines_end_in_any_way_and_are_bounded() {
        let lines = |content: &[u8]| {
            with_file(content, |path| {
                let (mut input, mut line, mut lines) = (open_lines(path).unwrap(), Vec::new(), Vec::new());
                while read_line(&mut *input, &mut line, 10, path, 7).map_err(|error| error.to_string())? {
                    lines.push(String::from_utf8_lossy(&line).trim().to_owned());
                }
                Ok::<_, String>(lines)
            })
        };
        for content in [&b"a\nb\n"[..], b"a\r\nb", b"a\rb\r", b"a\rb"] {
            assert_eq!(lines(content).unwrap(), ["a", "b"]);
        }
        assert!(lines(b"a\n0123456789a").unwrap_err().contains("line 7"));
    }
}
