//! A view of some examples: which rows, their labels, and how one of them becomes numbers.
//!
//! Shapes: `H` height, `W` width, `C` channels, `F` features. Images are read as `[H, W, C]`, features as `[F]`, texts as
//! texts.

use crate::DataError;
use crate::assemble::{Source, Views};
use crate::augment::AugmentConfig;
use crate::inputs::{IdRows, Inputs, TextEncoder};
use crate::store::{FeatureStore, RawImage, Store};
use std::borrow::Cow;
use std::sync::Arc;
use stillhouse_core::{ClassId, ExampleId, InputShape, InputSpec, Seed, ViewId};

/// Largest value of a stored pixel; a pixel is scaled to `0..=1` before it is normalised.
pub(crate) const PIXEL_MAX: f32 = 255.0;

/// All examples of one source (a file of training data, say), whatever splits they are in.
pub(crate) struct Pool {
    pub(crate) store: Store,
    pub(crate) classes: Vec<ClassId>,
    /// Name of row 0; pools of one dataset keep so far apart that their examples never share a name.
    pub(crate) first_id: u64,
}

/// What turns stored values into model inputs.
pub(crate) struct Reading {
    pub(crate) input: InputSpec,
    pub(crate) views: Views,
    pub(crate) seed: Seed,
}

/// Some examples of a dataset, in a fixed order. Cheap to clone.
#[derive(Clone)]
pub struct Split {
    pool: Arc<Pool>,
    reading: Arc<Reading>,
    rows: Arc<[u32]>,
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
        Self { pool, reading, rows: rows.into(), labels, n_classes }
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

