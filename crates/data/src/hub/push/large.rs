//! The way of a large file to the hub.

use super::super::client::Client;
use super::super::error::HubErrorKind;
use super::super::wait::{POLL, in_thread};
use super::local::LocalFile;
use super::protocol::Upload;
use crate::{DataProgress, ProgressUnit};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How long the hub may take nothing.
const STALL_LIMIT: Duration = Duration::from_secs(60);

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
