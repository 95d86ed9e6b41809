//! `NaN` and `Infinity` in JSON, as Python writes them for missing values, though JSON has neither.

use std::io::{self, Read};

/// A stream of JSON whose `NaN` and `Infinity` outside of strings are read as empty strings of the same length.
pub(super) struct NanAsEmpty<R> {
    inner: R,
    in_string: bool,
    is_escaped: bool,
    /// Letters of a `NaN` or an `Infinity` that are still to come, but for the first.
    word: &'static [u8],
    is_second: bool,
}

impl<R> NanAsEmpty<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, in_string: false, is_escaped: false, word: b"", is_second: false }
    }

    fn read_as(&mut self, byte: u8) -> u8 {
        if self.in_string {
            self.in_string = self.is_escaped || byte != b'"';
            self.is_escaped = !self.is_escaped && byte == b'\\';
            return byte;
        }
        if let Some((&next, rest)) = self.word.split_first() {
            let is_second = std::mem::take(&mut self.is_second);
            self.word = if next == byte { rest } else { b"" };
            match (next == byte, is_second) {
                (true, true) => return b'"',
                (true, false) => return b' ',
                (false, _) => {}
            }
        }
        match byte {
            b'"' => self.in_string = true,
            // no other word of JSON has these letters
            b'N' => (self.word, self.is_second) = (b"aN", true),
            b'I' => (self.word, self.is_second) = (b"nfinity", true),
            _ => return byte,
        }
        b'"'
    }
}

impl<R: Read> Read for NanAsEmpty<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n_read = self.inner.read(out)?;
        for byte in &mut out[..n_read] {
            *byte = self.read_as(*byte);
        }
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_missing_numbers_are_empty_strings() {
        let text = r#"{"a": NaN, "b\"N": "NaN \\", "c": [Infinity, NaN], "d": null}"#;
        let mut read = String::new();
        NanAsEmpty::new(text.as_bytes()).read_to_string(&mut read).unwrap();
        let value: serde_json::Value = serde_json::from_str(&read).unwrap();
        let expected = serde_json::json!({"a": "", "b\"N": "NaN \\", "c": ["", ""], "d": null});
        assert_eq!((value, read.len()), (expected, text.len()));
        for broken in ["{\"a\": Nan}", "[N]"] {
            let mut read = String::new();
            NanAsEmpty::new(broken.as_bytes()).read_to_string(&mut read).unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(&read).is_err(), "{read}");
        }
    }
}
