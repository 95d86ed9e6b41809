//! Files and folders that appear whole or not at all, walks through folders, and what is read.
//!
//! * [`NewFile`] and [`NewFolder`] are written under a temporary name, synced to the disk and renamed into their place.
//! * **One policy of permissions:** what is written has the permissions that any new file or folder of the user has, which
//!   the umask decides; also under its temporary name. A folder that several users share then works for each of them.
//! * [`files_below`] and [`entries`] list folders in a fixed order.
//! * [`open`] and [`read`] take regular files alone, so that a pipe never keeps the program waiting, and know the pointers of
//!   Git LFS. [`guarded`] is the border around libraries that panic on damaged files.
//! * [`open_lock`] is the lock between programs, and [`remove_leftovers`] clears up behind one that was killed.
//!
//! **Absent on purpose:** formats. What the bytes are is the caller's business, and so is what an error says.

#![forbid(unsafe_code)]

mod guard;
mod leftovers;
mod list;
mod lock;
mod new_file;
mod new_folder;
mod open;
mod space;

pub use guard::{guarded, is_guarded};
pub use leftovers::remove_leftovers;
pub use list::{entries, files_below, names_below};
pub use lock::open_lock;
pub use new_file::{NewFile, follow_links, is_same_file, is_special, put_in_place, write_absent, write_whole};
pub use new_folder::{NewFolder, readable_folder};
pub use open::{open, read, read_text};
pub use space::{free_bytes, used_bytes};

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What the system says of a file or folder that is not the one which the caller named.
#[derive(Debug)]
pub struct PathError {
    /// the file or folder
    pub path: PathBuf,
    /// the system's answer
    pub source: io::Error,
}

impl PathError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.source)
    }
}

impl std::error::Error for PathError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Makes the names in a folder durable. Does nothing where folders cannot be opened: such systems do it by themselves.
///
/// # Errors
/// A folder that is absent, or a file system that refuses.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder).and_then(|file| file.sync_all()) } else { Ok(()) }
}
