//! A file that is written under a temporary name and renamed into its place.
//!
//! * A regular file appears whole or not at all: another name first, then a rename.
//! * It has the permissions that any new file of the user has (the umask decides), also under its first name.
//! * A link is followed: what it points to is written, and the link stays.
//! * A pipe or a device is written into. A rename would put a file in its place: a program that runs as root would replace
//!   `/dev/null`.

use crate::leftovers::TEMPORARY_FILE;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A file that is not yet in its place, and is gone if it never comes there.
pub struct NewFile(Target);

enum Target {
    /// Beside its place, under another name.
    Beside { file: tempfile::NamedTempFile, place: PathBuf },
    /// A pipe or a device.
    Special(File),
}

impl NewFile {
    /// Begins a file; its folder is made where it is missing.
    ///
    /// # Errors
    /// A folder in its place; a pipe that no program reads; whatever the system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        if is_special(path) {
            return open_special(path).map(|file| Self(Target::Special(file)));
        }
        let place = follow_links(path)?;
        if place.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder, expected a file"));
        }
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let file = temporary_file(folder)?;
        Ok(Self(Target::Beside { file, place }))
    }

    /// A handle to write with, from the beginning.
    ///
    /// # Errors
    /// No more handles.
    pub fn writer(&self) -> io::Result<File> {
        match &self.0 {
            Target::Beside { file, .. } => file.reopen(),
            Target::Special(file) => file.try_clone(),
        }
    }

    /// Syncs the file and renames it into place.
    ///
    /// # Errors
    /// A full disk, a place that cannot be written.
    pub fn keep(self) -> io::Result<()> {
        match self.0 {
            Target::Beside { file, place } => {
                file.as_file().sync_all()?;
                file.persist(place).map(drop).map_err(|error| error.error)
            }
            Target::Special(_) => Ok(()),
        }
    }

    /// [`NewFile::keep`] where nothing is in the place yet.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], and those of [`NewFile::keep`].
    pub fn keep_if_absent(self) -> io::Result<()> {
        match self.0 {
            Target::Beside { file, place } => {
                file.as_file().sync_all()?;
                file.persist_noclobber(place).map(drop).map_err(|error| error.error)
            }
            Target::Special(_) => Err(ErrorKind::AlreadyExists.into()),
        }
    }
}

/// Writes a file, whole or not at all.
///
/// # Errors
/// As [`NewFile::create`] and [`NewFile::keep`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = NewFile::create(path)?;
    file.writer()?.write_all(bytes)?;
    file.keep()
}

/// Writes a file that does not exist yet, whole or not at all.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`], and those of [`write_whole`].
pub fn write_absent(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = NewFile::create(path)?;
    file.writer()?.write_all(bytes)?;
    file.keep_if_absent()
}

/// Ends a file that was written piece by piece under a name of the caller's: syncs it and renames it into place.
///
/// # Errors
/// A full disk, a place that cannot be written.
pub fn put_in_place(file: &File, partial: &Path, place: &Path) -> io::Result<()> {
    file.sync_all()?;
    std::fs::rename(partial, place)
}

/// Whether a path leads to something that is neither a regular file nor a folder.
pub fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Whether two paths lead to the same regular file, by whatever names and links.
pub fn is_same_file(a: &Path, b: &Path) -> bool {
    let (Ok(of_a), Ok(of_b)) = (std::fs::metadata(a), std::fs::metadata(b)) else { return false };
    of_a.is_file() && of_b.is_file() && is_same(a, &of_a, b, &of_b)
}

#[cfg(unix)]
fn is_same(_: &Path, of_a: &std::fs::Metadata, _: &Path, of_b: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (of_a.dev(), of_a.ino()) == (of_b.dev(), of_b.ino())
}

#[cfg(not(unix))]
fn is_same(a: &Path, _: &std::fs::Metadata, b: &Path, _: &std::fs::Metadata) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Links that lead to a file at most, as on Linux.
const MAX_LINKS: usize = 40;

/// Where a path leads in the end, whether or not anything is there.
///
/// # Errors
/// Links that go round in a circle.
pub fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "too many links, one behind the other"))
}

/// A temporary file with the permissions of any new file, not only the owner's.
#[cfg(unix)]
fn temporary_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    const READ_WRITE_BEFORE_UMASK: u32 = 0o666;
    let permissions = std::fs::Permissions::from_mode(READ_WRITE_BEFORE_UMASK);
    tempfile::Builder::new().prefix(TEMPORARY_FILE).permissions(permissions).tempfile_in(folder)
}

#[cfg(not(unix))]
fn temporary_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(TEMPORARY_FILE).tempfile_in(folder)
}

#[cfg(unix)]
fn open_special(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::FileTypeExt;
    // the handle that found a reader stays until the real one is there, or the reader would see an end between them
    let _reader_is_there =
        if std::fs::metadata(path)?.file_type().is_fifo() { Some(wait_for_reader(path)?) } else { None };
    File::options().write(true).open(path)
}

#[cfg(not(unix))]
fn open_special(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

/// Opens a pipe without waiting for ever, as a plain open would.
#[cfg(unix)]
fn wait_for_reader(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    use std::time::{Duration, Instant};
    const PATIENCE: Duration = Duration::from_secs(2);
    const POLL: Duration = Duration::from_millis(20);
    let end = Instant::now() + PATIENCE;
    loop {
        match File::options().write(true).custom_flags(libc::O_NONBLOCK).open(path) {
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) && Instant::now() < end => std::thread::sleep(POLL),
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                return Err(io::Error::other("no program reads from this pipe; start the reader first"));
            }
            result => return result,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_is_as_readable_as_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_whole(&ours, b"x").unwrap();
        fs::write(&plain, b"x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn a_link_stays_and_what_it_points_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("far")).unwrap();
        symlink("far/file", at("first")).unwrap();
        symlink("first", at("second")).unwrap();
        for content in ["made", "replaced"] {
            write_whole(&at("second"), content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(at("far/file")).unwrap(), content);
            assert!(at("first").is_symlink() && at("second").is_symlink());
        }
        symlink("round", at("round")).unwrap();
        assert_eq!(write_whole(&at("round"), b"x").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(write_whole(&at("far"), b"x").unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn a_pipe_is_written_into_and_needs_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(is_special(&pipe));
        assert!(write_whole(&pipe, b"x").unwrap_err().to_string().contains("no program reads"));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| fs::read(&pipe).unwrap());
            write_whole(&pipe, b"content").unwrap();
            assert_eq!(reader.join().unwrap(), b"content");
        });
        assert!(is_special(&pipe), "it is still a pipe");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_known_by_all_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "").unwrap();
        fs::write(at("other"), "").unwrap();
        symlink("file", at("link")).unwrap();
        fs::hard_link(at("file"), at("hard")).unwrap();
        for name in ["link", "hard", "./file"] {
            assert!(is_same_file(&at("file"), &at(name)), "{name}");
        }
        assert!(!is_same_file(&at("file"), &at("other")) && !is_same_file(&at("file"), &at("absent")));
        assert!(!is_same_file(Path::new("/dev/null"), Path::new("/dev/null")), "writing there loses nothing");
    }

    #[test]
    fn what_is_there_already_can_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_absent(&path, b"first").unwrap();
        assert_eq!(write_absent(&path, b"second").unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
}
