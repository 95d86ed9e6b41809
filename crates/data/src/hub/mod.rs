//! Files of a hub repository: listed, fetched once, kept, and found again offline.
//!
//! A [`Snapshot`] is pinned to one commit, so that all files of a run belong together whatever is pushed meanwhile.
//! The cache is the one that the hub's other clients use. Files appear in it whole or not at all.

mod cache;
mod client;
mod error;
mod options;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
mod transfer;

pub use error::{HubError, HubErrorKind};
pub use options::HubOptions;

use crate::DataProgress;
use cache::{RepoCache, is_commit, is_safe_path};
use client::Client;
use hf_hub::RepoType;
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use transfer::Request;

/// The revision where the config names none.
const DEFAULT_REVISION: &str = "main";
/// How often a pause or a wait looks whether the user wants to stop.
const POLL: Duration = Duration::from_millis(50);
/// How long the hub may take to describe a repository or a file.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepoKind {
    /// a dataset
    Dataset,
    /// a model or a tokenizer
    Model,
}

impl RepoKind {
    fn hub_type(self) -> RepoType {
        match self {
            Self::Dataset => RepoType::Dataset,
            Self::Model => RepoType::Model,
        }
    }

    /// The part of an address before the repository's name, for descriptions (`api`) and for files.
    fn api_prefix(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::Model => "models",
        }
    }

    fn file_prefix(self) -> &'static str {
        match self {
            Self::Dataset => "/datasets",
            Self::Model => "",
        }
    }
}

/// A client of one hub.
pub struct Hub {
    options: HubOptions,
    client: Client,
}

/// One commit of a repository.
pub struct Snapshot<'a> {
    hub: &'a Hub,
    kind: RepoKind,
    repo: String,
    commit: String,
    files: Vec<String>,
    cache: RepoCache,
}

impl Hub {
    /// A client with the given settings.
    pub fn new(options: HubOptions) -> Self {
        let HubOptions { endpoint, login, token, .. } = &options;
        let client = Client::new(endpoint, login.as_deref(), token.as_deref());
        Self { options, client }
    }

    /// A client with the settings of the environment.
    pub fn from_env() -> Self {
        Self::new(HubOptions::from_env())
    }

    /// Pins a revision (`main` if none is given) to its commit and lists its files.
    ///
    /// # Errors
    /// A name that is none, a repository or revision that is not there, a hub that does not answer, or, offline, a
    /// repository that has not been fetched before.
    pub fn snapshot(
        &self,
        kind: RepoKind,
        repo: &str,
        revision: Option<&str>,
        progress: &dyn DataProgress,
    ) -> Result<Snapshot<'_>, HubError> {
        let fail = |error_kind| self.error(repo, None, error_kind);
        let revision = revision.unwrap_or(DEFAULT_REVISION);
        if !is_repo_name(repo) || !is_safe_path(revision) {
            return Err(fail(HubErrorKind::BadName));
        }
        let cache = RepoCache::new(&self.options.cache_dir, repo, kind.hub_type());
        let (commit, files) = match cache.listing(revision).filter(|_| is_commit(revision)) {
            // A commit never changes, so what is known of it need not be asked again.
            Some(files) => (revision.to_owned(), files),
            None if self.options.offline => self.find_offline(&cache, revision).map_err(fail)?,
            None => self.ask(kind, repo, revision, &cache, progress).map_err(fail)?,
        };
        Ok(Snapshot { hub: self, kind, repo: repo.to_owned(), commit, files, cache })
    }

    /// The address that is asked.
    pub fn endpoint(&self) -> &str {
        &self.options.endpoint
    }

    /// Whether the cache alone is used.
    pub fn is_offline(&self) -> bool {
        self.options.offline
    }

    fn find_offline(&self, cache: &RepoCache, revision: &str) -> Result<(String, Vec<String>), HubErrorKind> {
        let commit = cache.commit(revision).ok_or_else(|| self.not_cached())?;
        let files = cache.files(&commit).ok_or_else(|| self.not_cached())?;
        Ok((commit, files))
    }

    fn ask(
        &self,
        kind: RepoKind,
        repo: &str,
        revision: &str,
        cache: &RepoCache,
        progress: &dyn DataProgress,
    ) -> Result<(String, Vec<String>), HubErrorKind> {
        let repo = format!("{}/{repo}", kind.api_prefix());
        let info = self.with_retries(progress, || {
            let (client, repo, revision) = (self.client.clone(), repo.clone(), revision.to_owned());
            wait_for(progress, move || client.info(&repo, &revision))
        })?;
        let files: Vec<String> = info.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
        if !is_commit(&info.sha) {
            return Err(HubErrorKind::BadReply(format!("`{}` is no commit", info.sha)));
        }
        if let Some(file) = files.iter().find(|file| !is_safe_path(file)) {
            return Err(HubErrorKind::BadReply(format!("a file named `{file}`")));
        }
        cache.remember(revision, &info.sha, &files)?;
        Ok((info.sha, files))
    }

    /// Asks again, after growing pauses, as long as that may help.
    fn with_retries<T>(
        &self,
        progress: &dyn DataProgress,
        mut attempt: impl FnMut() -> Result<T, HubErrorKind>,
    ) -> Result<T, HubErrorKind> {
        let mut pause = self.options.first_pause;
        for _ in 1..self.options.n_attempts {
            match attempt() {
                Err(kind) if kind.is_transient() => {
                    progress.message(&format!("{kind}; trying again in {} ms", pause.as_millis()));
                    sleep(pause, progress)?;
                    pause *= 2;
                }
                result => return result,
            }
        }
        attempt()
    }

    fn not_cached(&self) -> HubErrorKind {
        HubErrorKind::NotCached { cache: self.options.cache_dir.clone() }
    }

    fn error(&self, repo: &str, file: Option<&str>, kind: HubErrorKind) -> HubError {
        HubError { repo: repo.to_owned(), file: file.map(str::to_owned), endpoint: self.options.endpoint.clone(), kind }
    }
}

