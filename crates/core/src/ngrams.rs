//! Hashed n-grams of characters and words: a text as a bag of bucket numbers, at a cost linear in its length.
//!
//! The hash is a part of every saved model that reads such bags, so it never changes: FNV-1a over code points, kept
//! rolling while an n-gram grows, scattered by a finalizer, and scaled to the number of buckets.

use crate::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which n-grams of a text are counted.
///
/// A run of whitespace counts as one boundary mark, and n-grams of characters run across it, so that beginnings and
/// ends of words, and pairs of words, are n-grams like all others.
///
/// ```
/// use stillhouse_core::Ngrams;
/// let ngrams = Ngrams { characters: Some([1, 2]), words: None, ..Ngrams::default() };
/// let mut buckets = Vec::new();
/// ngrams.hash("ab", 1000, &mut buckets);
/// // "_ab_" has _, _a, a, ab, b, b_ and _
/// assert_eq!(buckets.len(), 7);
/// assert_eq!(buckets[0], buckets[6]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ngrams {
    /// fewest and most characters of an n-gram; none leaves n-grams of characters out
    #[serde(default = "default_characters")]
    #[schemars(inner(range(min = 1, max = MAX_LEN)))]
    pub characters: Option<[usize; 2]>,
    /// fewest and most words of an n-gram; none leaves n-grams of words out
    #[serde(default)]
    #[schemars(inner(range(min = 1, max = MAX_LEN)))]
    pub words: Option<[usize; 2]>,
    /// count upper and lower case as the same
    #[serde(default)]
    pub lowercase: bool,
    /// put a boundary mark before and after the text; false where texts are windows that begin and end inside of words
    #[serde(default = "default_marked_ends")]
    pub marked_ends: bool,
}

fn default_characters() -> Option<[usize; 2]> {
    Some([1, 4])
}

fn default_marked_ends() -> bool {
    true
}

impl Default for Ngrams {
    fn default() -> Self {
        Self { characters: default_characters(), words: None, lowercase: false, marked_ends: default_marked_ends() }
    }
}

/// Longer n-grams hardly ever occur twice.
const MAX_LEN: usize = 16;
const BOUNDARY: u32 = ' ' as u32;

impl Ngrams {
    /// Ranges that are empty, and n-grams of nothing; how long they may be is in the schema.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, range) in [("characters", self.characters), ("words", self.words)] {
            if let Some([shortest, longest]) = range
                && shortest > longest
            {
                let text = format!("must be [n, m] with n <= m, found [{shortest}, {longest}]");
                problems.push(Problem::new(key, text));
            }
        }
        if self.characters.is_none() && self.words.is_none() {
            let text = "none, and no words either, expected n-grams of at least one of them";
            problems.push(Problem::new("characters", text).hint("characters = [1, 4]"));
        }
        problems
    }

    /// Appends the bucket, below `n_buckets`, of every n-gram of `text`: those of characters by their position, then
    /// those of words. An n-gram that occurs twice is appended twice.
    ///
    /// # Panics
    /// If `n_buckets` is 0 or above `u32::MAX`.
    pub fn hash(&self, text: &str, n_buckets: usize, buckets: &mut Vec<u32>) {
        let n_buckets = u32::try_from(n_buckets).expect("a number of buckets that fits into 32 bits");
        assert!(n_buckets > 0, "at least one bucket");
        let symbols = self.symbols(text);
        let mut push = |hash: u64| buckets.push(bucket(hash, n_buckets));
        if let Some(range) = self.characters {
            hash_runs(CHARACTERS, &symbols, range, &mut push);
        }
        if let Some(range) = self.words {
            let words: Vec<u64> = symbols
                .split(|symbol| *symbol == u64::from(BOUNDARY))
                .filter(|word| !word.is_empty())
                .map(|word| word.iter().fold(WORDS, |hash, symbol| extend(hash, *symbol)))
                .collect();
            hash_runs(WORDS, &words, range, &mut push);
        }
    }

    /// Code points, with one boundary mark for each run of whitespace, and one at either end if these are marked.
    fn symbols(&self, text: &str) -> Vec<u64> {
        let mut symbols = Vec::with_capacity(text.len() + 2);
        let mut push = |symbol: u32| {
            if symbol != BOUNDARY || symbols.last() != Some(&u64::from(BOUNDARY)) {
                symbols.push(u64::from(symbol));
            }
        };
        if self.marked_ends {
            push(BOUNDARY);
        }
        for character in text.chars() {
            if character.is_whitespace() {
                push(BOUNDARY);
            } else if self.lowercase {
                character.to_lowercase().for_each(|lower| push(lower.into()));
            } else {
                push(character.into());
            }
        }
        if self.marked_ends {
            push(BOUNDARY);
        }
        symbols
    }
}

