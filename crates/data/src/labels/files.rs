//! Text files with a label or the name of a class in each line.

use super::spelling::{EXPECTED, flaw, key, shown, skeleton, whole};
use super::{LabelColumn, RawLabels};
use crate::DataError;
use crate::places::Places;
use crate::text_input;
use std::collections::HashMap;
use std::path::Path;

/// Longest line in bytes: no label is as long.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Reads class names, one per line; line `i` names class `i`.
///
/// # Errors
/// An empty line, a name of two classes, two names that look the same.
pub(crate) fn read_names(path: &Path) -> Result<Vec<String>, DataError> {
    read_lines(path).and_then(|lines| distinct_names(path, lines))
}

/// The lines of a file as class names.
///
/// # Errors
/// A name of two classes, two names that look the same.
pub(crate) fn distinct_names(path: &Path, lines: Vec<String>) -> Result<Vec<String>, DataError> {
    let mut seen = HashMap::new();
    for (row, name) in lines.iter().enumerate() {
        if let Some(earlier) = seen.insert(skeleton(&key(name)), row) {
            let found = format!("class name `{}` in lines {} and {}", shown(name), earlier + 1, row + 1);
            let same = lines[earlier] == *name;
            let look = if same { "" } else { ", which look the same" };
            return Err(DataError::invalid(path, found + look, "a different name for each class"));
        }
    }
    Ok(lines)
}

/// Reads labels, one per line: numbers if every line is a whole one, also as `1.0` or `1e0`; names otherwise.
///
/// # Errors
/// An empty line, a label that cannot be the name of a class.
pub(crate) fn read_text_labels(path: &Path) -> Result<LabelColumn, DataError> {
    let lines = read_lines(path)?;
    let numbers: Option<Vec<i64>> = lines.iter().map(|line| whole(line)).collect();
    let labels = numbers.map_or(RawLabels::Names(lines), RawLabels::Numbers);
    Ok(LabelColumn { labels, places: Places::of_file(path, "line", 1) })
}

/// The lines of a file of labels or names, without spaces around them. Empty lines at the end are no lines.
///
/// # Errors
/// An empty line, one that cannot be the name of a class.
pub(crate) fn read_lines(path: &Path) -> Result<Vec<String>, DataError> {
    let mut input = text_input::open_lines(path)?;
    let (mut lines, mut first_empty) = (Vec::new(), None);
    let mut bytes = Vec::new();
    for number in 1.. {
        if !text_input::read_line(&mut *input, &mut bytes, MAX_LINE_BYTES, path, number)? {
            break;
        }
        let line = text_input::utf8(path, &bytes, || format!("line {number}"))?.trim();
        if text_input::is_end_mark(line.as_bytes()) {
            first_empty = first_empty.or(Some(number));
            continue;
        }
        if let Some(empty) = first_empty {
            return Err(DataError::invalid(path, format!("an empty line {empty}"), "one label in each line"));
        }
        if let Some(found) = flaw(line) {
            return Err(DataError::invalid(path, format!("{found} in line {number}"), EXPECTED));
        }
        lines.push(line.to_owned());
    }
    match lines.is_empty() {
        true => Err(DataError::invalid(path, "no line", "one label in each line")),
        false => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file<T>(content: &[u8], read: impl Fn(&Path) -> Result<T, DataError>) -> Result<T, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.txt");
        std::fs::write(&path, content).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    fn labels(content: &[u8]) -> Result<RawLabels, String> {
        with_file(content, read_text_labels).map(|column| column.labels)
    }

    #[test]
    fn numbers_may_have_marks_and_fractions_of_zero() {
        let expected = Ok(RawLabels::Numbers(vec![0, 11, 2]));
        let utf16: Vec<u8> = "\u{feff}0\r\n11\r\n2".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let contents: [&[u8]; 8] = [
            b"0\n11\n2\n",
            b"\xef\xbb\xbf0\r\n11\r\n2\r\n",
            b"0\r11\r2\r",
            b"0\n11\n2\n\n \n",
            b"0\n11\n2\n\x1a",
            b"0.0\n11.0\n2\n",
            b"0.000000000000000000e+00\n1.100000000000000000e+01\n2.000000000000000000e+00\n",
            &utf16,
        ];
        for content in contents {
            assert_eq!(labels(content), expected, "{}", String::from_utf8_lossy(content));
        }
        assert_eq!(labels(b"0\nb\n"), Ok(RawLabels::Names(vec!["0".to_owned(), "b".to_owned()])));
    }

    #[test]
    fn lines_that_are_no_labels_are_placed() {
        let long = [b"a\n", &[b'b'; 5000][..]].concat();
        let longer = [b"a\n", &[b'b'; 2 << 20][..]].concat();
        let cases: [(&[u8], &[&str]); 6] = [
            (b"a\n\nb\n", &["an empty line 2"]),
            (b"", &["an empty file"]),
            (b"\n\n", &["no line"]),
            (b"a\nb\x1b[2J\n", &["line 2", "control character"]),
            (&long, &["line 2", "5000 characters"]),
            (&longer, &["line 2", "1 MiB"]),
        ];
        for (content, parts) in cases {
            let text = labels(content).unwrap_err();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
        assert!(labels(pointer).unwrap_err().contains("git lfs pull"));
    }

    #[test]
    fn names_that_look_the_same_are_refused_with_their_lines() {
        let text = with_file("café\nx\ncafe\u{301}\n".as_bytes(), read_names).unwrap_err();
        assert!(text.contains("lines 1 and 3, which look the same"), "{text}");
        let text = with_file(b"a\nb\nb\n", read_names).unwrap_err();
        assert!(text.contains("class name `b` in lines 2 and 3, expected"), "{text}");
    }
}
