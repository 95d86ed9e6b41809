//! From the labels of a source, numbers or names, to classes `0..n_classes`.
//!
//! | file | subject |
//! |---|---|
//! | `spelling.rs` | which spellings look the same, are numbers, or cannot be a class |
//! | `classes.rs` | spellings to classes, for all readers |
//! | `notes.rs` | what users are told of it |
//! | `files.rs` | text files of labels and names |
//! | `numbering.rs` | columns of labels, numbers or names, as images and features have them |

mod classes;
mod files;
mod notes;
mod numbering;
mod spelling;

pub use classes::ClassNames;
pub(crate) use classes::expected_name;
pub(crate) use files::{distinct_names, read_lines, read_names, read_text_labels};
pub(crate) use numbering::Numbering;
pub(crate) use spelling::{EXPECTED as EXPECTED_LABEL, Spelled, flaw, is_missing, shown};

use crate::places::Places;

/// Labels as a source spells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RawLabels {
    Numbers(Vec<i64>),
    Names(Vec<String>),
}

impl RawLabels {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Names(names) => names.len(),
        }
    }
}

/// Labels with the places that they were read from.
pub(crate) struct LabelColumn {
    pub(crate) labels: RawLabels,
    pub(crate) places: Places,
}
