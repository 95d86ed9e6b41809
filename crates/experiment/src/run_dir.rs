//! A run directory: who writes in it, and its `manifest.json`, which says how the run was made.

use crate::config::Experiment;
use crate::error::{ExperimentError, Result, system_error};
use crate::files::{read_json, write_json};
use crate::options::RunOptions;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use stillhouse_data::Dataset;
use stillhouse_files::open_lock;
use stillhouse_train::vector_unit;

/// How the run was made.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The resolved config.
pub(crate) const CONFIG: &str = "config.toml";
/// The numbers of the report; written last.
pub(crate) const REPORT: &str = "report.json";
/// What the report's page shows besides.
pub(crate) const PAGE: &str = "page.json";
pub(crate) const REPORT_MD: &str = "report.md";
pub(crate) const REPORT_HTML: &str = "report.html";
/// Each test example with what the main models predict.
pub(crate) const PREDICTIONS: &str = "predictions.csv";
/// The results of each class.
pub(crate) const CLASSES: &str = "classes.csv";
/// The student's model folder.
pub(crate) const STUDENT: &str = "student";
pub(crate) const SHIPPED: &str = "shipped";
/// Held while a program works in the folder.
pub(crate) const LOCK: &str = ".lock";

/// `manifest.json`: how a run was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub name: String,
    pub version: String,
    pub commit: String,
    pub seed: u64,
    pub device: String,
    pub dataset: String,
    pub data_fingerprint: String,
    /// where the data came from: pinned revisions, files
    pub data_provenance: Vec<(String, String)>,
    /// one for each time that the run was started, the last one being the newest
    pub sessions: Vec<RunSession>,
}

/// One start of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunSession {
    /// seconds since 1970, UTC
    pub started_unix_s: u64,
    pub command_line: Vec<String>,
    pub n_threads: usize,
    /// the processor's vectors, for example `avx512`: others give other bits
    #[serde(default)]
    pub vector_unit: String,
    /// absent where the session was stopped
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_seconds: Option<f64>,
    /// whether anything was computed, or all was there already
    #[serde(default)]
    pub computed: bool,
}

/// Makes a folder and takes its lock, for one program at a time; the lock ends with the returned file. `what` is what the
/// folder is, for example `run directory`.
///
/// # Errors
/// A folder that another program works in; a folder that cannot be written.
pub(crate) fn lock_folder(folder: &Path, what: &str) -> Result<File> {
    std::fs::create_dir_all(folder).map_err(|error| system_error(folder, "cannot be created", &error))?;
    let path = folder.join(LOCK);
    let failed = |error: std::io::Error| system_error(&path, "cannot be locked", &error);
    let mut file = open_lock(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            // the process is told to those who wait; a lock file of another user cannot be written, and is a lock all the same
            let _ = file.set_len(0).and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known =
                file.rewind().and_then(|()| file.read_to_string(&mut holder)).is_ok() && !holder.trim().is_empty();
            let holder = if known { format!(" (process {})", holder.trim()) } else { String::new() };
            Err(ExperimentError::Usage(format!(
                "{}: another stillhouse is using this {what}{holder}\n  hint: wait for it, or give another folder with --out",
                folder.display()
            )))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Whether a program holds the lock of a run directory.
pub(crate) fn is_locked(run_dir: &Path) -> bool {
    File::open(run_dir.join(LOCK)).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The manifest of a run, if there is one.
pub(crate) fn read_manifest(run_dir: &Path) -> Option<Manifest> {
    let path = run_dir.join(MANIFEST);
    if path.is_file() { read_json(&path).ok() } else { None }
}

/// Writes the manifest of a run that starts, with its earlier sessions on the same data.
pub(crate) fn open_manifest(
    run_dir: &Path,
    experiment: &Experiment,
    options: &RunOptions,
    dataset: &Dataset,
) -> Result<Manifest> {
    let mut sessions = read_manifest(run_dir)
        .filter(|earlier| earlier.data_fingerprint == dataset.fingerprint)
        .map_or(Vec::new(), |earlier| earlier.sessions);
    sessions.push(RunSession {
        started_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        command_line: options.command_line.clone(),
        n_threads: options.n_threads,
        vector_unit: vector_unit().to_owned(),
        wall_seconds: None,
        computed: false,
    });
    let manifest = Manifest {
        name: experiment.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("STILLHOUSE_COMMIT").unwrap_or("unknown").to_owned(),
        seed: experiment.config().seed,
        device: options.device.clone(),
        dataset: dataset.name.clone(),
        data_fingerprint: dataset.fingerprint.clone(),
        data_provenance: dataset.provenance.clone(),
        sessions,
    };
    write_json(&run_dir.join(MANIFEST), &manifest)?;
    Ok(manifest)
}

/// Time that the user waited: sessions that only read finished stages back do not count.
pub(crate) fn wall_seconds(manifest: &Manifest) -> f64 {
    manifest.sessions.iter().filter(|session| session.computed).filter_map(|session| session.wall_seconds).sum()
}

/// What the report's page tells of how the run was made.
pub(crate) fn provenance(manifest: &Manifest) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("program".to_owned(), format!("stillhouse {} ({})", manifest.version, manifest.commit)),
        ("seed".to_owned(), manifest.seed.to_string()),
        ("device".to_owned(), manifest.device.clone()),
        ("data fingerprint".to_owned(), manifest.data_fingerprint.clone()),
    ];
    pairs.extend(manifest.data_provenance.iter().map(|(name, value)| (format!("data: {name}"), value.clone())));
    if let Some(session) = manifest.sessions.last() {
        pairs.push(("command".to_owned(), session.command_line.join(" ")));
        pairs.push(("threads".to_owned(), session.n_threads.to_string()));
        pairs.push(("vector unit".to_owned(), session.vector_unit.clone()));
    }
    pairs
}
