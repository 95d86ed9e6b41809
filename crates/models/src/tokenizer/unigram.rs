//! Unigram's training (Kudo 2018, arXiv:1804.10959): of many pieces with probabilities those stay that shorten the texts'
//! description most.
//!
//! As in [`super::merges`], own code for the same pieces in every run: words and pieces are gone through in the order of
//! the alphabet, and equal scores are told apart by it.

use crate::TokenizerTraining;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Characters of the longest piece.
const MAX_PIECE: usize = 16;
/// Pieces that training starts with, for each token of the vocabulary.
const SEEDS_PER_TOKEN: usize = 10;
/// Most frequent words whose parts are tried as pieces: a bound on memory that rare words do not miss.
const MAX_SEED_WORDS: usize = 50_000;
/// Share of the pieces that a round keeps.
const KEPT: f64 = 0.75;
/// Pieces beyond the vocabulary among which the last choice is by probability.
const SPARE: f64 = 1.1;
const N_UPDATES: usize = 2;
/// A piece that is expected to occur less often is given up.
const LEAST_EXPECTED: f64 = 0.5;

/// Learns pieces and their log probabilities from words and their counts, the most probable first; `n_pieces` at most.
pub(super) fn learn_pieces(
    words: &BTreeMap<String, u64>,
    n_pieces: usize,
    training: &TokenizerTraining,
) -> Vec<(String, f64)> {
    let words: Vec<(Word<'_>, f64)> = words.iter().map(|(word, count)| (Word::new(word), *count as f64)).collect();
    let mut pieces = Pieces::seeds(&words, n_pieces * SEEDS_PER_TOKEN, training.min_frequency);
    let wanted = (n_pieces as f64 * SPARE) as usize;
    loop {
        for _ in 0..N_UPDATES {
            pieces = pieces.updated(&words);
        }
        let n_before = pieces.texts.len();
        if n_before <= wanted {
            break;
        }
        pieces = pieces.pruned(&words, wanted.max((n_before as f64 * KEPT) as usize));
        if pieces.texts.len() == n_before {
            break;
        }
    }
    pieces.best(n_pieces)
}

/// A text with the places of its characters.
struct Word<'t> {
    text: &'t str,
    /// where each character begins, and the end
    starts: Vec<usize>,
}

impl<'t> Word<'t> {
    fn new(text: &'t str) -> Self {
        let starts = text.char_indices().map(|(start, _)| start).chain([text.len()]).collect();
        Self { text, starts }
    }

    fn n_characters(&self) -> usize {
        self.starts.len() - 1
    }

    fn part(&self, start: usize, end: usize) -> &'t str {
        &self.text[self.starts[start]..self.starts[end]]
    }

    /// All parts that could be pieces, as places of characters.
    fn parts(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let n = self.n_characters();
        (0..n).flat_map(move |start| (start + 1..=n.min(start + MAX_PIECE)).map(move |end| (start, end)))
    }
}

/// A piece between two places of a word.
#[derive(Clone, Copy)]
struct Edge {
    start: usize,
    end: usize,
    piece: usize,
}

struct Pieces {
    texts: Vec<String>,
    log_probs: Vec<f64>,
    numbers: HashMap<String, usize>,
}

impl Pieces {
    /// Numbers pieces in the order of the alphabet; weights become probabilities.
    fn new(weights: impl IntoIterator<Item = (String, f64)>) -> Self {
        let sorted: BTreeMap<String, f64> = weights.into_iter().collect();
        let total: f64 = sorted.values().sum();
        let log_probs = sorted.values().map(|weight| (weight / total).ln()).collect();
        Self::with_log_probs(sorted.into_keys().collect(), log_probs)
    }

    fn with_log_probs(texts: Vec<String>, log_probs: Vec<f64>) -> Self {
        let numbers = texts.iter().cloned().zip(0..).collect();
        Self { texts, log_probs, numbers }
    }

