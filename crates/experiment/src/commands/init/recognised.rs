//! What is known of data before a config is written for it.

use std::path::{Path, PathBuf};

/// Data that was recognised.
pub(super) struct Recognised {
    pub(super) content: Content,
    /// one sentence for the head of the file, without numbers
    pub(super) place: String,
    /// lines of the `[data]` table that say where the data is and how it is read
    pub(super) data: String,
    /// what a user should know of the choice
    pub(super) notes: Vec<String>,
    /// matrices in the same folder that are no part of the data
    pub(super) others: Vec<PathBuf>,
}

/// A place in a sentence.
pub(super) fn in_words(place: &Path) -> String {
    if place == Path::new(".") { "this folder".to_owned() } else { place.display().to_string() }
}

/// What the examples are.
#[derive(Clone, Copy)]
pub(super) enum Content {
    Images,
    Texts { mean_characters: usize },
    Features,
}

/// What loading the data tells of it.
pub(super) struct Counted {
    pub(super) n_training: usize,
    pub(super) n_classes: usize,
    pub(super) has_valid: bool,
}
