//! What a reader finds: examples and labels, not yet divided into splits.

use crate::DataError;
use crate::source::Source;
use crate::store::Store;
use std::ops::Range;
use std::path::{Path, PathBuf};
use stillhouse_core::ClassId;

/// Examples of one source and their classes.
pub(crate) struct Part {
    pub(crate) store: Store,
    pub(crate) classes: Vec<ClassId>,
}

/// What a reader found.
pub(crate) struct Found {
    pub(crate) name: String,
    /// The file or folder that messages name.
    pub(crate) path: PathBuf,
    pub(crate) labels: Vec<String>,
    pub(crate) train: Part,
    pub(crate) valid: Option<Part>,
    pub(crate) test: Option<Part>,
    /// Part of the training examples that is held out where there is no validation part.
    pub(crate) valid_fraction: f64,
    /// Part of the training examples that keep their labels; all of them without it.
    pub(crate) labelled_fraction: Option<f64>,
    pub(crate) provenance: Vec<(String, String)>,
    /// What changes examples without showing in the hashes of the parts.
    pub(crate) salt: String,
}

/// The training, validation and test parts among parts with the names of their splits: `train`, `valid`, `test`.
pub(crate) fn by_split(parts: Vec<(&str, Part)>) -> [Option<Part>; 3] {
    let mut found = [None, None, None];
    for (split, part) in parts {
        found[["train", "valid", "test"].iter().position(|name| *name == split).expect("a split")] = Some(part);
    }
    found
}

impl Part {
    /// Cuts wholes into examples (see `Modality::cut`); each example has the class of its whole.
    pub(crate) fn cut(
        &mut self,
        is_train: &dyn Fn(usize) -> bool,
        path: &Path,
    ) -> Result<Option<Vec<Range<u32>>>, DataError> {
        let rows = self.store.modality_mut().cut(is_train, path)?;
        if let Some(rows) = &rows {
            let classes = rows.iter().zip(&self.classes);
            self.classes = classes.flat_map(|(rows, class)| std::iter::repeat_n(*class, rows.len())).collect();
        }
        Ok(rows)
    }
}

impl Found {
    /// All parts that there are.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        [Some(&self.train), self.valid.as_ref(), self.test.as_ref()].into_iter().flatten()
    }

    /// The part that a split's examples lie in: that of the training examples for one that is carved from them.
    pub(crate) fn part(&self, split: Source) -> &Part {
        match split {
            Source::Train => None,
            Source::Valid => self.valid.as_ref(),
            Source::Test => self.test.as_ref(),
        }
        .unwrap_or(&self.train)
    }

    /// As [`Found::part`], to add examples.
    pub(crate) fn part_mut(&mut self, split: Source) -> &mut Part {
        match split {
            Source::Train => None,
            Source::Valid => self.valid.as_mut(),
            Source::Test => self.test.as_mut(),
        }
        .unwrap_or(&mut self.train)
    }
}
