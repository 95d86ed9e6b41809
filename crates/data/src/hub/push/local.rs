//! A file on this machine, with its hash.

use super::super::error::HubErrorKind;
use crate::DataProgress;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const BUFFER_LEN: usize = 1 << 16;
/// The first bytes, by which the hub tells texts from others.
const SAMPLE_LEN: usize = 512;

/// A file to upload.
pub(super) struct LocalFile {
    /// in the folder and in the repository
    pub(super) path: String,
    pub(super) size: u64,
    /// in small hexadecimal digits
    pub(super) sha256: String,
    pub(super) sample: Vec<u8>,
    pub(super) place: PathBuf,
}

impl LocalFile {
    /// Reads a file to its end.
    pub(super) fn read(folder: &Path, path: &str, progress: &dyn DataProgress) -> Result<Self, HubErrorKind> {
        let place = folder.join(path);
        let failed = |source| HubErrorKind::Local { path: place.clone(), source };
        let mut file = stillhouse_files::open(&place).map_err(failed)?;
        let (mut hasher, mut sample, mut size) = (Sha256::new(), Vec::new(), 0);
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            if progress.is_interrupted() {
                return Err(HubErrorKind::Interrupted);
            }
            let n_read = file.read(&mut buffer).map_err(failed)?;
            if n_read == 0 {
                break;
            }
            let missing = SAMPLE_LEN - sample.len();
            sample.extend_from_slice(&buffer[..n_read.min(missing)]);
            hasher.update(&buffer[..n_read]);
            size += n_read as u64;
        }
        Ok(Self { path: path.to_owned(), size, sha256: digits(&hasher.finalize()), sample, place })
    }

    /// The whole file, which is small.
    pub(super) fn content(&self) -> Result<Vec<u8>, HubErrorKind> {
        let failed = |source| HubErrorKind::Local { path: self.place.clone(), source };
        let content = stillhouse_files::read(&self.place).map_err(failed)?;
        if digits(&Sha256::digest(&content)) != self.sha256 {
            return Err(failed(io::Error::other("it was changed while it was being uploaded")));
        }
        Ok(content)
    }
}

/// Bytes in small hexadecimal digits.
pub(super) fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
