//! Everything that a training needs to go on after a kill, in one file that appears whole or not at all.
//!
//! Shuffles, views and dropout masks are functions of the seed, the epoch and the step, so their state is two
//! numbers; weights, running statistics, the optimizer's moments and the best weights so far are tensors.

use crate::{History, TrainError};
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

/// Layout of the file; another number is refused.
const FORMAT_VERSION: u32 = 1;
const STATE_KEY: &str = "stillhouse_training";

/// The part of a training's state that is not tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Complete epochs.
    pub n_epochs_done: usize,
    /// Steps done in the unfinished epoch.
    pub n_steps_in_epoch: usize,
    /// Sums over those steps: total, task and distillation loss.
    pub loss_sums: [f64; 3],
    /// Examples seen so far.
    pub n_examples_seen: u64,
    /// Optimizer steps so far.
    pub n_optimizer_steps: u64,
    /// Wall time so far.
    pub train_seconds: f64,
    /// Loss of the very first step, the yardstick for an exploding one.
    pub first_loss: Option<f64>,
    /// Complete epochs' records.
    pub history: History,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format_version: u32,
    /// What is being trained; a checkpoint of something else is not taken up.
    job: String,
    progress: Progress,
}

/// A checkpoint read back.
pub(crate) struct Checkpoint {
    pub progress: Progress,
    pub tensors: HashMap<String, Tensor>,
}

/// Writes a checkpoint beside `path` and renames it into place, so that an older one survives a full disk.
pub(crate) fn save(
    path: &Path,
    job: &str,
    progress: &Progress,
    tensors: Vec<(String, Tensor)>,
) -> Result<(), TrainError> {
    let header = Header { format_version: FORMAT_VERSION, job: job.to_owned(), progress: progress.clone() };
    let header = serde_json::to_string(&header).map_err(|error| checkpoint_error(path, &error))?;
    let bytes = safetensors::serialize(tensors, Some(HashMap::from([(STATE_KEY.to_owned(), header)])))
        .map_err(|error| checkpoint_error(path, &error))?;
    write_whole(path, &bytes).map_err(|source| TrainError::Write { path: path.to_owned(), source })
}

pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Reads a checkpoint; `None` where there is none, or where it belongs to another job.
pub(crate) fn load(path: &Path, job: &str, device: &Device) -> Result<Option<Checkpoint>, TrainError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(checkpoint_error(path, &error)),
    };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| checkpoint_error(path, &error))?;
    let header = metadata.metadata().as_ref().and_then(|entries| entries.get(STATE_KEY));
    let header: Header = serde_json::from_str(header.map_or("", String::as_str))
        .map_err(|error| checkpoint_error(path, &format!("not a training checkpoint ({error})")))?;
    if header.format_version != FORMAT_VERSION || header.job != job {
        return Ok(None);
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, device)?;
    Ok(Some(Checkpoint { progress: header.progress, tensors }))
}

pub(crate) fn checkpoint_error(path: &Path, what: &dyn std::fmt::Display) -> TrainError {
    TrainError::Checkpoint { path: path.to_owned(), what: what.to_string() }
}
