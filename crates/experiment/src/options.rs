//! How to run an experiment, apart from what its config says.

use crate::config::Experiment;
use crate::error::{ExperimentError, Result};
use std::path::{Path, PathBuf};
use stillhouse_train::Device;

/// How to run an experiment, apart from what its config says.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Run directory; `runs/<name>` by default.
    pub out: Option<PathBuf>,
    /// Stage store shared with other runs; inside the run directory by default.
    pub stages: Option<PathBuf>,
    /// Threads to use.
    pub n_threads: usize,
    /// Memory that trainings may take, the examples among it: fewer of them run side by side where it is short.
    pub memory_bytes: Option<u64>,
    /// `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// Compute stages again although their artifacts exist.
    pub force: bool,
    /// Write curves for TensorBoard into the run directory.
    pub tensorboard: bool,
    /// Take up parallel jobs in the opposite order; results do not depend on it.
    pub reversed_jobs: bool,
    /// For the manifest.
    pub command_line: Vec<String>,
}

impl RunOptions {
    /// The run directory of an experiment.
    pub fn run_dir(&self, experiment: &Experiment) -> PathBuf {
        self.out.clone().unwrap_or_else(|| Path::new("runs").join(experiment.name()))
    }

    /// One thread, everything at its default: for commands that read data and train nothing.
    pub(crate) fn quiet() -> Self {
        let (device, command_line) = ("cpu".to_owned(), Vec::new());
        Self {
            out: None,
            stages: None,
            n_threads: 1,
            memory_bytes: None,
            device,
            force: false,
            tensorboard: false,
            reversed_jobs: false,
            command_line,
        }
    }

    /// The device that `device` names: `cpu`, `cuda` or `cuda:N`.
    ///
    /// # Errors
    /// A device that this build or this machine does not have.
    pub(crate) fn open_device(&self) -> Result<Device> {
        let unknown = || ExperimentError::Usage(format!("device \"{}\": expected cpu, cuda or cuda:N", self.device));
        let (kind, number) = self.device.split_once(':').unwrap_or((&self.device, "0"));
        match (kind, number.parse()) {
            ("cpu", _) if kind == self.device => Ok(Device::Cpu),
            ("cuda", Ok(number)) => open_cuda(number),
            _ => Err(unknown()),
        }
    }
}

#[cfg(feature = "cuda")]
fn open_cuda(number: usize) -> Result<Device> {
    let wrong = |error| ExperimentError::Usage(format!("device cuda:{number} cannot be opened: {error}"));
    Device::new_cuda(number).map_err(wrong)
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: usize) -> Result<Device> {
    let message = "this build has no CUDA; hint: cargo build --release --features cuda, as CONTRIBUTING.md says";
    Err(ExperimentError::Usage(message.to_owned()))
}