    /// The name of one example: the same in every split, order and run.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn example_id(&self, row: usize) -> ExampleId {
        ExampleId(self.pool.first_id + u64::from(self.rows[row]))
    }

    /// The whole that an example is a piece of: windows of one text share a number, other examples have their own. What
    /// is held out must not overlap with the rest, so it is divided by these.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn whole(&self, row: usize) -> u64 {
        let stored_row = self.rows[row] as usize;
        let within = match &self.pool.store {
            Store::Texts(texts) => texts.text_of(stored_row),
            Store::Images(_) | Store::Features(_) => stored_row,
        };
        self.pool.first_id + within as u64
    }

    /// The source that the examples come from, and how many it has in all, whatever splits they are in.
    pub fn source(&self) -> (Source, usize) {
        let (source, _) = Source::of(ExampleId(self.pool.first_id));
        (source, self.pool.classes.len())
    }

    /// Bytes that all examples of the source take in memory, or would take if images were not read from their files.
    pub fn source_bytes(&self) -> u64 {
        let n_labels = self.pool.classes.len() as u64;
        let of_examples = match &self.pool.store {
            Store::Texts(texts) => texts.bytes() as u64,
            Store::Features(features) => size_of_val(&features.values[..]) as u64,
            Store::Images(_) => n_labels * self.input().shape.n_values() as u64,
        };
        of_examples + n_labels * size_of::<ClassId>() as u64
    }

    /// The examples at the given rows, in the given order.
    ///
    /// # Panics
    /// If a row is not below [`Split::len`].
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows: Vec<u32> = rows.iter().map(|&row| self.rows[row]).collect();
        Self::new(self.pool.clone(), self.reading.clone(), &rows, self.n_classes)
    }

    /// The same examples and labels with other inputs, `[N, F]`: what a frozen body makes of them. They have no views
    /// and are named by their rows.
    ///
    /// # Panics
    /// If there is not one row of `n_features` values for each example.
    pub fn with_features(&self, values: Vec<f32>, n_features: usize) -> Self {
        assert_eq!(values.len(), self.len() * n_features, "one row of features for each example");
        let classes = self.labels.to_vec();
        let store = Store::Features(FeatureStore { values, n_features });
        let input = InputSpec {
            shape: InputShape::Features { n_features },
            mean: vec![0.0; n_features],
            std: vec![1.0; n_features],
        };
        let reading = Reading { input, views: Views::Images(AugmentConfig::default()), seed: self.reading.seed };
        let rows: Vec<u32> = (0..self.len() as u32).collect();
        Self::new(Arc::new(Pool { store, classes, first_id: 0 }), Arc::new(reading), &rows, self.n_classes)
    }

    /// Writes one example, `(x / 255 - mean) / std` for images and `(x - mean) / std` for features; with a view, the
    /// image is augmented first, as a pure function of the dataset's seed, the example and the view.
    ///
    /// # Errors
    /// A file that has changed or vanished since the load. Examples in memory never fail.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`], `out` is not as long as one example, or the examples are texts.
    pub fn read(&self, row: usize, view: Option<ViewId>, out: &mut [f32]) -> Result<(), DataError> {
        assert_eq!(out.len(), self.input().shape.n_values(), "one example");
        let stored_row = self.rows[row] as usize;
        match &self.pool.store {
            Store::Texts(_) => panic!("texts are read by `read_text`"),
            Store::Features(features) => out.copy_from_slice(features.row(stored_row)),
            Store::Images(images) => {
                let pixels = images.pixels(stored_row)?;
                match view {
                    Some(view) => self.augment(&pixels, self.example_id(row), view, out),
                    None => pixels.iter().zip(out.iter_mut()).for_each(|(&pixel, value)| *value = f32::from(pixel)),
                }
            }
        }
        normalise(self.input(), out);
        Ok(())
    }

    /// Whether the examples are texts, to be read by [`Split::read_text`].
    pub fn is_text(&self) -> bool {
        matches!(self.pool.store, Store::Texts(_))
    }

    /// One example of a split of texts; with a view, a pure function of the dataset's seed, the example and the view.
    ///
    /// # Panics
    /// If the row is not below [`Split::len`], or the examples are no texts.
    pub fn read_text(&self, row: usize, view: Option<ViewId>) -> Cow<'_, str> {
        let (Store::Texts(texts), Views::Texts(augment)) = (&self.pool.store, &self.reading.views) else {
            panic!("only texts are read as texts")
        };
        let (text, example) = texts.surroundings(self.rows[row] as usize);
        match view {
            Some(view) if !augment.is_none() => {
                Cow::Owned(augment.apply(text, example, self.stream(self.example_id(row), view)))
            }
            _ => Cow::Borrowed(&text[example]),
        }
    }

    /// The inputs of some rows and views: numbers as [`Split::read`] writes them, or the ids that `encoder` makes of texts.
    ///
    /// # Errors
    /// As [`Split::read`]; texts of more than `u32::MAX` ids in all.
    ///
    /// # Panics
    /// If a row is not below [`Split::len`], or texts come without an encoder.
    pub fn inputs(&self, plan: &[(usize, Option<ViewId>)], encoder: Option<&TextEncoder>) -> Result<Inputs, DataError> {
        if self.is_text() {
            let encoder = encoder.expect("texts are read with an encoder");
            let mut ids = IdRows::default();
            plan.iter().try_for_each(|&(row, view)| ids.push(&self.read_text(row, view), encoder))?;
            return Ok(Inputs::Ids(ids));
        }
        let n_values = self.input().shape.n_values();
        let mut values = vec![0.0; plan.len() * n_values];
        for (&(row, view), out) in plan.iter().zip(values.chunks_exact_mut(n_values)) {
            self.read(row, view, out)?;
        }
        Ok(Inputs::Values(values))
    }

    /// An image as it is stored: decoded and resized, neither augmented nor normalised; `None` for features and texts.
    ///
    /// # Errors
    /// As [`Split::read`].
    ///
    /// # Panics
    /// If the row is not below [`Split::len`].
    pub fn raw_image(&self, row: usize) -> Result<Option<RawImage>, DataError> {
        match &self.pool.store {
            Store::Features(_) | Store::Texts(_) => Ok(None),
            Store::Images(images) => images.raw(self.rows[row] as usize).map(Some),
        }
    }

    /// Whether reading an example costs more than copying it, so that several threads are worth their while.
    pub(crate) fn is_slow_to_read(&self) -> bool {
        let augmented = !self.reading.views.is_none();
        match &self.pool.store {
            Store::Features(_) => false,
            Store::Texts(_) => true,
            Store::Images(images) => augmented || !images.is_resident(),
        }
    }

    fn augment(&self, pixels: &[u8], example: ExampleId, view: ViewId, out: &mut [f32]) {
        let InputShape::Image { channels, height, width } = self.input().shape else {
            unreachable!("an image store comes with an image shape")
        };
        let Views::Images(augment) = &self.reading.views else { unreachable!("views of images come with images") };
        augment.apply(pixels, height, width, channels, self.stream(example, view), out);
    }

    fn stream(&self, example: ExampleId, view: ViewId) -> Seed {
        self.reading.seed.derive("augment", example.0).derive("view", u64::from(view.0))
    }
}

/// Applies the constants of the spec in place; image values come as `0..=255`.
pub(crate) fn normalise(input: &InputSpec, values: &mut [f32]) {
    let full_scale = match input.shape {
        InputShape::Image { .. } => PIXEL_MAX,
        InputShape::Features { .. } => 1.0,
        InputShape::Text {} | InputShape::Tokens { .. } => return,
    };
    for example in values.chunks_exact_mut(input.shape.n_channels()) {
        for ((value, mean), std) in example.iter_mut().zip(&input.mean).zip(&input.std) {
            *value = (*value / full_scale - mean) / std;
        }
    }
}
