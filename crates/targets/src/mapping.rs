//! Maps files into memory: the only `unsafe` of this crate.

use memmap2::Mmap;
use std::fs::File;

/// Maps a file into memory: its pages are read when they are touched, and shared by all programs that read it.
pub(crate) fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: a slice over a mapping is sound as long as no program changes or cuts the file meanwhile. Stores are written
    // under another name and renamed, so the file of an open mapping stays as it is; an unfinished one is mapped
    // only under the writer's own lock. Numbers are read as bytes, so no content can break an invariant of a type, and
    // all positions come from the file's length as it is checked against the mapping's own.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_mapping_outlives_the_name_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap().write_all(b"content").unwrap();
        let map = map_file(&File::open(&path).unwrap()).unwrap();
        let mut other = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        other.write_all(b"another").unwrap();
        other.persist(&path).unwrap();
        assert_eq!(&map[..], b"content");
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
    }
}
