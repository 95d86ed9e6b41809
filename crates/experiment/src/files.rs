//! Files that appear whole or not at all.

use crate::error::{Result, file_error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::path::Path;

/// Writes beside the destination, syncs, and renames into place.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = new_file(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| file_error(path, "cannot be written", error))
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
