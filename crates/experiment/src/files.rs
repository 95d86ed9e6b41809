//! Files that appear whole or not at all.

use crate::error::{Result, file_error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::path::Path;

/// Writes beside the destination, syncs, and renames into place.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::create(path)?;
    file.0.write_all(bytes).map_err(|error| file_error(path, "cannot be written", error))?;
    file.keep(path)
}

/// A file that is not yet in its place, and is gone if it never comes there.
pub(crate) struct NewFile(tempfile::NamedTempFile);

impl NewFile {
    /// Begins a file beside its destination, whose folder is made where it is missing.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = std::fs::create_dir_all(folder).and_then(|()| new_file(folder));
        file.map(Self).map_err(|error| file_error(path, "cannot be written", error))
    }

    /// A handle to write with.
    pub fn reopen(&self) -> std::io::Result<std::fs::File> {
        self.0.reopen()
    }

    /// Syncs the file and renames it into place.
    pub fn keep(self, path: &Path) -> Result<()> {
        let kept = self.0.as_file().sync_all().and_then(|()| self.0.persist(path).map_err(|error| error.error));
        kept.map(drop).map_err(|error| file_error(path, "cannot be written", error))
    }
}

/// A temporary file with the permissions of any new file, not only the owner's.
#[cfg(unix)]
fn new_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    const READ_WRITE_BEFORE_UMASK: u32 = 0o666;
    let permissions = std::fs::Permissions::from_mode(READ_WRITE_BEFORE_UMASK);
    tempfile::Builder::new().permissions(permissions).tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder)
}

/// Writes a value as indented JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| file_error(path, "cannot be encoded", error))?;
    text.push('\n');
    write_whole(path, text.as_bytes())
}

/// Reads a value from JSON.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|error| file_error(path, "cannot be read", error))?;
    serde_json::from_str(&text).map_err(|error| file_error(path, "is not what this version writes", error))
}

/// Makes the entries of a folder durable; a no-op where folders cannot be opened.
pub(crate) fn sync_folder(path: &Path) {
    if let Ok(folder) = std::fs::File::open(path) {
        // best effort: some file systems refuse to sync a folder, and the rename itself stays atomic
        let _ = folder.sync_all();
    }
}
