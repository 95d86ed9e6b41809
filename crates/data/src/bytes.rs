//! Bytes of files, unzipped where they are gzipped: their first bytes say so, not their names.

use crate::DataError;
use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

const GZIP: &[u8] = b"\x1f\x8b";

/// Opens a regular file to read it piece by piece, unzipped.
///
/// # Errors
/// A file that is not there, is no regular file, or is a pointer of Git LFS.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    let mut input = BufReader::new(stillhouse_files::open(path).map_err(DataError::io(path, "read"))?);
    let start = input.fill_buf().map_err(DataError::io(path, "read"))?;
    match start.starts_with(GZIP) {
        true => Ok(Box::new(BufReader::new(MultiGzDecoder::new(input)))),
        false => Ok(Box::new(input)),
    }
}

/// The first bytes of a file, at most so many, unzipped: a gzipped file of a few kB can be as long as a disk.
///
/// # Errors
/// As [`open`]; a gzip stream that breaks within these bytes.
pub(crate) fn read_at_most(path: &Path, n_bytes: u64) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    match open(path)?.take(n_bytes).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) if is_of_gzip(&error) => Err(broken_gzip(path, &error)),
        Err(error) => Err(DataError::io(path, "read")(error)),
    }
}

/// Whether an error is about a gzip stream and not about the system.
pub(crate) fn is_of_gzip(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    matches!(error.kind(), Kind::InvalidInput | Kind::InvalidData | Kind::UnexpectedEof)
}

/// A gzip stream that ends early or is damaged.
pub(crate) fn broken_gzip(path: &Path, error: &std::io::Error) -> DataError {
    DataError::invalid(path, format!("a gzip stream that breaks ({error})"), "a whole one")
        .hint("the file is cut off or damaged: fetch it again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn content_says_whether_a_file_is_gzipped() {
        let folder = tempfile::tempdir().unwrap();
        let long = vec![7; 100_000];
        for (name, content) in [("plain.gz", long.clone()), ("zipped", gzip(&long)), ("zipped.gz", gzip(&long))] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            assert_eq!(read_at_most(&path, u64::MAX).unwrap(), long, "{name}");
            assert_eq!(read_at_most(&path, 10).unwrap(), [7; 10], "{name}");
        }
        let cut = folder.path().join("cut");
        std::fs::write(&cut, &gzip(&long)[..40]).unwrap();
        assert!(read_at_most(&cut, u64::MAX).unwrap_err().to_string().contains("cut off or damaged"));
    }
}
