//! Uploads: the files of a folder become one commit of a repository.
//!
//! In four steps: the repository is created unless it is there; the hub says of each file whether it is large; large files go to the
//! place that the hub names (Git LFS, transfer `basic`), unless it has them; one commit has the small files and names the large ones.
//! Nothing is visible before the commit, and the commit is whole or not at all. It is never sent twice: had the first one arrived
//! and only its answer been lost, there would be two.
//!
//! The protocol is that of the Python package huggingface_hub 2.4, without Xet.

mod fate;
mod large;
mod local;
mod protocol;
#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

use super::error::HubErrorKind;
use super::wait::wait_for;
use super::{Hub, HubError, RepoKind, is_repo_name};
use crate::DataProgress;
pub use fate::{Fate, PushedFile};
use local::LocalFile;
use protocol::{Address, Mode};
use serde_json::Value;
use std::path::Path;

/// Files of one question.
const MAX_FILES: usize = 256;

/// Where files go, and how.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// what the repository holds
    pub kind: RepoKind,
    /// `owner/name`
    pub repo: &'a str,
    /// a branch that is there; `main` without one
    pub revision: Option<&'a str>,
    /// whether only its owner sees a repository that is created
    pub is_private: bool,
    /// first line of the commit's message
    pub message: &'a str,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// address of the repository for people
    pub address: String,
    /// the commit
    pub commit: String,
    /// what became of each file
    pub files: Vec<PushedFile>,
}

impl Hub {
    /// Uploads files of a folder, given by their paths in it, with one commit.
    ///
    /// # Errors
    /// Files that cannot be read, no token or one that may not write here, a hub that declines or is not reached, or an
    /// interruption. The repository then has no file more; a new one may remain, without files.
    pub fn push(
        &self,
        folder: &Path,
        files: &[String],
        push: &Push<'_>,
        progress: &dyn DataProgress,
    ) -> Result<Pushed, HubError> {
        let fail = |kind| self.error(push.repo, None, kind);
        if !is_repo_name(push.repo) || !push.repo.contains('/') {
            return Err(fail(HubErrorKind::BadName));
        }
        if self.options.offline {
            return Err(fail(HubErrorKind::PushOffline));
        }
        if self.options.token.is_none() {
            return Err(fail(HubErrorKind::NoToken));
        }
        let mut local = Vec::new();
        for file in files {
            let read = LocalFile::read(folder, file, progress);
            local.push(read.map_err(|kind| self.error(push.repo, Some(file), kind))?);
        }
        let address =
            Address { kind: push.kind, repo: push.repo, revision: push.revision.unwrap_or(super::DEFAULT_REVISION) };
        self.create(&address, push.is_private, progress).map_err(fail)?;
        let modes = self.modes(&address, &local, progress).map_err(fail)?;
        let fates = self.send_large(&address, &local, &modes, progress)?;
        let commit = self.commit(&address, push.message, (&local, &fates), progress).map_err(fail)?;
        let files = local.iter().zip(fates);
        let files = files.map(|(file, fate)| PushedFile { path: file.path.clone(), bytes: file.size, fate }).collect();
        Ok(Pushed { address: self.address(push.kind, push.repo), commit, files })
    }

    /// The address of a repository for people.
    pub fn address(&self, kind: RepoKind, repo: &str) -> String {
        format!("{}{}/{repo}", self.options.endpoint, kind.file_prefix())
    }

    /// Creates the repository, unless it is there. A token that may write into one repository may not create it: then it is enough
    /// that it is there.
    fn create(&self, address: &Address<'_>, is_private: bool, progress: &dyn DataProgress) -> Result<(), HubErrorKind> {
        match self.ask_hub("/api/repos/create", &address.creation(is_private), progress) {
            Ok(_) => Ok(()),
            Err(HubErrorKind::Declined { status: 409, .. }) if is_private => {
                progress.note(&format!("{} is there already: it stays as private or public as it is", address.repo));
                Ok(())
            }
            Err(HubErrorKind::Declined { status: 409, .. }) => Ok(()),
            Err(refusal @ HubErrorKind::MayNotWrite { .. }) => {
                let (client, path) = (self.client.clone(), address.api());
                match wait_for(progress, move || client.get(&path, &[], |_| {})) {
                    Ok(_) => Ok(()),
                    Err(HubErrorKind::Interrupted) => Err(HubErrorKind::Interrupted),
                    Err(_) => Err(refusal),
                }
            }
            Err(other) => Err(other),
        }
    }

