//! Files of a hub repository: listed, fetched once, kept, and found again offline.
//!
//! A [`Snapshot`] is pinned to one commit, so that all files of a run belong together whatever is pushed meanwhile.
//! The cache is the one that the hub's other clients use. Files appear in it whole or not at all.
//!
//! **Why the client is our own** and the crate hf-hub only knows the cache's names: of its version 1.0 (read and built on 2026-11-29) a
//! download that breaks starts from 0, nobody compares its length or hash with what the hub announced, it knows no
//! `HF_HUB_OFFLINE`, a body that brings nothing has no time limit, and an interrupt has to wait for it. It costs 284 crates, where the
//! whole program has 268 and `ureq` with all that it needs 39. Its uploads and Xet, the transfer of large files in pieces, are not
//! needed for a run.

mod cache;
mod client;
mod error;
mod options;
mod push;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
mod transfer;
mod wait;

pub use error::{HubError, HubErrorKind};
pub use options::HubOptions;
pub use push::{Fate, Push, Pushed, PushedFile};

use crate::DataProgress;
use cache::{RepoCache, is_commit, is_safe_path};
use client::{Client, percent_encode};
use hf_hub::RepoType;
use std::path::PathBuf;
use transfer::Request;
use wait::{lock, sleep, wait_for};

/// The revision where the config names none.
const DEFAULT_REVISION: &str = "main";

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
                    let wait = kind.pause().map_or(pause, |asked| asked.max(pause));
                    progress.message(&format!("{kind}; trying again in {} ms", wait.as_millis()));
                    sleep(wait, progress)?;
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
        if let Some(found) =
            head.commit.as_deref().filter(|found| is_commit(found) && !found.eq_ignore_ascii_case(&self.commit))
        {
            return Err(HubErrorKind::BadReply(format!("a file of commit {found}, expected {}", self.commit)));
        }
        let blob = self.cache.blob(&head.etag, head.size);
        let part_path = blob.with_extension(format!("{}.incomplete", head.size));
        let mut part = cache::open_part(&part_path)?;
        lock(&part, &part_path, progress)?;
        if !blob.is_file() {
            let stall_limit = self.hub.options.stall_limit;
            let request = Request { path: &path, head: &head, part: &part_path, stall_limit };
            transfer::announce(file, head.size, &part, progress);
            self.hub.with_retries(progress, || transfer::fetch(client, &request, &mut part, progress))?;
            transfer::verify(&request, &mut part, progress)?;
            progress.finish();
            std::fs::rename(&part_path, &blob).map_err(cache::cache_error(&blob))?;
        } else {
            // another process has finished the download meanwhile
            std::fs::remove_file(&part_path).ok();
        }
        self.cache.point(&self.commit, file, &blob)
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
