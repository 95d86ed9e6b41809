//! Examples to measure a model on. Whoever hands over a file means all of its rows; where the data says which rows are test
//! examples, these are meant.

use crate::found::Found;
use crate::source::Source;
use crate::split::{Pool, Reading, Split};
use crate::{DataError, LoadContext};
use std::sync::Arc;

/// Examples to measure a model on.
#[derive(Debug)]
pub struct Measured {
    /// what to call the data
    pub name: String,
    /// names of the classes that the data has; one is enough
    pub labels: Vec<String>,
    /// the examples
    pub split: Split,
    /// which of the data's rows these are, in words
    pub rows: String,
}

/// The test examples, the validation examples where only these are named, or all rows of data without splits.
///
/// # Errors
/// Data without a row, more examples than can be numbered.
pub(crate) fn measured(mut found: Found, context: &LoadContext<'_>) -> Result<Measured, DataError> {
    let (source, rows) = match (&found.test, &found.valid) {
        (Some(_), _) => (Source::Test, "the test split".to_owned()),
        (None, Some(_)) => (Source::Valid, "the validation split, since there is no test split".to_owned()),
        (None, None) => (Source::Train, format!("all rows of {}", found.path.display())),
    };
    let (path, n_classes) = (found.path.clone(), found.labels.len());
    let part = found.part_mut(source);
    part.cut(&|_| false, &path)?;
    let n_rows = u32::try_from(part.classes.len())
        .map_err(|_| DataError::invalid(&path, format!("{} examples", part.classes.len()), "fewer than 2^32"))?;
    if n_rows == 0 {
        return Err(DataError::invalid(&path, "no example", "at least one"));
    }
    let kept: Vec<u32> = (0..n_rows).collect();
    let input = part.store.modality().measure(&kept);
    let part = match source {
        Source::Train => Some(found.train),
        Source::Valid => found.valid,
        Source::Test => found.test,
    };
    let mut part = part.expect("its rows were counted above");
    part.store.modality_mut().finish();
    let pool = Arc::new(Pool { store: part.store, n_own: part.classes.len(), classes: part.classes, source });
    let reading = Arc::new(Reading { input, seed: context.seed });
    Ok(Measured { name: found.name, labels: found.labels, split: Split::new(pool, reading, &kept, n_classes), rows })
}
