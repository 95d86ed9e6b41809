//! One file from the hub into the cache, in as many pieces as it takes.
//!
//! No byte more is kept than the hub announced, and a body that brings next to nothing for [`Request::stall_limit`] is
//! given up.

use super::cache::cache_error;
use super::client::{Client, FileHead};
use super::error::HubErrorKind;
use super::wait::{POLL, pieces, wait_for};
use crate::{DataProgress, ProgressUnit};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use ureq::Body;
use ureq::http::Response;

const PARTIAL_CONTENT: u16 = 206;
const BUFFER_LEN: usize = 1 << 16;
/// A body that brings fewer bytes a second stalls.
const MIN_BYTES_PER_SECOND: f64 = 1000.0;

/// What is to be fetched.
pub(super) struct Request<'a> {
    /// Where the hub has it.
    pub(super) path: &'a str,
    /// What the hub says of it.
    pub(super) head: &'a FileHead,
    /// The file that is being filled.
    pub(super) part: &'a Path,
    /// How long a body may bring next to nothing.
    pub(super) stall_limit: Duration,
}

/// Appends to `part` what is still missing of the file. One attempt.
pub(super) fn fetch(
    client: &Client,
    request: &Request,
    part: &mut File,
    progress: &dyn DataProgress,
) -> Result<(), HubErrorKind> {
    let mut start = part.metadata().map_err(cache_error(request.part))?.len();
    if start > request.head.size {
        // what is there is not the beginning of this file
        part.set_len(0).map_err(cache_error(request.part))?;
        start = 0;
    }
    if start == request.head.size {
        return Ok(());
    }
    let (client, path, range) = (client.clone(), request.path.to_owned(), format!("bytes={start}-"));
    let response =
        wait_for(progress, move || client.get(&path, &[("Range", &range), ("Accept-Encoding", "identity")], |_| {}))?;
    if response.status().as_u16() != PARTIAL_CONTENT {
        part.set_len(0).map_err(cache_error(request.part))?;
        start = 0;
    } else if let Some(found) = first_byte(&response).filter(|found| *found != start) {
        return Err(HubErrorKind::BadReply(format!("the bytes from {found} on, expected those from {start} on")));
    }
    copy(response.into_body().into_reader(), part, start, request, progress)
}

fn copy(
    body: impl Read + Send + 'static,
    part: &mut File,
    start: u64,
    request: &Request,
    progress: &dyn DataProgress,
) -> Result<(), HubErrorKind> {
    let (mut got, expected) = (start, request.head.size);
    let mut pace = Pace::new(got, request.stall_limit);
    let pieces = pieces(body)?;
    loop {
        if progress.is_interrupted() {
            return Err(HubErrorKind::Interrupted);
        }
        match pieces.recv_timeout(POLL) {
            Ok(piece) => {
                got += piece.len() as u64;
                if got > expected {
                    part.set_len(0).map_err(cache_error(request.part))?;
                    return Err(HubErrorKind::TooLong { expected });
                }
                part.write_all(&piece).map_err(cache_error(request.part))?;
                progress.advance(piece.len() as u64);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if pace.is_stalled(got) {
            return Err(HubErrorKind::Stalled { got, expected, seconds: request.stall_limit.as_secs() });
        }
    }
    match got == expected {
        true => part.sync_all().map_err(cache_error(request.part)),
        false => Err(HubErrorKind::CutOff { got, expected }),
    }
}

/// Whether a body still brings something.
struct Pace {
    limit: Duration,
    since: Instant,
    got: u64,
}

impl Pace {
    fn new(got: u64, limit: Duration) -> Self {
        Self { limit, since: Instant::now(), got }
    }

    fn is_stalled(&mut self, got: u64) -> bool {
        if self.since.elapsed() < self.limit {
            return false;
        }
        let n_expected = MIN_BYTES_PER_SECOND * self.since.elapsed().as_secs_f64();
        let is_stalled = ((got - self.got) as f64) < n_expected;
        *self = Self::new(got, self.limit);
        is_stalled
    }
}

/// The place of the first byte that a partial answer holds, where it says so.
fn first_byte(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range.trim().strip_prefix("bytes")?.trim_start().split_once('-')?.0.parse().ok()
}

/// Compares a whole file with its SHA-256, where the hub gave one; what differs is not kept.
pub(super) fn verify(request: &Request, part: &mut File, progress: &dyn DataProgress) -> Result<(), HubErrorKind> {
    let Some(expected) = &request.head.sha256 else { return Ok(()) };
    let failed = |source| cache_error(request.part)(source);
    part.rewind().map_err(failed)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; BUFFER_LEN]);
    loop {
        if progress.is_interrupted() {
            return Err(HubErrorKind::Interrupted);
        }
        match part.read(&mut buffer).map_err(failed)? {
            0 => break,
            n_read => hasher.update(&buffer[..n_read]),
        }
    }
    let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == *expected {
        return Ok(());
    }
    part.set_len(0).map_err(failed)?;
    Err(HubErrorKind::Damaged { found, expected: expected.clone() })
}

/// Tells the progress how long the file is, and how much of it a former run has left.
pub(super) fn announce(file: &str, size: u64, part: &File, progress: &dyn DataProgress) {
    progress.start(&format!("downloading {file}"), Some(size), ProgressUnit::Bytes);
    progress.advance(part.metadata().map_or(0, |data| data.len().min(size)));
}
