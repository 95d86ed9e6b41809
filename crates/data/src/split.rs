//! A view of some examples: which rows, their labels, and how one of them becomes numbers.
//!
//! Shapes: `H` height, `W` width, `C` channels, `F` features. Images are read as `[H, W, C]`, features as `[F]`, texts as
//! texts.

use crate::DataError;
use crate::carve::part_of_each_class;
use crate::features::FeatureExamples;
use crate::inputs::{Inputs, TextEncoder};
use crate::mixing::Mixing;
use crate::modality::{Modality, View, Wanted};
use crate::preview::Preview;
use crate::source::Source;
use crate::store::Store;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::{ClassId, ExampleId, InputShape, InputSpec, Seed, ViewId};

/// All examples of one source (a file of training data, say), whatever splits they are in.
pub(crate) struct Pool {
    pub(crate) store: Store,
    pub(crate) classes: Vec<ClassId>,
    /// Rows of the source itself; examples without labels stand behind them.
    pub(crate) n_own: usize,
    /// Names the examples: those of other sources never have the same names.
    pub(crate) source: Source,
}

/// What turns stored values into model inputs.
pub(crate) struct Reading {
    pub(crate) input: InputSpec,
    pub(crate) seed: Seed,
}

/// Some examples of a dataset, in a fixed order. Cheap to clone.
#[derive(Clone)]
pub struct Split {
    pool: Arc<Pool>,
    reading: Arc<Reading>,
    rows: Arc<[u32]>,
    mixing: Option<Mixing>,
    labels: Arc<[ClassId]>,
    n_classes: usize,
}

impl std::fmt::Debug for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Split").field("len", &self.len()).field("n_classes", &self.n_classes).finish_non_exhaustive()
    }
}

impl Split {
    pub(crate) fn new(pool: Arc<Pool>, reading: Arc<Reading>, rows: &[u32], n_classes: usize) -> Self {
        let labels = rows.iter().map(|&row| pool.classes[row as usize]).collect();
        Self { pool, reading, rows: rows.into(), mixing: None, labels, n_classes }
    }

    /// The same examples, of whose views this share is mixed with another of them.
    pub fn mixed(self, share: f64) -> Self {
        Self { mixing: Some(Mixing::new(share, self.rows.clone())), ..self }
    }

    /// Number of examples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no example.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of classes of the dataset, whether or not each occurs here.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Shape and normalisation of one example.
    pub fn input(&self) -> &InputSpec {
        &self.reading.input
    }

    /// The labels in row order.
    pub fn labels(&self) -> &[ClassId] {
        &self.labels
    }

