//! Views of texts: one random rendering of a text, a pure function of the text and one seed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use stillhouse_core::{Draws, Seed};

/// How training texts are varied from view to view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TextAugmentConfig {
    /// Texts as they are.
    None {},
    /// A random piece, without some of its words, with some characters changed.
    Text(TextViewsConfig),
}

/// What is done to a text, in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextViewsConfig {
    /// Where the data is cut into windows: by how many characters a window is moved at most, to either side, within its
    /// text.
    #[serde(default)]
    pub shift: usize,
    /// Characters of a piece that is taken from a random place; shorter texts stay whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub window: Option<usize>,
    /// Probability that a word (between spaces) is left out; one word always stays.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub word_dropout: f64,
    /// Probability that a character is left out, doubled, exchanged with the next one, or replaced by another one of the
    /// same text.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub character_noise: f64,
}

impl Default for TextAugmentConfig {
    fn default() -> Self {
        Self::None {}
    }
}

impl TextAugmentConfig {
    /// Whether every view of a text is the text itself.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None {})
    }

    /// The view that is drawn from `stream`, of the example that is these bytes of a text.
    pub(crate) fn apply(&self, text: &str, example: Range<usize>, stream: Seed) -> String {
        match self {
            Self::None {} => text[example].to_owned(),
            Self::Text(views) => views.apply(text, example, stream),
        }
    }
}

impl TextViewsConfig {
    fn apply(&self, text: &str, example: Range<usize>, stream: Seed) -> String {
        let mut draws = Draws::new(stream);
        let example = shifted(text, example, self.shift, &mut draws);
        let piece = match self.window {
            Some(length) => random_piece(&text[example], length, &mut draws),
            None => &text[example],
        };
        let kept = without_words(piece, self.word_dropout as f32, &mut draws);
        with_noise(kept, self.character_noise as f32, &mut draws)
    }
}

/// The range, moved by a random number of characters, as far as the text goes.
fn shifted(text: &str, range: Range<usize>, limit: usize, draws: &mut Draws) -> Range<usize> {
    if limit == 0 {
        return range;
    }
    let delta = draws.below(2 * limit + 1) as isize - limit as isize;
    let step = |character: char| character.len_utf8();
    if delta >= 0 {
        let n_after = text[range.end..].chars().take(delta.unsigned_abs()).count();
        let start: usize = text[range.start..].chars().take(n_after).map(step).sum();
        let end: usize = text[range.end..].chars().take(n_after).map(step).sum();
        range.start + start..range.end + end
    } else {
        let n_before = text[..range.start].chars().rev().take(delta.unsigned_abs()).count();
        let start: usize = text[..range.start].chars().rev().take(n_before).map(step).sum();
        let end: usize = text[..range.end].chars().rev().take(n_before).map(step).sum();
        range.start - start..range.end - end
    }
}

/// So many characters from a random place.
fn random_piece<'a>(text: &'a str, length: usize, draws: &mut Draws) -> &'a str {
    let n_characters = text.chars().count();
    if n_characters <= length {
        return text;
    }
    let first = draws.below(n_characters - length + 1);
    let mut borders = text.char_indices().map(|(at, _)| at).chain([text.len()]).skip(first);
    let start = borders.next().unwrap_or(0);
    let end = borders.nth(length - 1).unwrap_or(text.len());
    &text[start..end]
}

/// The text without some words and the space after each of them.
fn without_words(text: &str, probability: f32, draws: &mut Draws) -> String {
    if probability <= 0.0 {
        return text.to_owned();
    }
    let words: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
    let mut kept: Vec<bool> = words.iter().map(|_| draws.unit() >= probability).collect();
    if !kept.contains(&true) && !kept.is_empty() {
        let lucky = draws.below(kept.len());
        kept[lucky] = true;
    }
    words.iter().zip(kept).filter(|(_, is_kept)| *is_kept).map(|(word, _)| *word).collect()
}

/// The text with some characters changed.
fn with_noise(text: String, probability: f32, draws: &mut Draws) -> String {
    if probability <= 0.0 {
        return text;
    }
    let mut characters: Vec<char> = text.chars().collect();
    let mut noisy = String::with_capacity(text.len());
    for position in 0..characters.len() {
        if draws.unit() >= probability {
            noisy.push(characters[position]);
            continue;
        }
        match draws.below(4) {
            0 => {}
            1 => noisy.extend([characters[position]; 2]),
            2 if position + 1 < characters.len() => {
                noisy.push(characters[position + 1]);
                characters[position + 1] = characters[position];
            }
            _ => noisy.push(characters[draws.below(characters.len())]),
        }
    }
    noisy
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENTENCE: &str = "übers Jahr ist über alle Berge";

    fn views(shift: usize, window: Option<usize>, word_dropout: f64, character_noise: f64) -> TextAugmentConfig {
        TextAugmentConfig::Text(TextViewsConfig { shift, window, word_dropout, character_noise })
    }

    proptest! {
        #[test]
        fn any_text_has_views(text in ".{0,60}", seed in any::<u64>(), shift in 0usize..9, window in 1usize..30) {
            let config = views(shift, Some(window), 0.3, 0.3);
            let view = config.apply(&text, 0..text.len(), Seed(seed));
            prop_assert_eq!(&view, &config.apply(&text, 0..text.len(), Seed(seed)));
            prop_assert!(view.chars().count() <= 2 * window);
        }

        #[test]
        fn a_moved_window_keeps_its_length(seed in any::<u64>(), shift in 0usize..40) {
            let start = SENTENCE.find('J').unwrap();
            let end = SENTENCE.find("über a").unwrap();
            let view = views(shift, None, 0.0, 0.0).apply(SENTENCE, start..end, Seed(seed));
            prop_assert_eq!(view.chars().count(), SENTENCE[start..end].chars().count());
            prop_assert!(SENTENCE.contains(&view));
        }
    }

    #[test]
    fn words_and_characters_change_about_as_often_as_asked() {
        let text = "word ".repeat(2000);
        let kept = without_words(&text, 0.25, &mut Draws::new(Seed(1)));
        assert!((1400..1600).contains(&kept.split(' ').filter(|word| !word.is_empty()).count()));
        let noisy = with_noise("x".repeat(10_000), 0.2, &mut Draws::new(Seed(1)));
        // a quarter of the changes removes and a quarter adds a character
        assert!((9800..10_200).contains(&noisy.len()), "{}", noisy.len());
        assert_ne!(with_noise(SENTENCE.to_owned(), 0.5, &mut Draws::new(Seed(1))), SENTENCE);
    }

    #[test]
    fn one_word_stays() {
        for seed in 0..50 {
            let view = views(0, None, 1.0, 0.0).apply(SENTENCE, 0..SENTENCE.len(), Seed(seed));
            assert_eq!(view.split_whitespace().count(), 1, "{view}");
        }
    }

    #[test]
    fn pieces_come_from_everywhere() {
        let piece = |seed| views(0, Some(4), 0.0, 0.0).apply(SENTENCE, 0..SENTENCE.len(), Seed(seed));
        let pieces: std::collections::HashSet<String> = (0..500).map(piece).collect();
        let characters: Vec<char> = SENTENCE.chars().collect();
        let all: std::collections::HashSet<String> =
            characters.windows(4).map(|piece| piece.iter().collect()).collect();
        assert_eq!(pieces, all);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let problems = stillhouse_core::check_values(&views(0, Some(0), 1.5, -0.1));
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["window", "word_dropout", "character_noise"]);
    }
}
