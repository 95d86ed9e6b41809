//! Addresses, questions and answers of an upload.

use super::super::RepoKind;
use super::super::client::percent_encode;
use super::super::error::HubErrorKind;
use super::fate::Fate;
use super::local::LocalFile;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The end of the address of large files, which has a type of its own.
const BATCH: &str = "/info/lfs/objects/batch";

/// A branch of a repository.
pub(super) struct Address<'a> {
    pub(super) kind: RepoKind,
    pub(super) repo: &'a str,
    pub(super) revision: &'a str,
}

/// How the hub wants a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// in the commit
    Regular,
    /// as a large file
    Large,
    /// not at all
    Ignored,
}

/// Where a large file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) address: String,
    /// where to tell that it is there
    pub(super) verify: Option<String>,
}

/// The type of a question in JSON.
pub(super) fn content_type(place: &str) -> &'static str {
    if place.ends_with(BATCH) { "application/vnd.git-lfs+json" } else { "application/json" }
}

impl Address<'_> {
    pub(super) fn api(&self) -> String {
        format!("/api/{}/{}", self.kind.api_prefix(), self.repo)
    }

    pub(super) fn preupload(&self) -> String {
        format!("{}/preupload/{}", self.api(), self.encoded_revision())
    }

    pub(super) fn commit(&self) -> String {
        format!("{}/commit/{}", self.api(), self.encoded_revision())
    }

    pub(super) fn lfs_batch(&self) -> String {
        format!("{}/{}.git{BATCH}", self.kind.file_prefix(), self.repo)
    }

    fn encoded_revision(&self) -> String {
        percent_encode(self.revision).replace('/', "%2F")
    }

    /// What creates the repository.
    pub(super) fn creation(&self, is_private: bool) -> Value {
        let (owner, name) = self.repo.split_once('/').expect("the name was checked");
        let kind = match self.kind {
            RepoKind::Dataset => "dataset",
            RepoKind::Model => "model",
        };
        let mut creation = json!({"name": name, "organization": owner, "type": kind});
        if is_private {
            creation["visibility"] = "private".into();
        }
        creation
    }

    /// Asks where a large file goes.
    pub(super) fn batch(&self, file: &LocalFile) -> Value {
        json!({
            "operation": "upload",
            "transfers": ["basic"],
            "objects": [object(file)],
            "hash_algo": "sha256",
            "ref": {"name": self.revision},
        })
    }
}

/// A large file by its hash.
pub(super) fn object(file: &LocalFile) -> Value {
    json!({"oid": file.sha256, "size": file.size})
}

/// Asks how the hub wants the files.
pub(super) fn preupload(files: &[LocalFile]) -> Value {
    let files =
        files.iter().map(|file| json!({"path": file.path, "sample": STANDARD.encode(&file.sample), "size": file.size}));
    json!({ "files": files.collect::<Vec<_>>() })
}

/// The answer to [`preupload`], in the order of the files.
pub(super) fn modes(answer: &Value, files: &[LocalFile]) -> Result<Vec<Mode>, HubErrorKind> {
    let answers = answer["files"].as_array().cloned().unwrap_or_default();
    let mode = |file: &LocalFile| {
        let answer = answers.iter().find(|answer| answer["path"] == file.path.as_str());
        match answer.map(|answer| (answer["shouldIgnore"].as_bool(), answer["uploadMode"].as_str())) {
            Some((Some(true), _)) => Ok(Mode::Ignored),
            Some((_, Some("regular"))) => Ok(Mode::Regular),
            // the storage of large files takes no empty ones
            Some((_, Some("lfs"))) if file.size == 0 => Ok(Mode::Regular),
            Some((_, Some("lfs"))) => Ok(Mode::Large),
            found => {
                Err(HubErrorKind::BadReply(format!("{found:?} of {}, expected \"regular\" or \"lfs\"", file.path)))
            }
        }
    };
    files.iter().map(mode).collect()
}

/// Where the file goes; none if the hub has it.
pub(super) fn upload(answer: &Value, file: &LocalFile) -> Result<Option<Upload>, HubErrorKind> {
    let objects = answer["objects"].as_array().into_iter().flatten();
    let object = objects.into_iter().find(|object| object["oid"] == file.sha256.as_str());
    let object =
        object.ok_or_else(|| HubErrorKind::BadReply("nothing about the file that was asked for".to_owned()))?;
    if let Some(error) = object["error"].as_object() {
        let status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()).unwrap_or(0);
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        return Err(HubErrorKind::Declined { status, message });
    }
    let Some(actions) = object["actions"].as_object().filter(|actions| actions.contains_key("upload")) else {
        return Ok(None);
    };
    let href = |action: &str| actions.get(action).and_then(|action| action["href"].as_str()).map(str::to_owned);
    if actions["upload"]["header"]["chunk_size"].is_string() {
        return Err(HubErrorKind::BadReply("a transfer in parts, expected \"basic\"".to_owned()));
    }
    let address = href("upload").ok_or_else(|| HubErrorKind::BadReply("an upload to nowhere".to_owned()))?;
    Ok(Some(Upload { address, verify: href("verify") }))
}

/// The commit: a JSON object a line.
///
/// # Errors
/// A file that cannot be read any more, or has changed since it was hashed.
pub(super) fn commit<'a>(
    message: &str,
    files: impl Iterator<Item = (&'a LocalFile, &'a Fate)>,
) -> Result<Vec<u8>, HubErrorKind> {
    let mut lines = vec![json!({"key": "header", "value": {"summary": message, "description": ""}})];
    for (file, fate) in files {
        let path = &file.path;
        match fate {
            Fate::Ignored => {}
            Fate::Committed => {
                let content = STANDARD.encode(file.content()?);
                lines.push(json!({"key": "file", "value": {"content": content, "path": path, "encoding": "base64"}}));
            }
            Fate::Sent | Fate::Known => {
                let value = json!({"path": path, "algo": "sha256", "oid": file.sha256, "size": file.size});
                lines.push(json!({"key": "lfsFile", "value": value}));
            }
        }
    }
    Ok(lines.iter().flat_map(|line| (line.to_string() + "\n").into_bytes()).collect())
}
