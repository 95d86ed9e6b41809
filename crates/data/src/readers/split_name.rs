//! Words for a split in names of files, in columns and in keys.

/// A split, as a name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SplitName {
    Train,
    Valid,
    Test,
}

impl SplitName {
    /// The split of a word, in its usual forms.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "valid" | "validation" | "val" | "dev" => Some(Self::Valid),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }

    /// The split of the first such word of a text.
    pub(crate) fn in_text(text: &str) -> Option<Self> {
        text.split(|c: char| !c.is_ascii_alphanumeric()).find_map(Self::of_word)
    }
}
