//! The interface of a kind of data.

use crate::found::Found;
use crate::outline::Outline;
use crate::store::Store;
use crate::unlabelled::Purpose;
use crate::{DataError, LoadContext};
use std::path::Path;
use stillhouse_core::{InputShape, Problem};

/// A kind of data with its settings.
pub(crate) trait DataKind {
    /// Settings that contradict each other. Ranges are not among them: the schema has them.
    fn contradictions(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Whether training examples are augmented, so that their views differ.
    fn is_augmented(&self) -> bool {
        false
    }

    /// Files and folders that the data is read from.
    fn paths(&self) -> Vec<&Path> {
        Vec::new()
    }

    /// Keys that a table of examples without labels may have, the one that it must have first.
    fn unlabelled_keys(&self) -> &'static [&'static str];

    /// Makes examples without labels, where the data is made by the program and not read.
    ///
    /// # Errors
    /// More examples than there can be; an interruption.
    ///
    /// # Panics
    /// Where the data is read: its tables have no key `per_class`.
    fn draw_unlabelled(
        &self,
        _per_class: usize,
        _purpose: Purpose,
        _context: &LoadContext<'_>,
    ) -> Result<Store, DataError> {
        panic!("only examples that the program makes are drawn")
    }

    /// Whether rows and columns of images in idx files are exchanged.
    fn transposes_idx(&self) -> bool {
        false
    }

    /// The shape of an example, where the settings fix it.
    fn given_input(&self) -> Option<InputShape> {
        None
    }

    /// Shape and classes as far as settings, names of files and their headers show them.
    ///
    /// # Errors
    /// Files that [`DataKind::read`] refuses.
    fn outline(&self, context: &LoadContext<'_>) -> Result<Outline, DataError>;

    /// Reads and checks all examples and labels.
    ///
    /// # Errors
    /// Files that are absent, damaged or do not fit together; a hub that does not deliver; an interruption.
    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError>;
}