    /// The label of one example.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn label(&self, row: usize) -> ClassId {
        self.labels[row]
    }

    /// The label of a view: that of the example, or none where the view is mixed with another one.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn label_of_view(&self, row: usize, view: Option<ViewId>) -> ClassId {
        if self.wanted(row, view).mixed.is_some() { ClassId::UNKNOWN } else { self.labels[row] }
    }

    /// The name of one example: the same in every split, order and run.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn example_id(&self, row: usize) -> ExampleId {
        self.pool.source.example(self.rows[row] as usize)
    }

    /// The whole that an example is a piece of: windows of one text share a number, other examples have their own. What
    /// is held out must not overlap with the rest, so it is divided by these.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn whole(&self, row: usize) -> u64 {
        self.pool.source.example(self.modality().whole(self.rows[row] as usize)).0
    }

    /// Of an example without a label that was put behind those of the source: the number of its whole among these, from 0 on.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn whole_of_extra(&self, row: usize) -> Option<usize> {
        let (first, row) = (self.pool.n_own, self.rows[row] as usize);
        (row >= first).then(|| self.modality().whole(row) - self.modality().whole(first))
    }

    /// The file that one example is, where each example is a file of its own.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn file(&self, row: usize) -> Option<&Path> {
        self.modality().file(self.rows[row] as usize)
    }

    /// The source that the examples come from, and how many it has in all, whatever splits they are in; examples without labels
    /// that were put behind them are not counted.
    pub fn source(&self) -> (Source, usize) {
        (self.pool.source, self.pool.n_own)
    }

    /// Rows of about this part of each class, one of each at least: seeded, ascending.
    pub fn part_of_each_class(&self, fraction: f64, seed: Seed) -> Vec<usize> {
        let rows = part_of_each_class(&self.labels, self.n_classes, fraction, seed);
        rows.into_iter().map(|row| row as usize).collect()
    }

    /// Bytes that all examples of the source take in memory, or would take if images were not read from their files.
    pub fn source_bytes(&self) -> u64 {
        let classes = &self.pool.classes[..];
        self.modality().n_bytes(classes.len()) + size_of_val(classes) as u64
    }

    /// The examples at the given rows, in the given order.
    ///
    /// # Panics
    /// If a row is not below [`Split::len`].
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows: Vec<u32> = rows.iter().map(|&row| self.rows[row]).collect();
        let selected = Self::new(self.pool.clone(), self.reading.clone(), &rows, self.n_classes);
        Self { mixing: self.mixing.clone(), ..selected }
    }

    /// The same examples and labels with other inputs, `[N, F]`: what a frozen body makes of them. They have no views
    /// and are named by their rows.
    ///
    /// # Panics
    /// If there is not one row of `n_features` values for each example.
    pub fn with_features(&self, values: Vec<f32>, n_features: usize) -> Self {
        assert_eq!(values.len(), self.len() * n_features, "one row of features for each example");
        let classes = self.labels.to_vec();
        let store = Store::Features(FeatureExamples { values, n_features, offset: Vec::new() });
        let input = InputSpec::new(InputShape::Features { n_features }, vec![0.0; n_features], vec![1.0; n_features]);
        let reading = Reading { input, seed: self.reading.seed };
        let rows: Vec<u32> = (0..self.len() as u32).collect();
        let pool = Pool { store, n_own: classes.len(), classes, source: Source::Train };
        Self::new(Arc::new(pool), Arc::new(reading), &rows, self.n_classes)
    }

    /// Writes one example as numbers, `(x / 255 - mean) / std` for images and `(x - offset - mean) / std` for features; with a view,
    /// it is augmented first, as a pure function of the dataset's seed, the example and the view.
    ///
    /// # Errors
    /// A file that has changed or vanished since the load. Examples in memory never fail.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`], `out` is not as long as one example, or the examples are texts.
    pub fn read(&self, row: usize, view: Option<ViewId>, out: &mut [f32]) -> Result<(), DataError> {
        assert_eq!(out.len(), self.input().shape.n_values(), "one example");
        self.modality().read_mixed(self.wanted(row, view), self.input(), out)
    }

    /// Whether the examples are texts, to be read by [`Split::read_text`].
    pub fn is_text(&self) -> bool {
        self.pool.store.texts().is_some()
    }

    /// One example of a split of texts; with a view, a pure function of the dataset's seed, the example and the view.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`], or the examples are no texts.
    pub fn read_text(&self, row: usize, view: Option<ViewId>) -> Cow<'_, str> {
        self.pool.store.texts().expect("only texts are read as texts").text(self.wanted(row, view))
    }

    /// The inputs of some rows and views: numbers as [`Split::read`] writes them, or the ids that `encoder` makes of texts.
    ///
    /// # Errors
    /// As [`Split::read`]; texts of more than `u32::MAX` ids in all.
    ///
    /// # Panics
    /// If a row is not below [`Split::len`], or texts come without an encoder.
    pub fn inputs(&self, plan: &[(usize, Option<ViewId>)], encoder: Option<&TextEncoder>) -> Result<Inputs, DataError> {
        let batch: Vec<Wanted> = plan.iter().map(|&(row, view)| self.wanted(row, view)).collect();
        self.modality().read_batch(&batch, self.input(), encoder)
    }

    /// An example as people look at it: an image as it is stored, decoded and resized, or a text or one of its views.
    ///
    /// # Errors
    /// As [`Split::read`].
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn preview(&self, row: usize, view: Option<ViewId>) -> Result<Preview, DataError> {
        self.modality().preview(self.wanted(row, view))
    }

    /// Whether reading an example costs more than copying it, so that several threads are worth their while.
    pub(crate) fn is_slow_to_read(&self) -> bool {
        self.modality().is_slow_to_read()
    }

    fn modality(&self) -> &dyn Modality {
        self.pool.store.modality()
    }

    fn wanted(&self, row: usize, view: Option<ViewId>) -> Wanted {
        let (seed, example) = (self.reading.seed, self.example_id(row));
        let view = view.map(|view| View { seed, example, view });
        let mixed = self.mixing.as_ref().zip(view).and_then(|(mixing, view)| mixing.of(view, self.pool.source));
        Wanted { row: self.rows[row] as usize, view, mixed }
    }
}