impl Snapshot<'_> {
    /// The commit that every file belongs to.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// The files of the repository at this commit.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The local copy of a file, fetched if it is not there yet.
    ///
    /// # Errors
    /// A file that the repository does not have, a hub that does not deliver all of it, or, offline, a file that has
    /// not been fetched before.
    pub fn download(&self, file: &str, progress: &dyn DataProgress) -> Result<PathBuf, HubError> {
        self.find_or_fetch(file, progress).map_err(|kind| self.hub.error(&self.repo, Some(file), kind))
    }

    fn find_or_fetch(&self, file: &str, progress: &dyn DataProgress) -> Result<PathBuf, HubErrorKind> {
        if !is_safe_path(file) {
            return Err(HubErrorKind::BadName);
        }
        match self.cache.file(&self.commit, file) {
            Some(path) => Ok(path),
            None if self.hub.options.offline => Err(self.hub.not_cached()),
            None => self.fetch(file, progress),
        }
    }

    fn fetch(&self, file: &str, progress: &dyn DataProgress) -> Result<PathBuf, HubErrorKind> {
        let client = &self.hub.client;
        let path =
            format!("{}/{}/resolve/{}/{}", self.kind.file_prefix(), self.repo, self.commit, percent_encode(file));
        let head = self.hub.with_retries(progress, || {
            let (client, path) = (client.clone(), path.clone());
            wait_for(progress, move || client.head(&path))
        })?;
        let blob = self.cache.blob(&head.etag);
        let part_path = blob.with_extension("incomplete");
        let mut part = cache::open_part(&part_path)?;
        lock(&part, &part_path, progress)?;
        if !blob.is_file() {
            let request = Request { path: &path, size: head.size, part: &part_path };
            transfer::announce(file, head.size, &part, progress);
            self.hub.with_retries(progress, || transfer::fetch(client, &request, &mut part, progress))?;
            progress.finish();
            std::fs::rename(&part_path, &blob).map_err(cache::cache_error(&blob))?;
        } else {
            // another process has finished the download meanwhile
            std::fs::remove_file(&part_path).ok();
        }
        self.cache.point(&self.commit, file, &blob)
    }
}

/// Waits until no other process fills the same file.
fn lock(part: &std::fs::File, path: &Path, progress: &dyn DataProgress) -> Result<(), HubErrorKind> {
    while let Err(error) = part.try_lock() {
        match error {
            std::fs::TryLockError::WouldBlock => sleep(POLL, progress)?,
            std::fs::TryLockError::Error(source) => {
                return Err(cache::cache_error(path)(source));
            }
        }
    }
    Ok(())
}

fn sleep(duration: Duration, progress: &dyn DataProgress) -> Result<(), HubErrorKind> {
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
fn wait_for<T: Send + 'static>(
    progress: &dyn DataProgress,
    request: impl FnOnce() -> Result<T, HubErrorKind> + Send + 'static,
) -> Result<T, HubErrorKind> {
    let (sender, answer) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || sender.send(request()).ok());
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

/// `owner/name`, or the bare `name` of the oldest repositories.
fn is_repo_name(repo: &str) -> bool {
    let is_word = |word: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !word.is_empty() && !word.starts_with('.') && word.chars().all(is_plain)
    };
    repo.split('/').count() <= 2 && repo.split('/').all(is_word)
}

/// Encodes a path for an address.
fn percent_encode(file: &str) -> String {
    let mut encoded = String::with_capacity(file.len());
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
