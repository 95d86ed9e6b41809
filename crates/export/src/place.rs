//! The folder of an export, whole or not at all.

use crate::ExportError;
use std::fs;
use std::path::Path;
use stillhouse_files::{NewFolder, PathError};

/// Begins a folder that replaces an older one of the same kind, which has the file `marker`, or an empty one.
///
/// # Errors
/// A place that holds something else, or a disk that refuses.
pub(crate) fn new_folder(place: &Path, marker: &str) -> Result<NewFolder, ExportError> {
    let is_empty_folder = || fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_none());
    if place.exists() && !place.join(marker).is_file() && !is_empty_folder() {
        return Err(ExportError::Occupied(place.to_owned()));
    }
    Ok(NewFolder::create(place)?)
}

impl From<PathError> for ExportError {
    fn from(error: PathError) -> Self {
        Self::Io { path: error.path, source: error.source }
    }
}
