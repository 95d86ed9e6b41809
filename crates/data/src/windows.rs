//! Texts cut into windows of characters: how a dataset of long texts becomes one of many short ones.

use crate::DataError;
use crate::assemble::{Part, Rows};
use crate::store::Store;
use crate::texts::{TextStore, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::Path;

/// Each text becomes several examples. Splits are carved from whole texts first, so no window of the validation split
/// overlaps one of the training split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowsConfig {
    /// Characters of a window; a shorter text is one window.
    #[schemars(range(min = 1))]
    pub length: usize,
    /// Characters from the start of one training window to the next.
    #[schemars(range(min = 1))]
    pub train_stride: usize,
    /// Characters from the start of one validation or test window to the next; the length where it is not given, so
    /// that they do not overlap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub test_stride: Option<usize>,
}

impl WindowsConfig {
    pub(crate) fn test_stride(&self) -> usize {
        self.test_stride.unwrap_or(self.length)
    }

    /// The windows of a text as ranges of its bytes: whole ones, from the start on.
    fn ranges(&self, text: &str, stride: usize) -> Vec<Range<usize>> {
        let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let n_characters = borders.len() - 1;
        let length = self.length.min(n_characters);
        let starts = (0..=n_characters - length).step_by(stride);
        starts.map(|start| borders[start]..borders[start + length]).collect()
    }
}

/// Texts without labels, with so many characters from the start of one window to the next.
pub(crate) fn cut_all(config: &WindowsConfig, stride: usize, texts: TextStore) -> TextStore {
    let ranges = |text| config.ranges(texts.text(text), stride);
    let windows_of = |text| ranges(text).into_iter().map(move |range| Window::new(text, &range));
    let windows = (0..texts.n_texts()).flat_map(windows_of).collect();
    texts.with_windows(windows)
}

/// The parts of a dataset whose texts are to be cut.
pub(crate) struct Parts<'a> {
    pub(crate) train: &'a mut Part,
    pub(crate) valid: Option<&'a mut Part>,
    pub(crate) test: Option<&'a mut Part>,
}

/// Cuts the texts of all parts, and makes rows of texts into rows of windows.
pub(crate) fn cut(config: &WindowsConfig, parts: Parts<'_>, rows: &mut Rows, path: &Path) -> Result<(), DataError> {
    let mut is_train = vec![false; parts.train.classes.len()];
    rows.train.iter().for_each(|&row| is_train[row as usize] = true);
    let stride = |text: usize| if is_train[text] { config.train_stride } else { config.test_stride() };
    let of_train = cut_part(config, parts.train, stride, path)?;
    let cut_own = |part: Option<&mut Part>| part.map(|part| cut_part(config, part, |_| config.test_stride(), path));
    let of_valid = cut_own(parts.valid).transpose()?;
    let of_test = cut_own(parts.test).transpose()?;
    let windows_of = |texts: &[u32], ranges: &[Range<u32>]| -> Vec<u32> {
        texts.iter().flat_map(|&text| ranges[text as usize].clone()).collect()
    };
    rows.train = windows_of(&rows.train, &of_train);
    rows.valid = windows_of(&rows.valid, of_valid.as_ref().unwrap_or(&of_train));
    rows.test = windows_of(&rows.test, of_test.as_ref().unwrap_or(&of_train));
    Ok(())
}

/// The rows that each text becomes.
fn cut_part(
    config: &WindowsConfig,
    part: &mut Part,
    stride: impl Fn(usize) -> usize,
    path: &Path,
) -> Result<Vec<Range<u32>>, DataError> {
    let Store::Texts(texts) = &mut part.store else { unreachable!("only readers of texts ask for windows") };
    let (mut windows, mut classes, mut rows) = (Vec::new(), Vec::new(), Vec::with_capacity(texts.n_texts()));
    for text in 0..texts.n_texts() {
        let first = windows.len() as u32;
        windows.extend(config.ranges(texts.text(text), stride(text)).iter().map(|range| Window::new(text, range)));
        if windows.len() > u32::MAX as usize {
            let found = format!("more than {} windows in one split", u32::MAX);
            return Err(DataError::invalid(path, found, "fewer").hint("make the strides longer"));
        }
        classes.resize(windows.len(), part.classes[text]);
        rows.push(first..windows.len() as u32);
    }
    *texts = std::mem::take(texts).with_windows(windows);
    part.classes = classes;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_text(text: &str, length: usize, stride: usize) -> Vec<&str> {
        let config = WindowsConfig { length, train_stride: stride, test_stride: None };
        config.ranges(text, stride).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn windows_are_whole_and_count_characters() {
        assert_eq!(cut_text("äbcdëf", 3, 1), ["äbc", "bcd", "cdë", "dëf"]);
        assert_eq!(cut_text("äbcdëfg", 3, 2), ["äbc", "cdë", "ëfg"]);
        assert_eq!(cut_text("äbcdëfgh", 3, 3), ["äbc", "dëf"]);
    }

    #[test]
    fn short_texts_are_one_window() {
        assert_eq!(cut_text("äb", 3, 1), ["äb"]);
        assert_eq!(cut_text("äbc", 3, 1), ["äbc"]);
        assert_eq!(cut_text("", 3, 1), [""]);
    }
}
