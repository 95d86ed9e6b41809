//! Waits that the user can interrupt: for an answer, for a body, for another program, for the next attempt.

use super::cache::cache_error;
use super::error::HubErrorKind;
use crate::DataProgress;
use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How often a wait looks whether the user wants to stop.
pub(super) const POLL: Duration = Duration::from_millis(50);
/// How long the hub may take to describe a repository or a file, or to begin to send it.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// A wait for another program as long as this is told.
const PATIENCE: Duration = Duration::from_secs(1);
const BUFFER_LEN: usize = 1 << 16;
/// Pieces of a body that wait to be written.
const N_PIECES: usize = 4;

/// Waits until no other program fills the same file.
pub(super) fn lock(part: &File, path: &Path, progress: &dyn DataProgress) -> Result<(), HubErrorKind> {
    let (start, mut is_told) = (Instant::now(), false);
    while let Err(error) = part.try_lock() {
        match error {
            TryLockError::WouldBlock => sleep(POLL, progress)?,
            TryLockError::Error(source) => return Err(cache_error(path)(source)),
        }
        if !is_told && start.elapsed() >= PATIENCE {
            progress.message(&format!("waiting: another program fetches {}", path.display()));
            is_told = true;
        }
    }
    Ok(())
}

pub(super) fn sleep(duration: Duration, progress: &dyn DataProgress) -> Result<(), HubErrorKind> {
    let end = Instant::now() + duration;
    loop {
        if progress.is_interrupted() {
            return Err(HubErrorKind::Interrupted);
        }
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => std::thread::sleep(left.min(POLL)),
            _ => return Ok(()),
        }
    }
}

/// Runs a request in a thread of its own, so that the user can interrupt it. A request that is given up is left to its
/// thread, which nobody waits for.
pub(super) fn wait_for<T: Send + 'static>(
    progress: &dyn DataProgress,
    request: impl FnOnce() -> Result<T, HubErrorKind> + Send + 'static,
) -> Result<T, HubErrorKind> {
    let (sender, answer) = sync_channel(1);
    in_thread(move || {
        sender.send(request()).ok();
    })?;
    let end = Instant::now() + ANSWER_LIMIT;
    loop {
        match answer.recv_timeout(POLL) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) if progress.is_interrupted() => return Err(HubErrorKind::Interrupted),
            Err(RecvTimeoutError::Timeout) if Instant::now() < end => {}
            Err(RecvTimeoutError::Timeout) => {
                let reason = format!("no answer within {} s", ANSWER_LIMIT.as_secs());
                return Err(HubErrorKind::Unreachable(reason));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(HubErrorKind::BadReply("an answer that its client cannot read".to_owned()));
            }
        }
    }
}

/// The pieces of a body, read in a thread of its own, since a read cannot be interrupted. They end where the body ends or
/// breaks: both are too few bytes to the reader. The thread ends with the body, or when nobody takes its pieces.
pub(super) fn pieces(mut body: impl Read + Send + 'static) -> Result<Receiver<Vec<u8>>, HubErrorKind> {
    let (sender, pieces) = sync_channel(N_PIECES);
    in_thread(move || {
        let mut buffer = vec![0; BUFFER_LEN];
        while let Ok(n_read @ 1..) = body.read(&mut buffer) {
            if sender.send(buffer[..n_read].to_vec()).is_err() {
                break;
            }
        }
    })?;
    Ok(pieces)
}

pub(super) fn in_thread(work: impl FnOnce() + Send + 'static) -> Result<(), HubErrorKind> {
    let thread = std::thread::Builder::new().name("hub".to_owned()).spawn(work);
    thread.map(drop).map_err(|error| HubErrorKind::Unreachable(format!("no thread for the request: {error}")))
}
