//! The words for a split: in names of files and folders, in columns, in keys of JSON files. All kinds of data use this list.
//!
//! | split | words |
//! |---|---|
//! | train | train, training, trn |
//! | valid | valid, validation, validate, val, dev, devel, development |
//! | test | test, testing, tst, held out, holdout, and `eval`, `evaluation`, `evaluate` |
//!
//! Capital letters, marks such as `_` and numbers at the end do not matter, and `set`, `split` or `data` may follow: `Train_Set`,
//! `val2017`. Where there are both a test split and one called `eval`, the latter is the validation split ([`divide`]).

/// A split, as a name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SplitName {
    Train,
    Valid,
    Test,
}

use SplitName::{Test, Train, Valid};

const WORDS: [(SplitName, &[&str]); 3] = [
    (Train, &["train", "training", "trn"]),
    (Valid, &["valid", "validation", "validate", "val", "dev", "devel", "development"]),
    (Test, &["test", "testing", "tst", "heldout", "holdout", "eval", "evaluation", "evaluate"]),
];
const EVAL: [&str; 3] = ["eval", "evaluation", "evaluate"];
const ENDINGS: [&str; 4] = ["dataset", "set", "split", "data"];

impl SplitName {
    /// The split of a word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let word = plain(word);
        WORDS.iter().find(|(_, words)| words.contains(&word.as_str())).map(|(split, _)| *split)
    }

    /// The split of the first such word of a text.
    pub(crate) fn in_text(text: &str) -> Option<Self> {
        word_in(text).and_then(|word| Self::of_word(&word))
    }

    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Train => "training",
            Valid => "validation",
            Test => "test",
        }
    }
}

/// A word in the form of the list.
fn plain(word: &str) -> String {
    let letters: String = word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let letters = letters.trim_end_matches(|c: char| c.is_ascii_digit());
    let stem = ENDINGS.iter().find_map(|ending| letters.strip_suffix(ending)).unwrap_or(letters);
    stem.to_owned()
}

/// The first word of a text, or the first two, that say a split.
fn word_in(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let pairs = words.windows(2).map(|pair| pair.concat()).chain([String::new()]);
    let mut candidates = words.iter().zip(pairs).flat_map(|(word, pair)| [(*word).to_owned(), pair]);
    candidates.find(|word| SplitName::of_word(word).is_some())
}

/// Things with names, divided by the splits that the names say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divided<T> {
    pub(crate) train: Vec<T>,
    pub(crate) valid: Vec<T>,
    pub(crate) test: Vec<T>,
    /// What no split's word fits, and what is called `eval` where both other splits are there.
    pub(crate) others: Vec<T>,
    /// The split that `eval` was taken for.
    pub(crate) eval: Option<SplitName>,
}

/// Whether a word is `eval` or a form of it.
pub(crate) fn is_eval(word: &str) -> bool {
    EVAL.contains(&plain(word).as_str())
}

/// Which split `eval` is: the test split, or next to one the validation split; none where there are both.
pub(crate) fn split_of_eval(has_valid: bool, has_test: bool) -> Option<SplitName> {
    match (has_valid, has_test) {
        (_, false) => Some(Test),
        (false, true) => Some(Valid),
        (true, true) => None,
    }
}

/// Divides things by the first part of each one's name that says a split. `eval` is the test split; next to a test split it is
/// the validation split, and next to both it is not understood.
pub(crate) fn divide<T>(things: Vec<T>, parts_of_name: impl Fn(&T) -> Vec<String>) -> Divided<T> {
    let (mut train, mut valid, mut test, mut evals, mut others) = (vec![], vec![], vec![], vec![], vec![]);
    for thing in things {
        let word = parts_of_name(&thing).iter().find_map(|part| word_in(part));
        let is_eval = word.as_ref().is_some_and(|word| is_eval(word));
        match word.and_then(|word| SplitName::of_word(&word)) {
            Some(Train) => train.push(thing),
            Some(Valid) => valid.push(thing),
            Some(Test) if is_eval => evals.push(thing),
            Some(Test) => test.push(thing),
            None => others.push(thing),
        }
    }
    let eval = if evals.is_empty() { None } else { split_of_eval(!valid.is_empty(), !test.is_empty()) };
    match eval {
        Some(Test) => test.extend(evals),
        Some(_) => valid.extend(evals),
        None => others.extend(evals),
    }
    Divided { train, valid, test, others, eval }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_in_their_usual_forms() {
        let words = [
            (Some(Train), "train training TRAIN trainset train_set Train-Split train2017 training_data trn"),
            (Some(Valid), "valid validation val VAL val2017 dev development validset dev_set"),
            (Some(Test), "test testing testset tst held_out held-out holdout eval evaluation Eval1"),
            (None, "extra unlabelled trained contest valley 1 set data 2017 testament trainee"),
        ];
        for (split, words) in words {
            for word in words.split(' ') {
                assert_eq!(SplitName::of_word(word), split, "{word}");
                assert_eq!(SplitName::in_text(&format!("a-{word}-00000-of-00001")), split, "{word}");
            }
        }
        assert_eq!(SplitName::in_text("held out"), Some(Test));
        assert_eq!(SplitName::in_text(""), None);
    }

    #[test]
    fn eval_is_the_split_that_is_missing() {
        let divided = |names: &[&'static str]| divide(names.to_vec(), |name| vec![(*name).to_owned()]);
        let found = divided(&["train", "eval"]);
        assert_eq!((found.test, found.valid, found.eval), (vec!["eval"], vec![], Some(Test)));
        let found = divided(&["train", "eval", "dev"]);
        assert_eq!((found.test, found.valid), (vec!["eval"], vec!["dev"]));
        let found = divided(&["evaluation", "train", "test"]);
        assert_eq!((found.test, found.valid, found.eval), (vec!["test"], vec!["evaluation"], Some(Valid)));
        let found = divided(&["train", "val", "eval", "test", "extra"]);
        assert_eq!((found.others, found.eval), (vec!["extra", "eval"], None));
    }
}
