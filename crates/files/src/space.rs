//! Room on the disk.

use crate::files_below;
use std::fs::Metadata;
use std::path::Path;

/// Bytes that the user may still write to the file system of a folder; nothing where the system does not say. The folder
/// may be one that is still to be made.
#[cfg(unix)]
#[allow(clippy::useless_conversion, reason = "the number of blocks has 32 bits on some systems")]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let found = nix::sys::statvfs::statvfs(existing).ok()?;
    // some file systems of networks and of user space answer with zeros
    let knows_its_size = found.blocks() > 0;
    knows_its_size.then(|| u64::from(found.blocks_available()).saturating_mul(found.fragment_size() as u64))
}

/// Bytes that the user may still write to the file system of a folder; this system does not say.
#[cfg(not(unix))]
pub fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Bytes that the files in a folder and below take on the disk, as far as they can be seen; holes in them take none.
pub fn used_bytes(folder: &Path) -> u64 {
    let files = files_below(folder).unwrap_or_default();
    files.iter().filter_map(|file| file.metadata().ok()).map(|found| allocated(&found)).sum()
}

#[cfg(unix)]
fn allocated(found: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    const BLOCK_BYTES: u64 = 512;
    found.blocks() * BLOCK_BYTES
}

#[cfg(not(unix))]
fn allocated(found: &Metadata) -> u64 {
    found.len()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn holes_take_no_room() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(used_bytes(&folder.path().join("absent")), 0);
        let file = std::fs::File::create(folder.path().join("file")).unwrap();
        file.set_len(1 << 30).unwrap();
        assert!(used_bytes(folder.path()) < 1 << 20);
        std::fs::write(folder.path().join("full"), vec![1; 1 << 16]).unwrap();
        assert!(used_bytes(folder.path()) >= 1 << 15);
    }

    #[test]
    fn a_folder_that_is_still_to_be_made_has_the_room_of_the_one_around_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).is_some());
        assert!(free_bytes(&folder.path().join("a/b")).is_some());
        assert!(free_bytes(Path::new("absent")).is_some());
    }
}
