//! Where a folder is written: beside its place first, then renamed onto it.

use crate::FolderError;
use crate::folder::CONFIG;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder's path, and where its predecessor waits while it is replaced.
pub(crate) struct Place {
    folder: PathBuf,
    parent: PathBuf,
    name: String,
}

impl Place {
    pub(crate) fn of(folder: &Path) -> Result<Self, FolderError> {
        let unnamed = || FolderError::Unnamed(folder.to_owned());
        let name = folder.file_name().ok_or_else(unnamed)?.to_string_lossy().into_owned();
        let parent = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self { folder: folder.to_owned(), parent, name })
    }

    fn aside(&self) -> PathBuf {
        self.parent.join(format!(".{}.replaced", self.name))
    }

    /// Ends a replacement that was interrupted: the older folder goes back if its successor never arrived.
    pub(crate) fn recover(&self) -> Result<(), FolderError> {
        let aside = self.aside();
        match (aside.exists(), self.folder.exists()) {
            (false, _) => Ok(()),
            (true, false) => rename(&aside, &self.folder),
            (true, true) => fs::remove_dir_all(&aside).map_err(|source| io_error(&aside, source)),
        }
    }

    /// Refuses to replace anything but a model folder or an empty folder.
    pub(crate) fn check_free(&self) -> Result<(), FolderError> {
        let is_empty_folder = || fs::read_dir(&self.folder).is_ok_and(|mut entries| entries.next().is_none());
        if !self.folder.exists() || self.folder.join(CONFIG).is_file() || is_empty_folder() {
            return Ok(());
        }
        Err(FolderError::Occupied(self.folder.clone()))
    }

    /// A temporary folder beside the place, removed again if it does not get there.
    pub(crate) fn staging(&self) -> Result<TempDir, FolderError> {
        fs::create_dir_all(&self.parent).map_err(|source| io_error(&self.parent, source))?;
        let prefix = format!(".{}.", self.name);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".writing");
        #[cfg(unix)]
        {
            // a model is as readable as any other folder of the user, who may have narrowed that with umask
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o777));
        }
        builder.tempdir_in(&self.parent).map_err(|source| io_error(&self.parent, source))
    }

    /// Puts the finished folder into its place.
    pub(crate) fn replace_by(&self, staging: TempDir) -> Result<(), FolderError> {
        let aside = self.aside();
        let replaces = self.folder.exists();
        if replaces {
            rename(&self.folder, &aside)?;
        }
        if let Err(error) = rename(staging.path(), &self.folder) {
            if replaces {
                rename(&aside, &self.folder)?;
            }
            return Err(error);
        }
        // the folder has left its temporary name: there is nothing to remove
        let _ = staging.keep();
        sync_folder(&self.parent)?;
        if replaces {
            fs::remove_dir_all(&aside).map_err(|source| io_error(&aside, source))?;
        }
        Ok(())
    }
}

/// The folder, or its predecessor if a replacement was interrupted between its two renames.
pub(crate) fn readable_folder(folder: &Path) -> Result<PathBuf, FolderError> {
    if folder.exists() {
        return Ok(folder.to_owned());
    }
    let aside = Place::of(folder)?.aside();
    Ok(if aside.exists() { aside } else { folder.to_owned() })
}

/// Writes a file of a folder that nobody reads yet, down to the disk.
pub(crate) fn write_file(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), FolderError> {
    let path = folder.join(file);
    let written = File::create(&path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| io_error(&path, source))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), FolderError> {
    // other systems cannot open a folder, and make renames durable by themselves
    let synced = if cfg!(unix) { File::open(folder).and_then(|file| file.sync_all()) } else { Ok(()) };
    synced.map_err(|source| io_error(folder, source))
}

fn rename(from: &Path, to: &Path) -> Result<(), FolderError> {
    fs::rename(from, to).map_err(|source| io_error(to, source))
}

pub(crate) fn io_error(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io { path: path.to_owned(), source }
}
