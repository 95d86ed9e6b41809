//! What is known of data before its examples are read: enough to refuse a config that cannot run on it.

use stillhouse_core::InputShape;

/// What is known of a dataset from its settings and from the headers of its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// shape of one example
    pub input: Option<InputShape>,
    /// names of the classes
    pub labels: Option<Vec<String>>,
    /// what is unknown and why, a sentence each
    pub notes: Vec<String>,
}

impl Outline {
    /// Nothing is unknown.
    pub(crate) fn whole(input: InputShape, labels: Vec<String>) -> Self {
        Self { input: Some(input), labels: Some(labels), notes: Vec::new() }
    }

    pub(crate) fn note_what_is_unknown(&mut self) {
        if self.labels.is_none() {
            self.notes.push("data: how many classes there are is known only when the examples are read".to_owned());
        }
        if self.input.is_none() {
            self.notes.push("data: the size of the images is known only when they are read".to_owned());
        }
    }
}