/// Where the hashes of both kinds start, so that a word of one letter is not the letter; the first is FNV's own.
const CHARACTERS: u64 = 0xcbf2_9ce4_8422_2325;
const WORDS: u64 = 0x9e37_79b9_7f4a_7c15;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn extend(hash: u64, symbol: u64) -> u64 {
    (hash ^ symbol).wrapping_mul(FNV_PRIME)
}

/// Hashes all runs of `shortest..=longest` symbols; each grows out of the one before.
fn hash_runs(start: u64, symbols: &[u64], [shortest, longest]: [usize; 2], push: &mut impl FnMut(u64)) {
    for first in 0..symbols.len() {
        let mut hash = start;
        for (n_before, symbol) in symbols[first..].iter().take(longest).enumerate() {
            hash = extend(hash, *symbol);
            if n_before + 1 >= shortest {
                push(hash);
            }
        }
    }
}

/// Scatters the bits (the finalizer of MurmurHash3) and scales the upper half to the number of buckets.
fn bucket(hash: u64, n_buckets: u32) -> u32 {
    let mut bits = hash;
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^= bits >> 33;
    (((bits >> 32) * u64::from(n_buckets)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check_values, in_words};
    use proptest::prelude::*;

    fn hashed(ngrams: Ngrams, text: &str, n_buckets: usize) -> Vec<u32> {
        let mut buckets = Vec::new();
        ngrams.hash(text, n_buckets, &mut buckets);
        buckets
    }

    /// Saved models depend on these numbers.
    #[test]
    fn the_hash_never_changes() {
        let ngrams = Ngrams { characters: Some([1, 3]), words: Some([1, 2]), ..Ngrams::default() };
        assert_eq!(hashed(ngrams, "é a", 1 << 20), GOLDEN);
    }

    const GOLDEN: [u32; 15] = [
        327236, 741547, 949854, 200744, 115554, 407252, 327236, 248414, 872302, 535082, 319728, 327236, 807568, 869377,
        244564,
    ];

    #[test]
    fn whitespace_and_case_count_as_asked() {
        let ngrams = Ngrams { words: Some([1, 2]), ..Ngrams::default() };
        assert_eq!(hashed(ngrams, "a  b", 1000), hashed(ngrams, "\ta\nb ", 1000));
        assert_ne!(hashed(ngrams, "A b", 1000), hashed(ngrams, "a b", 1000));
        let folded = Ngrams { lowercase: true, ..ngrams };
        assert_eq!(hashed(folded, "Ä b", 1000), hashed(ngrams, "ä b", 1000));
        let open = Ngrams { marked_ends: false, words: None, ..ngrams };
        assert_eq!(hashed(open, "ab", 1000).len(), 3);
    }

    #[test]
    fn words_are_no_characters() {
        let characters = Ngrams { characters: Some([1, 1]), marked_ends: false, ..Ngrams::default() };
        let words = Ngrams { characters: None, words: Some([1, 1]), ..characters };
        assert_ne!(hashed(characters, "a", 1 << 20), hashed(words, "a", 1 << 20));
    }

    #[test]
    fn nothing_has_no_words_and_one_boundary() {
        let ngrams = Ngrams { words: Some([1, 2]), ..Ngrams::default() };
        assert_eq!(hashed(ngrams, "", 10).len(), 1);
        assert_eq!(hashed(Ngrams { marked_ends: false, ..ngrams }, "", 10), Vec::<u32>::new());
    }

    #[test]
    fn neighbours_are_spread_over_all_buckets() {
        let ngrams = Ngrams { characters: Some([2, 2]), marked_ends: false, ..Ngrams::default() };
        let letters: Vec<char> = ('a'..='z').collect();
        let mut counts = [0; 16];
        for first in &letters {
            for second in &letters {
                counts[hashed(ngrams, &format!("{first}{second}"), 16)[0] as usize] += 1;
            }
        }
        // 676 over 16: 42 each, with a standard deviation of 6.3
        assert!(counts.iter().all(|count| (20..65).contains(count)), "{counts:?}");
    }

    #[test]
    fn problems_name_their_keys() {
        let wrong = Ngrams { characters: Some([0, 4]), words: Some([3, 2]), ..Ngrams::default() };
        assert_eq!(in_words(&wrong.problems()), "words: must be [n, m] with n <= m, found [3, 2]");
        assert_eq!(in_words(&check_values(&wrong)), "characters[0]: must be between 1 and 16, found 0");
        let nothing = Ngrams { characters: None, words: None, ..Ngrams::default() };
        assert!(nothing.problems()[0].to_string().starts_with("characters: none"));
        assert!(Ngrams::default().problems().is_empty());
    }

    proptest! {
        #[test]
        fn every_bucket_is_below_their_number(text in any::<String>(), n_buckets in 1usize..5000) {
            let ngrams = Ngrams { words: Some([1, 3]), lowercase: true, ..Ngrams::default() };
            prop_assert!(hashed(ngrams, &text, n_buckets).iter().all(|bucket| (*bucket as usize) < n_buckets));
        }
    }
}
