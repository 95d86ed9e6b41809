//! Texts as a modality: an example is a text, or a window of one.

use super::augment::TextAugmentConfig;
use super::store::TextStore;
use super::windows::{self, WindowsConfig};
use crate::DataError;
use crate::inputs::{IdRows, Inputs, TextEncoder};
use crate::modality::{Modality, Wanted};
use crate::preview::Preview;
use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use stillhouse_core::{InputShape, InputSpec};

/// Texts, how they are cut once they are split, and how they are varied.
pub(crate) struct TextExamples {
    pub(crate) texts: TextStore,
    pub(crate) windows: Option<WindowsConfig>,
    pub(crate) augment: TextAugmentConfig,
}

impl TextExamples {
    /// One example or a view of it, which may be mixed: then it is the beginning of the one and the end of the other, of each as
    /// much as its share.
    pub(crate) fn text(&self, wanted: Wanted) -> Cow<'_, str> {
        let first = self.unmixed(wanted);
        match wanted.other() {
            None => first,
            Some((other, share)) => Cow::Owned(spliced(&first, &self.unmixed(other), share, self.windows.is_some())),
        }
    }

    fn unmixed(&self, wanted: Wanted) -> Cow<'_, str> {
        let (text, example) = self.texts.surroundings(wanted.row);
        match wanted.view {
            Some(view) if !self.augment.is_none() => Cow::Owned(self.augment.apply(text, example, view.stream())),
            _ => Cow::Borrowed(&text[example]),
        }
    }

    /// The whole text that an example is cut out of.
    pub(crate) fn whole_text(&self, row: usize) -> &str {
        self.texts.text(self.texts.text_of(row))
    }

    /// Further texts, cut as these training or test texts are.
    pub(crate) fn cut_alike(&self, other: Self, is_train: bool) -> Self {
        match &self.windows {
            Some(config) => Self { texts: windows::cut_all(config, config.stride(is_train), other.texts), ..other },
            None => other,
        }
    }
}

/// The first `share` of one text and the last `1 - share` of another: of their words, or of their characters where texts are
/// windows, which begin and end anywhere, or have no spaces between words.
fn spliced(first: &str, second: &str, share: f32, is_window: bool) -> String {
    let cut = |n_pieces: usize| (n_pieces as f32 * share).round() as usize;
    let is_one_word = |text: &str| text.split_whitespace().nth(1).is_none();
    if is_window || is_one_word(first) || is_one_word(second) {
        let beginning = first.chars().take(cut(first.chars().count()));
        let end = second.chars().skip(cut(second.chars().count()));
        return beginning.chain(end).collect();
    }
    let (first, second): (Vec<&str>, Vec<&str>) =
        (first.split_whitespace().collect(), second.split_whitespace().collect());
    [&first[..cut(first.len())], &second[cut(second.len())..]].concat().join(" ")
}

impl Modality for TextExamples {
    fn noun(&self) -> &'static str {
        "text"
    }

    fn measure(&self, _rows: &[u32]) -> InputSpec {
        InputSpec::new(InputShape::Text {}, Vec::new(), Vec::new())
    }

    fn hash_into(&self, hasher: &mut blake3::Hasher) {
        self.texts.hash_into(hasher);
    }

    fn views(&self) -> Option<String> {
        (!self.augment.is_none()).then(|| format!("{:?}", self.augment))
    }

    fn contents(&self, rows: &[u32]) -> Option<Vec<&[u8]>> {
        Some(rows.iter().map(|&row| self.whole_text(row as usize).as_bytes()).collect())
    }

    fn n_bytes(&self, _n_examples: usize) -> u64 {
        self.texts.bytes() as u64
    }

    fn is_slow_to_read(&self) -> bool {
        true
    }

    fn read(&self, _wanted: Wanted, _input: &InputSpec, _out: &mut [f32]) -> Result<(), DataError> {
        panic!("texts are no numbers until they are encoded")
    }

    /// The ids that the encoder makes of the texts.
    ///
    /// # Panics
    /// Without an encoder.
    fn read_batch(
        &self,
        batch: &[Wanted],
        _input: &InputSpec,
        encoder: Option<&TextEncoder>,
    ) -> Result<Inputs, DataError> {
        let encoder = encoder.expect("texts are read with an encoder");
        let mut ids = IdRows::default();
        batch.iter().try_for_each(|wanted| ids.push(&self.text(*wanted), encoder))?;
        Ok(Inputs::Ids(ids))
    }

    fn preview(&self, wanted: Wanted) -> Result<Preview, DataError> {
        Ok(Preview::Text(self.text(wanted).into_owned()))
    }

    fn whole(&self, row: usize) -> usize {
        self.texts.text_of(row)
    }

    fn cut(&mut self, is_train: &dyn Fn(usize) -> bool, path: &Path) -> Result<Option<Vec<Range<u32>>>, DataError> {
        let Some(config) = &self.windows else { return Ok(None) };
        let stride = |text| config.stride(is_train(text));
        let (texts, rows) = windows::cut(config, stride, std::mem::take(&mut self.texts), path)?;
        self.texts = texts;
        Ok(Some(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spliced_texts_have_as_much_of_each_as_its_share() {
        assert_eq!(spliced("abcd", "éfgh", 0.5, true), "abgh");
        assert_eq!(spliced("abcd", "éfgh", 0.0, true), "éfgh");
        assert_eq!(spliced("one two three four", "five six", 0.5, false), "one two six");
        assert_eq!(spliced("one", "five", 1.0, false), "one");
        assert_eq!(spliced("one two", "five six", 0.5, false), "one six");
        // words without spaces between them
        assert_eq!(spliced("\u{4eca}\u{5929}", "\u{660e}\u{5929}", 0.5, false), "\u{4eca}\u{5929}");
        assert_eq!(spliced("ab", "cd", 0.5, false), "ad");
    }
}
