//! A folder that is written under a temporary name and renamed into its place.
//!
//! Where an older folder is replaced, it is first moved aside as `.<name>.replaced`. If the program is killed between the
//! two renames, [`readable_folder`] finds the older folder there, and the next [`NewFolder::create`] puts it back.

use crate::leftovers::TEMPORARY_FOLDER;
use crate::{PathError, sync_folder};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that is not yet in its place, and is gone if it never comes there.
pub struct NewFolder {
    staging: TempDir,
    place: PathBuf,
    parent: PathBuf,
}

impl NewFolder {
    /// Begins a folder; the folder around it is made where it is missing. A replacement of the place that was interrupted is
    /// ended first: the older folder goes back if its successor never arrived.
    ///
    /// # Errors
    /// A path that does not end in a name; what the system says.
    pub fn create(place: &Path) -> Result<Self, PathError> {
        let Some(name) = place.file_name() else {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "a folder needs a name");
            return Err(PathError::at(place)(source));
        };
        recover(place, &aside(place, name))?;
        let parent = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent).map_err(PathError::at(&parent))?;
        let staging = temporary_folder(&parent, name).map_err(PathError::at(&parent))?;
        Ok(Self { staging, place: place.to_owned(), parent })
    }

    /// Writes a file of the folder, down to the disk. A folder within it, as in `onnx/model.onnx`, is made where it is
    /// missing.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), PathError> {
        let path = self.staging.path().join(name);
        let inner = path.parent().filter(|inner| *inner != self.staging.path());
        if let Some(inner) = inner {
            fs::create_dir_all(inner).map_err(PathError::at(inner))?;
        }
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.map_err(PathError::at(&path))?;
        inner.map_or(Ok(()), |inner| sync_folder(inner).map_err(PathError::at(inner)))
    }

    /// Begins a file of the folder that is too large for memory; who writes it also syncs it.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_file(&self, name: &str) -> Result<File, PathError> {
        let path = self.staging.path().join(name);
        File::create(&path).map_err(PathError::at(&path))
    }

    /// Puts the folder into its place, instead of an older one that is there.
    ///
    /// # Errors
    /// What the system says; the place is then as it was.
    pub fn keep(self) -> Result<(), PathError> {
        let Self { staging, place, parent } = self;
        sync_folder(staging.path()).map_err(PathError::at(staging.path()))?;
        let aside = aside(&place, place.file_name().unwrap_or_default());
        let replaces = place.exists();
        if replaces {
            rename(&place, &aside)?;
        }
        if let Err(error) = rename(staging.path(), &place) {
            if replaces {
                rename(&aside, &place)?;
            }
            return Err(error);
        }
        // the folder has left its temporary name: there is nothing to remove
        let _ = staging.keep();
        sync_folder(&parent).map_err(PathError::at(&parent))?;
        if replaces {
            fs::remove_dir_all(&aside).map_err(PathError::at(&aside))?;
        }
        Ok(())
    }
}

/// The folder, or its predecessor if a replacement was interrupted between its two renames.
pub fn readable_folder(place: &Path) -> PathBuf {
    let aside = place.file_name().map(|name| aside(place, name));
    aside.filter(|aside| !place.exists() && aside.exists()).unwrap_or_else(|| place.to_owned())
}

/// Where an older folder waits while it is replaced.
fn aside(place: &Path, name: &OsStr) -> PathBuf {
    place.with_file_name(format!(".{}.replaced", name.to_string_lossy()))
}

/// Ends a replacement that was interrupted.
fn recover(place: &Path, aside: &Path) -> Result<(), PathError> {
    match (aside.exists(), place.exists()) {
        (false, _) => Ok(()),
        (true, false) => rename(aside, place),
        (true, true) => fs::remove_dir_all(aside).map_err(PathError::at(aside)),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), PathError> {
    fs::rename(from, to).map_err(PathError::at(to))
}

fn temporary_folder(parent: &Path, name: &OsStr) -> io::Result<TempDir> {
    let prefix = format!(".{}.", name.to_string_lossy());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY_FOLDER);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        const ALL_BEFORE_UMASK: u32 = 0o777;
        builder.permissions(fs::Permissions::from_mode(ALL_BEFORE_UMASK));
    }
    builder.tempdir_in(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save(place: &Path, content: &str) {
        let folder = NewFolder::create(place).unwrap();
        folder.write("file", content.as_bytes()).unwrap();
        folder.keep().unwrap();
    }

    fn content(place: &Path) -> String {
        fs::read_to_string(readable_folder(place).join("file")).unwrap()
    }

    #[test]
    fn a_folder_replaces_an_older_one_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("inner/place");
        save(&place, "old");
        save(&place, "new");
        NewFolder::create(&place).unwrap().write("file", b"never kept").unwrap();
        assert_eq!(content(&place), "new");
        assert_eq!(fs::read_dir(folder.path().join("inner")).unwrap().count(), 1);
        assert!(NewFolder::create(Path::new("/")).is_err());
    }

    #[test]
    fn an_interrupted_replacement_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (place, aside) = (folder.path().join("place"), folder.path().join(".place.replaced"));
        save(&place, "old");
        fs::rename(&place, &aside).unwrap();
        assert_eq!(content(&place), "old", "before the new folder has its name");
        drop(NewFolder::create(&place).unwrap());
        assert!(place.exists() && !aside.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_as_open_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        save(&ours, "x");
        fs::create_dir(&plain).unwrap();
        fs::write(plain.join("file"), "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
        assert_eq!(mode(&ours.join("file")), mode(&plain.join("file")));
    }
}
