//! Progress and interruption of a load.

use crate::DataError;
use stillhouse_core::Seed;

/// What a number of steps counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressUnit {
    /// bytes of a download or of a file
    Bytes,
    /// examples decoded or checked
    Examples,
}

/// Receives the progress of a load. All methods do nothing by default; they may be called from several threads.
pub trait DataProgress: Sync {
    /// A piece of work begins, for example a download; the total is given where it is known.
    fn start(&self, what: &str, total: Option<u64>, unit: ProgressUnit) {
        let _ = (what, total, unit);
    }

    /// Some more of the current piece is done.
    fn advance(&self, amount: u64) {
        let _ = amount;
    }

    /// The current piece is done.
    fn finish(&self) {}

    /// A sentence worth showing.
    fn message(&self, text: &str) {
        let _ = text;
    }

    /// Something about the data that a user should know without looking for it: what was left out, guessed or converted. It
    /// stands in the report too.
    fn note(&self, text: &str) {
        self.message(text);
    }

    /// Whether to stop as soon as possible with [`DataError::Interrupted`].
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Shows nothing and never interrupts.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl DataProgress for NoProgress {}

/// What a load needs besides its config.
#[derive(Clone, Copy)]
pub struct LoadContext<'a> {
    /// root of the split, of the generator and of every augmented view
    pub seed: Seed,
    /// where progress is reported
    pub progress: &'a dyn DataProgress,
    /// how many bytes of decoded pixels may stay in memory; without a limit all of them do
    pub memory_limit_bytes: Option<u64>,
    /// whether a model is measured on the data, which then need not have a training split, nor all classes
    pub is_measured: bool,
}

impl<'a> LoadContext<'a> {
    /// A context without a memory limit.
    pub fn new(seed: Seed, progress: &'a dyn DataProgress) -> Self {
        Self { seed, progress, memory_limit_bytes: None, is_measured: false }
    }

    /// A context without progress.
    pub fn quiet(seed: Seed) -> LoadContext<'static> {
        LoadContext::new(seed, &NoProgress)
    }

    /// Tells what was left out, guessed or converted.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        self.progress.note(text.as_ref());
    }

    pub(crate) fn check_interrupted(&self) -> Result<(), DataError> {
        if self.progress.is_interrupted() { Err(DataError::Interrupted) } else { Ok(()) }
    }
}
