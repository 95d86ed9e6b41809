//! What is in a folder, in a fixed order.

use crate::PathError;
use std::path::{Path, PathBuf};

/// The files and folders of a folder, in the order of their names.
///
/// # Errors
/// A folder that cannot be read.
pub fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The files in a folder and in all folders below it, in the order of their paths. Links are followed.
///
/// # Errors
/// A folder that cannot be read, by its path.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>, PathError> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(current) = folders.pop() {
        for path in entries(&current).map_err(PathError::at(&current))? {
            if path.is_dir() { &mut folders } else { &mut files }.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The names of the files in a folder and in all folders below it, relative to it and with `/` between their parts, in the
/// order of [`files_below`]; without names that are not UTF-8.
///
/// # Errors
/// As [`files_below`].
pub fn names_below(folder: &Path) -> Result<Vec<String>, PathError> {
    let name = |path: &PathBuf| Some(path.strip_prefix(folder).ok()?.to_str()?.replace('\\', "/"));
    Ok(files_below(folder)?.iter().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_at_any_depth_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("b/c/empty")).unwrap();
        for name in ["z", "b/c/deep", "b/x", "a"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(names_below(folder.path()).unwrap(), ["a", "b/c/deep", "b/x", "z"]);
        assert_eq!(entries(folder.path()).unwrap(), ["a", "b", "z"].map(|name| folder.path().join(name)));
        let absent = folder.path().join("absent");
        assert_eq!(files_below(&absent).unwrap_err().path, absent);
    }
}
