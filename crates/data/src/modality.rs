//! The interface of a modality (images, texts, features): how examples are measured and hashed, how one is read, augmented
//! and put into a batch, and how it is shown.
//!
//! Each modality is a folder of this crate; `store.rs` lists them.
//!
//! Shapes: `B` examples of a batch, `V` values of an example.

use crate::DataError;
use crate::inputs::{Inputs, TextEncoder};
use crate::preview::Preview;
use std::ops::Range;
use std::path::Path;
use stillhouse_core::{ExampleId, InputSpec, Seed, ViewId};

/// An example to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Its row in the store.
    pub(crate) row: usize,
    /// The view to make of it; without one the example itself is read.
    pub(crate) view: Option<View>,
    /// What the view is mixed with, where it is.
    pub(crate) mixed: Option<Mixed>,
}

impl Wanted {
    /// The view of the other example that it is mixed with.
    pub(crate) fn other(self) -> Option<(Self, f32)> {
        let Mixed { row, view, share } = self.mixed?;
        Some((Self { row, view: Some(view), mixed: None }, share))
    }
}

/// The other example of a mixed view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixed {
    /// Its row in the store.
    pub(crate) row: usize,
    /// Its own view, of the same number.
    pub(crate) view: View,
    /// The first example's share, between 0 and 1; the other one has the rest.
    pub(crate) share: f32,
}

/// A view of an example: a pure function of the dataset's seed, the example and the view's number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) seed: Seed,
    pub(crate) example: ExampleId,
    pub(crate) view: ViewId,
}

impl View {
    /// The random stream that the view is drawn from.
    pub(crate) fn stream(self) -> Seed {
        self.seed.derive("augment", self.example.0).derive("view", u64::from(self.view.0))
    }
}

/// The examples of one source, all of one modality. A row is an example's number in its source.
pub(crate) trait Modality: Send + Sync {
    /// What messages call one example.
    fn noun(&self) -> &'static str;

    /// Shape and normalisation, measured on the examples of these rows.
    fn measure(&self, rows: &[u32]) -> InputSpec;

    /// Adds everything that examples depend on to a hash.
    fn hash_into(&self, hasher: &mut blake3::Hasher);

    /// What views depend on besides the seed, for the fingerprint; nothing where every view is the example itself.
    fn views(&self) -> Option<String> {
        None
    }

    /// The content of each example, or its hash, to find equal ones; nothing where that is not known of all examples.
    fn contents(&self, _rows: &[u32]) -> Option<Vec<&[u8]>> {
        None
    }

    /// Bytes that so many examples (all of them) take in memory, or would take if they were not read from their files.
    fn n_bytes(&self, n_examples: usize) -> u64;

    /// Whether reading an example costs more than copying it, so that several threads are worth their while.
    fn is_slow_to_read(&self) -> bool;

    /// Writes one example as normalised numbers, `[V]`.
    ///
    /// # Errors
    /// A file that has changed or vanished since the load.
    ///
    /// # Panics
    /// If examples are no numbers: a bug of the caller.
    fn read(&self, wanted: Wanted, input: &InputSpec, out: &mut [f32]) -> Result<(), DataError>;

    /// As [`Modality::read`], where the view may be mixed: then the numbers of both examples are added, each times its share.
    ///
    /// # Errors
    /// As [`Modality::read`].
    fn read_mixed(&self, wanted: Wanted, input: &InputSpec, out: &mut [f32]) -> Result<(), DataError> {
        self.read(wanted, input, out)?;
        if let Some((other, share)) = wanted.other() {
            let mut of_other = vec![0.0; out.len()];
            self.read(other, input, &mut of_other)?;
            out.iter_mut().zip(of_other).for_each(|(value, other)| *value = share * *value + (1.0 - share) * other);
        }
        Ok(())
    }

    /// The inputs of a batch: here `[B, V]`.
    ///
    /// # Errors
    /// As [`Modality::read`].
    fn read_batch(
        &self,
        batch: &[Wanted],
        input: &InputSpec,
        _encoder: Option<&TextEncoder>,
    ) -> Result<Inputs, DataError> {
        let n_values = input.shape.n_values();
        let mut values = vec![0.0; batch.len() * n_values];
        for (wanted, out) in batch.iter().zip(values.chunks_exact_mut(n_values)) {
            self.read_mixed(*wanted, input, out)?;
        }
        Ok(Inputs::Values(values))
    }

    /// An example as people look at it.
    ///
    /// # Errors
    /// As [`Modality::read`].
    fn preview(&self, wanted: Wanted) -> Result<Preview, DataError>;

    /// The file that one example is, where each example is a file of its own.
    fn file(&self, _row: usize) -> Option<&Path> {
        None
    }

    /// The number of the whole that an example was cut out of: its own unless [`Modality::cut`] has cut.
    fn whole(&self, row: usize) -> usize {
        row
    }

    /// Cuts each whole into the examples that it becomes, once wholes are divided into splits; `is_train` says of a whole
    /// whether it is for training. Returns the rows of each whole's examples, or nothing where an example is a whole.
    ///
    /// # Errors
    /// More examples than can be numbered; `path` is for the message alone.
    fn cut(&mut self, _is_train: &dyn Fn(usize) -> bool, _path: &Path) -> Result<Option<Vec<Range<u32>>>, DataError> {
        Ok(None)
    }

    /// Gives back what only the making of the dataset needs.
    fn finish(&mut self) {}
}

/// Applies the constants of the spec in place: `(x / full_scale - mean) / std` for each channel.
pub(crate) fn normalise(input: &InputSpec, full_scale: f32, values: &mut [f32]) {
    for example in values.chunks_exact_mut(input.shape.n_channels()) {
        for ((value, mean), std) in example.iter_mut().zip(&input.mean).zip(&input.std) {
            *value = (*value / full_scale - mean) / std;
        }
    }
}

/// A deviation that can be divided by. Below the threshold a channel is constant up to rounding.
pub(crate) fn deviation(std: f64) -> f64 {
    const CONSTANT_BELOW: f64 = 1e-6;
    if std < CONSTANT_BELOW { 1.0 } else { std }
}
