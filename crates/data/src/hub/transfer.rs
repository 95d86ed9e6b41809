//! One file from the hub into the cache, in as many pieces as it takes.
//!
//! Not by hf-hub 0.5, which cannot be interrupted while it reads a body, has no time limits, takes a short body for a
//! whole one (it never compares the length), asks for an impossible range when a former run had fetched every byte but
//! not renamed the file, and appends to what it has even when the server ignored the range and sent the file from the
//! start.

use super::cache::cache_error;
use super::client::Client;
use super::error::HubErrorKind;
use crate::{DataProgress, ProgressUnit};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

const PARTIAL_CONTENT: u16 = 206;
const BUFFER_LEN: usize = 1 << 16;

/// What is to be fetched.
pub(super) struct Request<'a> {
    /// Where the hub has it.
    pub(super) path: &'a str,
    pub(super) size: u64,
    /// The file that is being filled.
    pub(super) part: &'a Path,
}

/// Appends to `part` what is still missing of the file. One attempt.
pub(super) fn fetch(
    client: &Client,
    request: &Request,
    part: &mut File,
    progress: &dyn DataProgress,
) -> Result<(), HubErrorKind> {
    let mut start = part.metadata().map_err(cache_error(request.part))?.len();
    if start > request.size {
        // what is there is not the beginning of this file
        part.set_len(0).map_err(cache_error(request.part))?;
        start = 0;
    }
    if start == request.size {
        return Ok(());
    }
    let range = format!("bytes={start}-");
    let response = client.get(request.path, &[("Range", &range), ("Accept-Encoding", "identity")], |_| {})?;
    if response.status().as_u16() != PARTIAL_CONTENT {
        part.set_len(0).map_err(cache_error(request.part))?;
        start = 0;
    }
    copy(response.into_body().into_reader(), part, start, request, progress)
}

fn copy(
    mut body: impl Read,
    part: &mut File,
    start: u64,
    request: &Request,
    progress: &dyn DataProgress,
) -> Result<(), HubErrorKind> {
    let mut got = start;
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        if progress.is_interrupted() {
            return Err(HubErrorKind::Interrupted);
        }
        // A body that breaks and one that merely ends early are the same to us: too few bytes.
        let n_read = body.read(&mut buffer).unwrap_or(0);
        if n_read == 0 {
            break;
        }
        part.write_all(&buffer[..n_read]).map_err(cache_error(request.part))?;
        got += n_read as u64;
        progress.advance(n_read as u64);
    }
    match got == request.size {
        true => part.sync_all().map_err(cache_error(request.part)),
        false => Err(HubErrorKind::CutOff { got, expected: request.size }),
    }
}

/// Tells the progress how long the file is, and how much of it a former run has left.
pub(super) fn announce(file: &str, size: u64, part: &File, progress: &dyn DataProgress) {
    progress.start(&format!("downloading {file}"), Some(size), ProgressUnit::Bytes);
    progress.advance(part.metadata().map_or(0, |data| data.len().min(size)));
}
