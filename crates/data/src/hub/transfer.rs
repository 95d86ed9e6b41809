//! One file from the hub into the cache, in as many pieces as it takes.
//!
//! The requests that describe a repository and a file go through `hf-hub`. The body does not, because hf-hub 0.5
//! cannot be interrupted while it reads one, has no time limits, takes a short body for a whole one (it never compares the length), asks
//! for an impossible range when a former run had fetched every byte but not renamed the file, and appends to what it
//! has even when the server ignored the range and sent the file from the start.

use super::cache::cache_error;
use super::error::HubErrorKind;
use crate::{DataProgress, ProgressUnit};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;
use ureq::Agent;
use ureq::config::RedirectAuthHeaders;

const PARTIAL_CONTENT: u16 = 206;
const BUFFER_LEN: usize = 1 << 16;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const RESPONSE_LIMIT: Duration = Duration::from_secs(60);

/// A client for bodies.
pub(super) fn agent() -> Agent {
    Agent::config_builder()
        .timeout_connect(Some(CONNECT_LIMIT))
        .timeout_recv_response(Some(RESPONSE_LIMIT))
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .build()
        .into()
}

/// What is to be fetched.
pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) size: u64,
    /// The file that is being filled.
    pub(super) part: &'a Path,
}

/// Appends to `part` what is still missing of the file. One attempt.
pub(super) fn fetch(
    agent: &Agent,
    request: &Request,
    part: &mut File,
    progress: &dyn DataProgress,
) -> Result<(), HubErrorKind> {
    let mut start = part.metadata().map_err(cache_error(request.part))?.len();
    if start > request.size {
        // What lies there is not the beginning of this file.
        part.set_len(0).map_err(cache_error(request.part))?;
        start = 0;
    }
    if start == request.size {
        return Ok(());
    }
    let mut get = agent.get(request.url).header("Range", format!("bytes={start}-"));
    get = get.header("Accept-Encoding", "identity");
    if let Some(token) = request.token {
        get = get.header("Authorization", format!("Bearer {token}"));
    }
    let response = get.call().map_err(|error| from_ureq(&error))?;
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

/// What an error of the HTTP client means.
pub(super) fn from_ureq(error: &ureq::Error) -> HubErrorKind {
    match error {
        ureq::Error::StatusCode(404) => HubErrorKind::NotFound,
        ureq::Error::StatusCode(status @ (401 | 403)) => HubErrorKind::Refused(*status),
        ureq::Error::StatusCode(status) => HubErrorKind::Status(*status),
        ureq::Error::Json(error) => HubErrorKind::BadReply(error.to_string()),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => HubErrorKind::BadReply(error.to_string()),
        other => HubErrorKind::Unreachable(other.to_string()),
    }
}
