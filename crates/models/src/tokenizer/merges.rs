//! Training of byte pair encoding (Sennrich et al. 2016): the most frequent pair of adjacent pieces is merged into one
//! piece, until the vocabulary is full.
//!
//! The trainers of the `tokenizers` crate number tokens and break ties by the order of hash maps, which is random in
//! each process. This one gives the same pieces in every run; of equally frequent pairs, the one with the lower numbers
//! is merged first.

use crate::TokenizerTraining;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// The result of training.
pub(super) struct Trained {
    /// The vocabulary; a token's position is its number.
    pub(super) tokens: Vec<String>,
    /// The merged pairs, in the order of the merges.
    pub(super) merges: Vec<(String, String)>,
}

type Pair = (u32, u32);

/// Learns merges from words and their counts.
pub(super) fn learn_merges(
    words: &BTreeMap<String, u64>,
    alphabet: &BTreeSet<char>,
    training: &TokenizerTraining,
) -> Trained {
    let mut learner = Learner::start(words, alphabet);
    let mut merges = Vec::new();
    while learner.tokens.len() < training.vocabulary_size {
        let Some((pair, count)) = learner.most_frequent() else { break };
        if count < training.min_frequency.max(1) {
            break;
        }
        let (left, right) = (learner.tokens[pair.0 as usize].clone(), learner.tokens[pair.1 as usize].clone());
        let token = learner.number(format!("{left}{right}"));
        merges.push((left, right));
        learner.merge(pair, token);
    }
    Trained { tokens: learner.tokens, merges }
}

struct Learner {
    tokens: Vec<String>,
    numbers: HashMap<String, u32>,
    /// Pieces and count of each word.
    words: Vec<(Vec<u32>, u64)>,
    /// How often two pieces are adjacent, and the words in which they are or once were.
    pairs: HashMap<Pair, (u64, Vec<u32>)>,
    /// Counts that may be out of date, the highest first, then the lowest pair.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
}

impl Learner {
    fn start(words: &BTreeMap<String, u64>, alphabet: &BTreeSet<char>) -> Self {
        let mut learner = Self {
            tokens: Vec::new(),
            numbers: HashMap::new(),
            words: Vec::new(),
            pairs: HashMap::new(),
            queue: BinaryHeap::new(),
        };
        for character in alphabet {
            learner.number(character.to_string());
        }
        for (word, count) in words {
            let pieces = word.chars().filter_map(|character| learner.numbers.get(&character.to_string()).copied());
            learner.words.push((pieces.collect(), *count));
        }
        for word in 0..learner.words.len() {
            learner.count_pairs(word);
        }
        let queue = learner.pairs.iter().map(|(pair, (count, _))| (*count, Reverse(*pair)));
        learner.queue = queue.collect();
        learner
    }

    /// The number of a token, a new one if it has none.
    fn number(&mut self, token: String) -> u32 {
        let next = self.tokens.len() as u32;
        *self.numbers.entry(token).or_insert_with_key(|token| {
            self.tokens.push(token.clone());
            next
        })
    }

    fn count_pairs(&mut self, word: usize) {
        let (pieces, count) = &self.words[word];
        for pair in pieces.windows(2) {
            let (total, places) = self.pairs.entry((pair[0], pair[1])).or_default();
            *total += count;
            if places.last() != Some(&(word as u32)) {
                places.push(word as u32);
            }
        }
    }

    /// The most frequent pair and its count.
    fn most_frequent(&mut self) -> Option<(Pair, u64)> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            let current = self.pairs.get(&pair).map_or(0, |(total, _)| *total);
            if current == count {
                return Some((pair, count));
            }
            if current > 0 {
                self.queue.push((current, Reverse(pair)));
            }
        }
        None
    }

    /// Makes a pair one token in all words.
    fn merge(&mut self, pair: Pair, token: u32) {
        let (_, places) = self.pairs.remove(&pair).unwrap_or_default();
        let mut grown = BTreeSet::new();
        for word in places {
            let (pieces, count) = &self.words[word as usize];
            let joined = join(pieces, pair, token);
            if joined.len() == pieces.len() {
                continue;
            }
            for gone in pieces.windows(2) {
                if let Some((total, _)) = self.pairs.get_mut(&(gone[0], gone[1])) {
                    *total -= count;
                }
            }
            grown.extend(joined.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| *a == token || *b == token));
            self.words[word as usize].0 = joined;
            self.count_pairs(word as usize);
        }
        // counts that fell are corrected when they come up; those of pairs with the new token only grow
        for pair in grown {
            let total = self.pairs.get(&pair).map_or(0, |(total, _)| *total);
            self.queue.push((total, Reverse(pair)));
        }
    }
}

/// The pieces with each occurrence of a pair replaced, from the left.
fn join(pieces: &[u32], pair: Pair, token: u32) -> Vec<u32> {
    let mut joined = Vec::with_capacity(pieces.len());
    let mut place = 0;
    while place < pieces.len() {
        if place + 1 < pieces.len() && (pieces[place], pieces[place + 1]) == pair {
            joined.push(token);
            place += 2;
        } else {
            joined.push(pieces[place]);
            place += 1;
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(vocabulary_size: usize) -> TokenizerTraining {
        TokenizerTraining { vocabulary_size, lowercase: false, min_frequency: 1 }
    }

    fn counts(words: &[(&str, u64)]) -> BTreeMap<String, u64> {
        words.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
    }

    #[test]
    fn the_most_frequent_pairs_come_first_and_ties_in_order() {
        let words = counts(&[("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)]);
        let alphabet = "lowernstidw".chars().collect();
        let trained = learn_merges(&words, &alphabet, &training(100));
        // Sennrich, Haddow and Birch 2016, algorithm 1 and figure 1: e s, es t, l o, lo w are merged before the rest
        let merges: Vec<String> = trained.merges.iter().map(|(a, b)| format!("{a}+{b}")).collect();
        assert_eq!(merges[..4], ["e+s", "es+t", "l+o", "lo+w"]);
        assert!(trained.tokens.contains(&"newest".to_owned()));
        assert_eq!(trained.tokens.len(), 10 + trained.merges.len());
    }

    #[test]
    fn runs_of_one_letter_are_counted_right() {
        let trained = learn_merges(&counts(&[("aaaaa", 1)]), &['a'].into(), &training(10));
        let merges: Vec<(&str, &str)> = trained.merges.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(merges, [("a", "a"), ("aa", "a"), ("aa", "aaa")]);
    }

    #[test]
    fn rare_pairs_stay_apart() {
        let rare = TokenizerTraining { min_frequency: 3, ..training(100) };
        let trained = learn_merges(&counts(&[("ab", 2), ("cd", 3)]), &"abcd".chars().collect(), &rare);
        assert_eq!(trained.merges, [("c".to_owned(), "d".to_owned())]);
    }
}