    /// How the hub wants each file.
    fn modes(
        &self,
        address: &Address<'_>,
        files: &[LocalFile],
        progress: &dyn DataProgress,
    ) -> Result<Vec<Mode>, HubErrorKind> {
        let mut modes = Vec::new();
        for files in files.chunks(MAX_FILES) {
            let answer = self.ask_hub(&address.preupload(), &protocol::preupload(files), progress)?;
            modes.extend(protocol::modes(&answer, files)?);
        }
        Ok(modes)
    }

    /// Sends the large files that the hub does not have.
    fn send_large(
        &self,
        address: &Address<'_>,
        files: &[LocalFile],
        modes: &[Mode],
        progress: &dyn DataProgress,
    ) -> Result<Vec<Fate>, HubError> {
        let mut fates = Vec::new();
        for (file, mode) in files.iter().zip(modes) {
            let fate = match mode {
                Mode::Regular => Ok(Fate::Committed),
                Mode::Ignored => Ok(Fate::Ignored),
                Mode::Large => self.send(address, file, progress),
            };
            fates.push(fate.map_err(|kind| self.error(address.repo, Some(&file.path), kind))?);
        }
        Ok(fates)
    }

    fn send(&self, address: &Address<'_>, file: &LocalFile, progress: &dyn DataProgress) -> Result<Fate, HubErrorKind> {
        let answer = self.ask_hub(&address.lfs_batch(), &address.batch(file), progress)?;
        let Some(upload) = protocol::upload(&answer, file)? else { return Ok(Fate::Known) };
        progress.message(&format!("sending {}, {} bytes", file.path, file.size));
        self.with_retries(progress, || large::send(&self.client, &upload, file, progress))?;
        if let Some(verify) = &upload.verify {
            self.ask_hub(verify, &protocol::object(file), progress)?;
        }
        Ok(Fate::Sent)
    }

    /// Sends the commit and returns its name.
    fn commit(
        &self,
        address: &Address<'_>,
        message: &str,
        (files, fates): (&[LocalFile], &[Fate]),
        progress: &dyn DataProgress,
    ) -> Result<String, HubErrorKind> {
        let body = protocol::commit(message, files.iter().zip(fates))?;
        let attempt = || {
            let (client, path, body) = (self.client.clone(), address.commit(), body.clone());
            wait_for(progress, move || client.post(&path, "application/x-ndjson", &body))
        };
        // of all answers, only this one says that nothing was done and may be
        let limited = |kind: HubErrorKind| match kind {
            HubErrorKind::RateLimited { .. } => kind,
            HubErrorKind::Unreachable(reason) => HubErrorKind::CommitUnknown(reason),
            other => HubErrorKind::CommitFailed(other.to_string()),
        };
        let answer = self.with_retries(progress, || attempt().map_err(limited))?;
        let commit = answer["commitOid"].as_str().map(str::to_owned);
        commit.ok_or_else(|| HubErrorKind::BadReply("a commit without a name".to_owned()))
    }

    /// The answer to a question in JSON, asked again as long as that may help.
    fn ask_hub(&self, place: &str, question: &Value, progress: &dyn DataProgress) -> Result<Value, HubErrorKind> {
        let body = question.to_string().into_bytes();
        self.with_retries(progress, || {
            let (client, place, body) = (self.client.clone(), place.to_owned(), body.clone());
            wait_for(progress, move || client.post(&place, protocol::content_type(&place), &body))
        })
    }
}
