//! Files to read: regular ones, and not the pointers that Git LFS leaves in their place.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::path::Path;

/// What a file of Git LFS begins with until it is fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Pointers are shorter, by their specification.
const MAX_LFS_POINTER_BYTES: u64 = 1024;

/// Opens a regular file. A pipe or a device is refused, and does not keep the program waiting.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for what is no regular file, [`ErrorKind::InvalidData`] for a pointer of Git LFS; whatever
/// the system says.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // a pipe without a writer would block here; regular files ignore it
        options.custom_flags(libc::O_NONBLOCK);
    }
    let mut file = options.open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder, expected a file"));
    }
    if !metadata.is_file() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is a pipe, a socket or a device, expected a regular file",
        ));
    }
    if metadata.len() < MAX_LFS_POINTER_BYTES {
        refuse_pointer(&mut file)?;
    }
    Ok(file)
}

/// The bytes of a regular file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    // the standard library asks for as many bytes as the file has
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a regular file in UTF-8, without a byte order mark.
///
/// # Errors
/// As [`open`]; [`ErrorKind::InvalidData`] for what is no UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

fn refuse_pointer(file: &mut File) -> io::Result<()> {
    let mut head = Vec::new();
    file.by_ref().take(LFS_POINTER.len() as u64).read_to_end(&mut head)?;
    file.rewind()?;
    match head == LFS_POINTER {
        true => Err(io::Error::new(
            ErrorKind::InvalidData,
            "it is a pointer of Git LFS and not the file itself; `git lfs pull` fetches the file",
        )),
        false => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let kind = |path: &Path| open(path).unwrap_err().kind();
        assert_eq!(kind(&pipe), ErrorKind::InvalidInput, "and it did not wait for a writer");
        assert_eq!(kind(Path::new("/dev/null")), ErrorKind::InvalidInput);
        assert_eq!(kind(folder.path()), ErrorKind::IsADirectory);
        assert_eq!(kind(&folder.path().join("absent")), ErrorKind::NotFound);
    }

    #[test]
    fn a_pointer_of_git_lfs_is_not_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.csv");
        fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("git lfs pull"));
        for content in ["", "version", "\u{feff}text"] {
            fs::write(&path, content).unwrap();
            assert_eq!(read(&path).unwrap(), content.as_bytes());
        }
        assert_eq!(read_text(&path).unwrap(), "text");
    }
}
