//! Texts in memory: one buffer of bytes, and where each text ends.
//!
//! An example is a whole text, or a window of one: then a text that is cut into many overlapping windows is still held
//! once.

use std::ops::Range;

/// Longest text in bytes; window borders are kept in 32 bits.
pub(crate) const MAX_TEXT_BYTES: usize = 1 << 30;

/// Texts of one source, and the examples that they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextStore {
    buffer: String,
    /// Where each text ends in the buffer.
    ends: Vec<u64>,
    /// The examples, where they are not the texts themselves.
    windows: Option<Vec<Window>>,
}

/// A piece of a text: bytes from `start` to `end`, which are borders of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    text: u32,
    start: u32,
    end: u32,
}

impl Window {
    /// The bytes of a range of a text.
    pub(crate) fn new(text: usize, range: &Range<usize>) -> Self {
        Self { text: text as u32, start: range.start as u32, end: range.end as u32 }
    }
}

impl TextStore {
    /// Appends a text.
    ///
    /// # Panics
    /// If it is longer than [`MAX_TEXT_BYTES`], which readers refuse, or the examples are windows already.
    pub(crate) fn push(&mut self, text: &str) {
        assert!(text.len() <= MAX_TEXT_BYTES && self.windows.is_none(), "whole texts of bounded length");
        self.buffer.push_str(text);
        self.ends.push(self.buffer.len() as u64);
    }

    /// Appends the texts and the examples of another store.
    ///
    /// # Panics
    /// If one of the two is cut into windows and the other is not.
    pub(crate) fn append(&mut self, other: Self) {
        let (n_texts, n_bytes) = (self.ends.len() as u32, self.buffer.len() as u64);
        match (&mut self.windows, other.windows) {
            (Some(windows), Some(others)) => {
                windows.reserve_exact(others.len());
                windows.extend(others.into_iter().map(|window| Window { text: window.text + n_texts, ..window }));
            }
            (None, None) => {}
            _ => panic!("windows and whole texts in one store"),
        }
        // what readers have given back is not to be taken again by doubling
        self.buffer.reserve_exact(other.buffer.len());
        self.ends.reserve_exact(other.ends.len());
        self.buffer.push_str(&other.buffer);
        self.ends.extend(other.ends.iter().map(|end| end + n_bytes));
    }

    /// Number of examples.
    pub(crate) fn len(&self) -> usize {
        self.windows.as_ref().map_or(self.ends.len(), Vec::len)
    }

    /// Gives back memory that was kept for more texts.
    pub(crate) fn shrink(&mut self) {
        self.buffer.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// The same texts with other examples.
    pub(crate) fn with_windows(self, windows: Vec<Window>) -> Self {
        Self { windows: Some(windows), ..self }
    }

    /// What the texts and their windows take of the memory.
    pub(crate) fn bytes(&self) -> usize {
        let windows = self.windows.as_ref().map_or(0, |windows| size_of_val(&windows[..]));
        self.buffer.len() + size_of_val(&self.ends[..]) + windows
    }

    /// Number of texts, whatever examples they are cut into.
    pub(crate) fn n_texts(&self) -> usize {
        self.ends.len()
    }

    /// A whole text.
    pub(crate) fn text(&self, text: usize) -> &str {
        let start = if text == 0 { 0 } else { self.ends[text - 1] };
        &self.buffer[start as usize..self.ends[text] as usize]
    }

    /// The number of the text that an example is taken from.
    pub(crate) fn text_of(&self, row: usize) -> usize {
        self.windows.as_ref().map_or(row, |windows| windows[row].text as usize)
    }

    /// The text that an example is taken from, and the bytes of it that it is.
    pub(crate) fn surroundings(&self, row: usize) -> (&str, Range<usize>) {
        match &self.windows {
            None => {
                let text = self.text(row);
                (text, 0..text.len())
            }
            Some(windows) => {
                let Window { text, start, end } = windows[row];
                (self.text(text as usize), start as usize..end as usize)
            }
        }
    }

    /// Adds everything that examples depend on to a hash.
    pub(crate) fn hash_into(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.ends.len() as u64).to_le_bytes());
        self.ends.iter().for_each(|end| {
            hasher.update(&end.to_le_bytes());
        });
        hasher.update(self.buffer.as_bytes());
        for Window { text, start, end } in self.windows.iter().flatten() {
            [text, start, end].iter().for_each(|value| {
                hasher.update(&value.to_le_bytes());
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> TextStore {
        let mut store = TextStore::default();
        ["één", "", "twee"].iter().for_each(|text| store.push(text));
        store
    }

    fn example(store: &TextStore, row: usize) -> &str {
        let (text, range) = store.surroundings(row);
        &text[range]
    }

    fn hash(store: &TextStore) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        store.hash_into(&mut hasher);
        hasher.finalize()
    }

    #[test]
    fn examples_are_the_texts_or_their_windows() {
        let store = store();
        assert_eq!([0, 1, 2].map(|row| example(&store, row)), ["één", "", "twee"]);
        let windows = vec![Window::new(2, &(1..3)), Window::new(0, &(2..5))];
        let cut = store.with_windows(windows);
        assert_eq!([0, 1].map(|row| example(&cut, row)), ["we", "én"]);
        assert_eq!(cut.surroundings(0), ("twee", 1..3));
        assert_eq!(cut.n_texts(), 3);
        assert_eq!(cut.bytes(), 9 + 3 * 8 + 2 * 12);
    }

    #[test]
    fn appended_texts_come_behind_the_others() {
        let mut whole = store();
        whole.append(store());
        assert_eq!([2, 3, 4, 5].map(|row| example(&whole, row)), ["twee", "één", "", "twee"]);
        let cut = || store().with_windows(vec![Window::new(2, &(1..3))]);
        let mut windows = cut();
        windows.append(cut());
        assert_eq!((windows.len(), windows.n_texts(), windows.text_of(1)), (2, 6, 5));
        assert_eq!(example(&windows, 1), "we");
    }

    #[test]
    fn borders_of_texts_and_windows_are_in_the_hash() {
        let mut other = TextStore::default();
        ["é", "én", "twee"].iter().for_each(|text| other.push(text));
        assert_ne!(hash(&store()), hash(&other));
        assert_ne!(hash(&store()), hash(&store().with_windows(vec![Window::new(0, &(0..2))])));
        assert_eq!(hash(&store()), hash(&store()));
    }
}
