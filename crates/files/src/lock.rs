//! Locks between programs: an empty file that one program at a time holds. The lock ends with the handle; the file stays,
//! since removing it would let two waiting programs lock two different files of one name.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens the file of a lock, and makes it where it is missing. Another user's file may be readable alone: that is enough
/// to lock it.
///
/// # Errors
/// A folder that cannot be written, a file that cannot be read.
pub fn open_lock(path: &Path) -> io::Result<File> {
    match File::options().create(true).read(true).write(true).truncate(false).open(path) {
        Err(error) if is_refused(&error) => File::open(path).map_err(|_| error),
        result => result,
    }
}

fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_lock_is_one_programs_and_another_users_file_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let first = open_lock(&path).unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        let second = open_lock(&path).unwrap();
        first.try_lock().unwrap();
        assert!(second.try_lock().is_err());
        drop(first);
        second.try_lock().unwrap();
        assert!(open_lock(&folder.path().join("absent/.lock")).is_err());
    }
}
