//! `push`: a model folder, an exported folder or a data set becomes a repository of a hub.

use crate::error::{ExperimentError, Result, system_error};
use crate::load_progress::PlainProgress;
use crate::observer::{Interrupt, Observer};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use stillhouse_data::DataError;
use stillhouse_data::hub::{Hub, HubError, Push, PushedFile, RepoKind};
use stillhouse_files::names_below;

/// What to push, and where.
#[derive(Clone, Debug)]
pub struct PushOptions {
    /// the folder
    pub folder: PathBuf,
    /// `owner/name`
    pub repo: String,
    /// whether it holds a data set, not a model
    pub is_dataset: bool,
    /// whether a new repository is private
    pub is_private: bool,
    /// a branch that is there; `main` without one
    pub revision: Option<String>,
    /// first line of the commit's message
    pub message: Option<String>,
    /// whether only to say what would be done
    pub is_dry_run: bool,
}

/// What was done, or would be.
#[derive(Clone, Debug, Serialize)]
pub struct PushOutcome {
    /// address of the repository
    pub address: String,
    /// none in a dry run
    pub commit: Option<String>,
    /// files that were pushed
    pub files: Vec<PushedFile>,
    /// files that would be pushed, with their bytes
    pub planned: Vec<(String, u64)>,
}

impl fmt::Display for PushOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for PushedFile { path, bytes, fate } in &self.files {
            writeln!(f, "{path}: {bytes} bytes, {}", fate.in_words())?;
        }
        for (path, bytes) in &self.planned {
            writeln!(f, "{path}: {bytes} bytes")?;
        }
        match &self.commit {
            Some(commit) => write!(f, "{} has commit {commit}", self.address),
            None => write!(f, "nothing was sent: this would be one commit of {}", self.address),
        }
    }
}

/// Pushes a folder.
///
/// # Errors
/// A folder that holds no model or data set, and all that the hub may answer. The repository then has no file more.
pub fn push(options: &PushOptions, observer: &dyn Observer, interrupt: &Interrupt) -> Result<PushOutcome> {
    let PushOptions { folder, repo, is_dataset, is_private, revision, message, is_dry_run } = options;
    let files = files_of(folder, *is_dataset)?;
    let hub = Hub::from_env();
    let kind = if *is_dataset { RepoKind::Dataset } else { RepoKind::Model };
    let progress = PlainProgress { observer, interrupt };
    if *is_dry_run {
        let size = |file: String| {
            let place = folder.join(&file);
            let data = place.metadata().map_err(|error| system_error(&place, "cannot be read", &error))?;
            Ok((file, data.len()))
        };
        let planned = files.into_iter().map(size).collect::<Result<Vec<_>>>()?;
        return Ok(PushOutcome { address: hub.address(kind, repo), commit: None, files: Vec::new(), planned });
    }
    let what = if *is_dataset { "data set" } else { "model" };
    let default_message = format!("{what} by stillhouse {}", env!("CARGO_PKG_VERSION"));
    let message = message.as_ref().unwrap_or(&default_message);
    let push = Push { kind, repo, revision: revision.as_deref(), is_private: *is_private, message };
    let pushed = hub.push(folder, &files, &push, &progress).map_err(as_failure)?;
    Ok(PushOutcome { address: pushed.address, commit: Some(pushed.commit), files: pushed.files, planned: Vec::new() })
}

/// What a hub refuses is no bad data.
fn as_failure(error: HubError) -> ExperimentError {
    match ExperimentError::from(DataError::from(error)) {
        ExperimentError::BadData(error) => ExperimentError::Failed(error),
        other => other,
    }
}

/// Files of the folder without hidden ones, if it is what the repository is to hold.
fn files_of(folder: &Path, is_dataset: bool) -> Result<Vec<String>> {
    let files = names_below(folder).map_err(|error| system_error(&error.path, "cannot be read", &error.source))?;
    let is_plain = |file: &String| !file.split('/').any(|part| part.starts_with('.') || part == "__pycache__");
    let files: Vec<String> = files.into_iter().filter(is_plain).collect();
    let has = |name: &str| files.iter().any(|file| file == name);
    let (is_right, expected) = match is_dataset {
        true => (has(CARD) && files.iter().any(|file| file.ends_with(".parquet")), "README.md and parquet files"),
        false => {
            let has_weights = WEIGHTS.iter().any(|name| has(name));
            (
                has(CARD) && has("config.json") && has_weights,
                "README.md, config.json, and model.safetensors or onnx/model.onnx",
            )
        }
    };
    if is_right {
        return Ok(files);
    }
    let (place, what) = (folder.display(), if is_dataset { "data set" } else { "model" });
    let hint = "give the `student` folder of a run, what `export --to onnx` wrote, or with --type dataset what `targets export` wrote";
    Err(ExperimentError::Usage(format!("{place}: no {what} to push, expected {expected}\n  hint: {hint}")))
}

const CARD: &str = "README.md";
const WEIGHTS: [&str; 2] = ["model.safetensors", "onnx/model.onnx"];
