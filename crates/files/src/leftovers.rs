//! What a program that was killed while it wrote leaves behind.

use crate::{PathError, entries};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// How the temporary names of files begin. Others' names do not, so that ours can be removed from a folder that others
/// write to.
pub(crate) const TEMPORARY_FILE: &str = ".tmp-stillhouse-";
/// How the temporary names of folders end.
pub(crate) const TEMPORARY_FOLDER: &str = ".stillhouse-writing";
/// How the temporary names of files began before they had a name of ours.
const EARLIER_TEMPORARY_FILE: &str = ".tmp";

/// Removes the temporary files and folders of programs that were killed from a folder, not from folders below it. The
/// caller holds the lock of the folder: another program that writes in it would lose its work. In a folder that is
/// `wholly_ours`, everything that begins with `.tmp` goes.
///
/// # Errors
/// A folder that cannot be read, a file that cannot be removed.
pub fn remove_leftovers(folder: &Path, wholly_ours: bool) -> Result<(), PathError> {
    let file = if wholly_ours { EARLIER_TEMPORARY_FILE } else { TEMPORARY_FILE };
    for path in entries(folder).map_err(PathError::at(folder))? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let removed = if name.starts_with(file) && !path.is_dir() {
            fs::remove_file(&path)
        } else if name.starts_with('.') && name.ends_with(TEMPORARY_FOLDER) && path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            Ok(())
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(PathError::at(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NewFile, NewFolder, names_below};

    #[test]
    fn what_was_never_put_in_place_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // as a program that is killed: nothing is dropped
        std::mem::forget(NewFile::create(&at("file")).unwrap());
        let half = NewFolder::create(&at("folder")).unwrap();
        half.write("inner", b"x").unwrap();
        std::mem::forget(half);
        for name in ["kept", ".tmpAb12Cd", ".kept.writing"] {
            fs::write(at(name), "x").unwrap();
        }
        assert_eq!(names_below(folder.path()).unwrap().len(), 5);
        remove_leftovers(folder.path(), false).unwrap();
        assert_eq!(names_below(folder.path()).unwrap(), [".kept.writing", ".tmpAb12Cd", "kept"]);
        remove_leftovers(folder.path(), true).unwrap();
        assert_eq!(names_below(folder.path()).unwrap(), [".kept.writing", "kept"]);
        assert!(remove_leftovers(&at("absent"), true).is_err());
    }
}
