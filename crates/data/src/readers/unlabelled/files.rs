//! Which files of a path hold examples without labels.

use crate::DataError;
use crate::images::has_image_ending;
use crate::readers::table::is_named_parquet;
use std::path::{Path, PathBuf};

/// The parquet files of a folder, whatever their names say of splits, or the one that the path is; none where there is no such
/// file.
///
/// # Errors
/// A folder that has images too: it is not told which of them are meant.
pub(super) fn parquet_files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(if is_named_parquet(path) { vec![path.to_owned()] } else { Vec::new() });
    }
    let below =
        stillhouse_files::files_below(path).map_err(|error| DataError::io(&error.path, "list")(error.source))?;
    let (tables, others): (Vec<PathBuf>, Vec<PathBuf>) = below.into_iter().partition(|file| is_named_parquet(file));
    match others.iter().find(|file| has_image_ending(file)) {
        Some(image) if !tables.is_empty() => {
            let found = format!("`{}` and `{}`", tables[0].display(), image.display());
            Err(DataError::invalid(path, found, "parquet files or images")
                .hint("give the folder that holds one kind of them"))
        }
        _ => Ok(tables),
    }
}