    /// All characters, and the parts of words that cover most.
    fn seeds(words: &[(Word<'_>, f64)], n_seeds: usize, min_frequency: u64) -> Self {
        let mut by_count: Vec<&(Word<'_>, f64)> = words.iter().collect();
        by_count.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (mut characters, mut parts) = (BTreeMap::<&str, f64>::new(), BTreeMap::<&str, f64>::new());
        for (nth, (word, count)) in by_count.into_iter().enumerate() {
            for (start, end) in word.parts() {
                match end - start {
                    1 => *characters.entry(word.part(start, end)).or_default() += count,
                    _ if nth < MAX_SEED_WORDS => *parts.entry(word.part(start, end)).or_default() += count,
                    _ => {}
                }
            }
        }
        let covered = |(text, count): (&str, f64)| (text.to_owned(), count * text.chars().count() as f64);
        let is_frequent = |part: &(&str, f64)| part.1 >= min_frequency.max(2) as f64;
        let mut parts: Vec<(String, f64)> = parts.into_iter().filter(is_frequent).map(covered).collect();
        // a stable sort: equal ones stay in the order of the alphabet
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts.truncate(n_seeds);
        Self::new(characters.into_iter().map(covered).chain(parts))
    }

    fn edges(&self, word: &Word<'_>) -> Vec<Edge> {
        let edge = |(start, end)| Some(Edge { start, end, piece: *self.numbers.get(word.part(start, end))? });
        word.parts().filter_map(edge).collect()
    }

    /// One step of expectation maximisation, with the counts' uncertainty taken into account (a Dirichlet process, as in
    /// sentencepiece); pieces that hardly occur are gone.
    fn updated(&self, words: &[(Word<'_>, f64)]) -> Self {
        let mut expected = vec![0.0; self.texts.len()];
        for (word, count) in words {
            self.expect(word, *count, &mut expected);
        }
        let (texts, expected): (Vec<String>, Vec<f64>) = self
            .texts
            .iter()
            .zip(expected)
            .filter(|(text, expected)| *expected >= LEAST_EXPECTED || is_character(text))
            .map(|(text, expected)| (text.clone(), expected.max(LEAST_EXPECTED)))
            .unzip();
        let total = digamma(expected.iter().sum());
        let log_probs = expected.into_iter().map(|expected| digamma(expected) - total).collect();
        Self::with_log_probs(texts, log_probs)
    }

    /// Adds how often each piece is expected in a word: forwards and backwards over all of its segmentations.
    fn expect(&self, word: &Word<'_>, count: f64, expected: &mut [f64]) {
        let (n, edges) = (word.n_characters(), self.edges(word));
        let mut before = vec![f64::NEG_INFINITY; n + 1];
        let mut after = before.clone();
        (before[0], after[n]) = (0.0, 0.0);
        // edges come in the order of their starts
        for edge in &edges {
            before[edge.end] = log_add(before[edge.end], before[edge.start] + self.log_probs[edge.piece]);
        }
        for edge in edges.iter().rev() {
            after[edge.start] = log_add(after[edge.start], after[edge.end] + self.log_probs[edge.piece]);
        }
        for edge in &edges {
            let log_share = before[edge.start] + self.log_probs[edge.piece] + after[edge.end] - before[n];
            expected[edge.piece] += count * log_share.exp();
        }
    }

    /// The most probable segmentation of a word, without the piece that is the whole word if it is `excluded`.
    fn best_path(&self, word: &Word<'_>, is_whole_excluded: bool) -> Vec<usize> {
        let n = word.n_characters();
        let mut best: Vec<(f64, Option<Edge>)> = vec![(f64::NEG_INFINITY, None); n + 1];
        best[0].0 = 0.0;
        for edge in self.edges(word) {
            let score = best[edge.start].0 + self.log_probs[edge.piece];
            let is_out = is_whole_excluded && edge.end - edge.start == n;
            if !is_out && score > best[edge.end].0 {
                best[edge.end] = (score, Some(edge));
            }
        }
        let mut path = Vec::new();
        let mut place = n;
        while let Some(edge) = best[place].1 {
            path.push(edge.piece);
            place = edge.start;
        }
        path
    }

    /// The `n_kept` pieces without which the texts would lose most likelihood, each taken alone, and all characters.
    fn pruned(&self, words: &[(Word<'_>, f64)], n_kept: usize) -> Self {
        let mut used = vec![0.0; self.texts.len()];
        for (word, count) in words {
            self.best_path(word, false).into_iter().for_each(|piece| used[piece] += count);
        }
        let total: f64 = used.iter().sum();
        let loss = |piece: usize| {
            if used[piece] == 0.0 {
                return 0.0;
            }
            let others = self.best_path(&Word::new(&self.texts[piece]), true);
            let total_without = total + used[piece] * (others.len() as f64 - 1.0);
            let log_prob_without: f64 =
                others.iter().map(|other| ((used[*other] + used[piece]) / total_without).ln()).sum();
            used[piece] * ((used[piece] / total).ln() - log_prob_without)
        };
        let is_long = |piece: &usize| !is_character(&self.texts[*piece]);
        let mut losses: Vec<(f64, usize)> =
            (0..self.texts.len()).filter(is_long).map(|piece| (loss(piece), piece)).collect();
        losses.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let n_characters = self.texts.len() - losses.len();
        let kept = losses.into_iter().take(n_kept.saturating_sub(n_characters)).map(|(_, piece)| piece);
        let kept: BTreeSet<usize> = kept.chain((0..self.texts.len()).filter(|piece| !is_long(piece))).collect();
        let of = |piece: &usize| (self.texts[*piece].clone(), self.log_probs[*piece]);
        let (texts, log_probs) = kept.iter().map(of).unzip();
        Self::with_log_probs(texts, log_probs)
    }

    /// The most probable pieces, all characters first as long as there is room.
    fn best(self, n_pieces: usize) -> Vec<(String, f64)> {
        let mut pieces: Vec<(String, f64)> = self.texts.into_iter().zip(self.log_probs).collect();
        pieces.sort_by(|a, b| is_character(&b.0).cmp(&is_character(&a.0)).then(b.1.total_cmp(&a.1)));
        pieces.truncate(n_pieces);
        pieces.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        pieces
    }
}

fn is_character(text: &str) -> bool {
    text.chars().nth(1).is_none()
}

/// `ln(exp(a) + exp(b))`.
fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// The derivative of the logarithm of the gamma function, for numbers above 0: its recurrence, then its expansion.
fn digamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < 7.0 {
        below -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    below + x.ln() - 0.5 / x - square * (1.0 / 12.0 - square * (1.0 / 120.0 - square / 252.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digamma_is_that_of_the_tables() {
        for (x, expected) in [(1.0, -0.577_215_664_9), (0.5, -1.963_510_026_0), (10.0, 2.251_752_589_1)] {
            assert!((digamma(x) - expected).abs() < 1e-9, "{x}: {}", digamma(x));
        }
    }

    #[test]
    fn expected_counts_are_those_of_all_segmentations() {
        let pieces = Pieces::new([("a", 0.3), ("b", 0.2), ("ab", 0.4), ("ba", 0.1)].map(|(t, w)| (t.to_owned(), w)));
        let mut expected = vec![0.0; 4];
        pieces.expect(&Word::new("aba"), 2.0, &mut expected);
        // a b a: 0.3 * 0.2 * 0.3; ab a: 0.4 * 0.3; a ba: 0.3 * 0.1
        let (single, left, right) = (0.018, 0.12, 0.03);
        let all = single + left + right;
        let counts = [(2.0 * single + left + right), left, single, right].map(|share| 2.0 * share / all);
        for (text, expected_count) in ["a", "ab", "b", "ba"].iter().zip(counts) {
            let found = expected[pieces.numbers[*text]];
            assert!((found - expected_count).abs() < 1e-12, "{text}: {found} {expected_count}");
        }
        assert_eq!(pieces.best_path(&Word::new("ab"), false), [pieces.numbers["ab"]]);
        assert_eq!(pieces.best_path(&Word::new("ab"), true), [pieces.numbers["b"], pieces.numbers["a"]]);
    }
}
