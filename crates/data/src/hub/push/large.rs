//! A file on this machine: its hash, and its way to the hub.

use super::super::client::Client;
use super::super::error::HubErrorKind;
use super::super::wait::{POLL, in_thread};
use super::protocol::Upload;
use crate::{DataProgress, ProgressUnit};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

const BUFFER_LEN: usize = 1 << 16;
/// The first bytes, by which the hub tells texts from others.
const SAMPLE_LEN: usize = 512;
/// How long the hub may take nothing.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// A file to upload.
pub(super) struct LocalFile {
    /// in the folder and in the repository
    pub(super) path: String,
    pub(super) size: u64,
    /// in small hexadecimal digits
    pub(super) sha256: String,
    pub(super) sample: Vec<u8>,
    place: PathBuf,
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

/// What the thread that sends shares with the one that waits.
#[derive(Default)]
struct Shared {
    n_sent: AtomicU64,
    is_given_up: AtomicBool,
}

/// A reader that counts, and that breaks off when it is told to.
struct Counted {
    file: File,
    shared: Arc<Shared>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.shared.is_given_up.load(Ordering::Relaxed) {
            return Err(io::Error::other("given up"));
        }
        let n_read = self.file.read(buffer)?;
        self.shared.n_sent.fetch_add(n_read as u64, Ordering::Relaxed);
        Ok(n_read)
    }
}

/// Sends a file to where the hub wants it, in a thread of its own, so that the user can interrupt it. One attempt.
pub(super) fn send(
    client: &Client,
    upload: &Upload,
    file: &LocalFile,
    progress: &dyn DataProgress,
) -> Result<(), HubErrorKind> {
    let failed = |source| HubErrorKind::Local { path: file.place.clone(), source };
    let shared = Arc::new(Shared::default());
    let body = Counted { file: stillhouse_files::open(&file.place).map_err(failed)?, shared: shared.clone() };
    let (sender, answer) = sync_channel(1);
    let (client, address, size) = (client.clone(), upload.address.clone(), file.size);
    in_thread(move || {
        sender.send(client.put(&address, body, size)).ok();
    })?;
    progress.start(&format!("sending {}", file.path), Some(file.size), ProgressUnit::Bytes);
    let (mut n_told, mut since) = (0, Instant::now());
    let result = loop {
        let result = answer.recv_timeout(POLL);
        let n_sent = shared.n_sent.load(Ordering::Relaxed);
        if n_sent > n_told {
            progress.advance(n_sent - n_told);
            (n_told, since) = (n_sent, Instant::now());
        }
        match result {
            Ok(result) => break result,
            Err(RecvTimeoutError::Disconnected) => {
                break Err(HubErrorKind::BadReply("an answer that its client cannot read".to_owned()));
            }
            Err(RecvTimeoutError::Timeout) if progress.is_interrupted() => break Err(HubErrorKind::Interrupted),
            Err(RecvTimeoutError::Timeout) if since.elapsed() > STALL_LIMIT => {
                let reason = format!("it took nothing for {} s, after {n_sent} of {size} bytes", STALL_LIMIT.as_secs());
                break Err(HubErrorKind::Unreachable(reason));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    shared.is_given_up.store(true, Ordering::Relaxed);
    progress.finish();
    result
}
