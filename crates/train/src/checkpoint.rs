//! Checkpoints: the state of a training in one file, from which it resumes after a kill with the same bits.
//!
//! Shuffles, views and dropout masks are functions of the seed, the epoch and the step, so their state is two
//! numbers; weights, running statistics, the optimizer's moments, the weights' average and the best weights so far are tensors.
//!
//! The header holds the BLAKE3 hash of the whole file, computed with zeros in place of the hash's own digits. A bit
//! that flips on the disk is therefore found; otherwise training would go on with it and give another model.

use crate::{History, TrainError};
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use stillhouse_files::write_whole;

/// Layout of the file; another number is refused.
const FORMAT_VERSION: u32 = 2;
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
    /// Loss of the very first step, with which an exploding loss is compared.
    pub first_loss: Option<f64>,
    /// Complete epochs' records.
    pub history: History,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format_version: u32,
    /// Hash of the file, in hexadecimal digits; the first format had none.
    #[serde(default)]
    checksum: String,
    /// Identity of the training; a checkpoint of another one is ignored.
    job: String,
    progress: Progress,
}

/// A checkpoint read back.
pub(crate) struct Checkpoint {
    pub progress: Progress,
    pub tensors: HashMap<String, Tensor>,
}

/// The result of looking for a checkpoint.
pub(crate) enum Found {
    /// No file, or the checkpoint of another job or format.
    Nothing,
    /// A file that is not as it was written, and how it differs.
    Damaged(String),
    /// The job's own.
    Checkpoint(Checkpoint),
}

/// Writes a checkpoint under a temporary name and renames it to `path`, so that an older one survives a full disk.
pub(crate) fn save(
    path: &Path,
    job: &str,
    progress: &Progress,
    tensors: Vec<(String, Tensor)>,
) -> Result<(), TrainError> {
    let (job, progress, checksum) = (job.to_owned(), progress.clone(), NO_CHECKSUM.to_owned());
    let header = Header { format_version: FORMAT_VERSION, checksum, job, progress };
    let header = serde_json::to_string(&header).map_err(|error| checkpoint_error(path, &error))?;
    let mut bytes = safetensors::serialize(tensors, Some(HashMap::from([(STATE_KEY.to_owned(), header)])))
        .map_err(|error| checkpoint_error(path, &error))?;
    let place = find(&bytes, NO_CHECKSUM).expect("the header holds the place of its checksum");
    let checksum = blake3::hash(&bytes).to_hex();
    bytes[place].copy_from_slice(checksum.as_bytes());
    write_whole(path, &bytes).map_err(|error| TrainError::unwritable(path, error))
}

/// The digits that are hashed in place of the checksum itself.
const NO_CHECKSUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The first occurrence of a text. The header comes first in a file, so a text of it is found there.
fn find(bytes: &[u8], text: &str) -> Option<Range<usize>> {
    let start = bytes.windows(text.len()).position(|window| window == text.as_bytes())?;
    Some(start..start + text.len())
}

/// Reads a checkpoint.
///
/// # Errors
/// A file that the system refuses to read.
pub(crate) fn load(path: &Path, job: &str, device: &Device) -> Result<Found, TrainError> {
    let mut bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(TrainError::unreadable(path, error)),
    };
    let header = match read_header(&bytes) {
        Ok(header) => header,
        Err(what) => return Ok(Found::Damaged(what)),
    };
    if header.format_version != FORMAT_VERSION {
        return Ok(Found::Nothing);
    }
    if !remove_checksum(&mut bytes, &header.checksum) {
        return Ok(Found::Damaged("the checkpoint changed since it was written (wrong checksum)".to_owned()));
    }
    if header.job != job {
        return Ok(Found::Nothing);
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, device)?;
    Ok(Found::Checkpoint(Checkpoint { progress: header.progress, tensors }))
}

fn read_header(bytes: &[u8]) -> Result<Header, String> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| format!("the checkpoint is damaged ({error})"))?;
    let header = metadata.metadata().as_ref().and_then(|entries| entries.get(STATE_KEY));
    serde_json::from_str(header.map_or("", String::as_str)).map_err(|error| format!("no training checkpoint ({error})"))
}

/// Replaces the checksum by zeros, as when it was computed; returns whether it is that of the file.
fn remove_checksum(bytes: &mut [u8], checksum: &str) -> bool {
    if checksum.len() != NO_CHECKSUM.len() {
        return false;
    }
    let Some(place) = find(bytes, checksum) else { return false };
    bytes[place].copy_from_slice(NO_CHECKSUM.as_bytes());
    blake3::hash(bytes).to_hex().as_str() == checksum
}

/// Renames a damaged checkpoint, so that it is neither resumed nor lost; returns its new name.
pub(crate) fn put_aside(path: &Path) -> Result<String, TrainError> {
    let aside = path.with_extension(DAMAGED);
    std::fs::rename(path, &aside).map_err(|error| TrainError::unwritable(path, error))?;
    Ok(aside.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// Removes a checkpoint, and one that was put aside, once the trained weights are safe.
pub fn remove_checkpoint(path: &Path) {
    for path in [path, &path.with_extension(DAMAGED)] {
        // a file that cannot be removed is useless, but harmless
        let _ = std::fs::remove_file(path);
    }
}

/// Ending of a checkpoint that was put aside.
const DAMAGED: &str = "damaged";

pub(crate) fn checkpoint_error(path: &Path, what: &dyn std::fmt::Display) -> TrainError {
    TrainError::Checkpoint { path: path.to_owned(), what: what.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("checkpoint.safetensors");
        let tensor = Tensor::new(&[1.0_f32, 2.0, 3.0, 4.0], &Device::Cpu).unwrap();
        let progress = Progress { n_epochs_done: 3, ..Progress::default() };
        save(&path, "job", &progress, vec![("model.weight".to_owned(), tensor)]).unwrap();
        path
    }

    fn found(path: &Path, job: &str) -> Found {
        load(path, job, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_checkpoint_is_read_back_by_its_own_job() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        let Found::Checkpoint(checkpoint) = found(&path, "job") else { panic!("it is there") };
        assert_eq!(checkpoint.progress.n_epochs_done, 3);
        assert_eq!(checkpoint.tensors["model.weight"].to_vec1::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert!(matches!(found(&path, "another job"), Found::Nothing));
        assert!(matches!(found(&folder.path().join("absent"), "job"), Found::Nothing));
    }

    #[test]
    fn no_flipped_bit_is_trained_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        let whole = std::fs::read(&path).unwrap();
        for position in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[position] ^= 1 << (position % 8);
            std::fs::write(&path, bytes).unwrap();
            assert!(!matches!(found(&path, "job"), Found::Checkpoint(_)), "byte {position}");
        }
        for n_bytes in [0, 7, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..n_bytes]).unwrap();
            assert!(matches!(found(&path, "job"), Found::Damaged(_)), "{n_bytes} bytes");
        }
    }

    #[test]
    fn a_damaged_checkpoint_is_put_aside_and_goes_with_the_training() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path());
        assert_eq!(put_aside(&path).unwrap(), "checkpoint.damaged");
        assert!(matches!(found(&path, "job"), Found::Nothing));
        saved(folder.path());
        remove_checkpoint(&path);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
