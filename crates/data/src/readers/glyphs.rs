//! The generator of glyphs as a dataset.

use crate::assemble::{Found, Part, Views, assemble};
use crate::augment::AugmentConfig;
use crate::config::default_valid_fraction;
use crate::decode::Target;
use crate::digest::{RowDigest, digest_all};
use crate::images::MemoryBudget;
use crate::outline::Outline;
use crate::store::{DrawnGlyphs, ImageStore, Pixels, Store};
use crate::{DataError, Dataset, LoadContext, ProgressUnit};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use stillhouse_core::{ClassId, InputShape, Seed};
use stillhouse_glyphs::{GlyphGenerator, MAX_CLASSES, SIDE};

/// Glyphs that are hashed and measured; they hold all classes alike, and drawing is a pure function of the rest.
const N_MEASURED: usize = 20_000;
/// Glyphs drawn between two looks at the interruption.
const CHUNK: usize = 1_024;

/// Fewest classes of an alphabet.
const MIN_CLASSES: usize = 10;
/// Test examples are numbered from here on, beyond any training set, so that no writer is in both.
const FIRST_TEST_INDEX: u64 = 1 << 32;

/// Stroke-drawn characters made by this program: any number of classes in families of confusable ones, 28 by 28,
/// grey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GlyphsConfig {
    /// Number of classes, 10 to 20000. A smaller alphabet is the beginning of a larger one.
    #[serde(default = "default_n_classes")]
    pub n_classes: usize,
    /// Training examples of each class, before validation examples are taken from them.
    #[serde(default = "default_train_per_class")]
    pub train_per_class: usize,
    /// Test examples of each class, by writers of their own.
    #[serde(default = "default_test_per_class")]
    pub test_per_class: usize,
    /// How much handwriting varies: 0 almost not at all, 0.5 like careful people, 1 hard for people to read.
    #[serde(default = "default_difficulty")]
    pub difficulty: f64,
    /// Seed of the alphabet and its examples; independent of the run's seed.
    #[serde(default)]
    pub seed: u64,
    /// Part of the training examples that becomes the validation split, stratified by class.
    #[serde(default = "default_valid_fraction")]
    pub valid_fraction: f64,
    /// How training images are varied from view to view.
    #[serde(default)]
    pub augment: AugmentConfig,
}

fn default_n_classes() -> usize {
    100
}

fn default_train_per_class() -> usize {
    60
}

fn default_test_per_class() -> usize {
    20
}

fn default_difficulty() -> f64 {
    0.5
}

impl GlyphsConfig {
    /// What is wrong with the values, one message for each, naming the key; empty when all is well.
    pub(crate) fn validate(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut require = |holds: bool, message: String| {
            if !holds {
                messages.push(message);
            }
        };
        let n_classes = self.n_classes;
        require(
            (MIN_CLASSES..=MAX_CLASSES).contains(&n_classes),
            format!("n_classes: must lie between {MIN_CLASSES} and {MAX_CLASSES}, found {n_classes}"),
        );
        for (key, per_class) in [("train_per_class", self.train_per_class), ("test_per_class", self.test_per_class)] {
            let fits = per_class >= 1 && (per_class as u64) < FIRST_TEST_INDEX;
            require(fits, format!("{key}: must be at least 1 and below 2^32, found {per_class}"));
        }
        let difficulty = self.difficulty;
        require((0.0..=1.0).contains(&difficulty), format!("difficulty: must lie between 0 and 1, found {difficulty}"));
        let fraction = self.valid_fraction;
        require(
            (0.0..1.0).contains(&fraction),
            format!("valid_fraction: must be at least 0 and below 1, found {fraction}"),
        );
        messages.extend(self.augment.validate());
        messages
    }

    fn generator(&self) -> GlyphGenerator {
        GlyphGenerator::new(self.n_classes, self.difficulty, Seed(self.seed))
    }
}

pub(crate) fn load(config: &GlyphsConfig, context: &LoadContext) -> Result<Dataset, DataError> {
    let mut budget = MemoryBudget::new(context);
    let generator = Arc::new(config.generator());
    let mut part = |per_class: usize, first_index: u64, what: &str| {
        let glyphs = DrawnGlyphs { generator: generator.clone(), n_classes: config.n_classes, first_index };
        draw(glyphs, per_class * config.n_classes, what, &mut budget, context)
    };
    let train = part(config.train_per_class, 0, "drawing training glyphs")?;
    let test = part(config.test_per_class, FIRST_TEST_INDEX, "drawing test glyphs")?;
    let classes = || (0..config.n_classes as u32).map(ClassId);
    let found = Found {
        name: format!("glyphs-{}", config.n_classes),
        path: "glyphs".into(),
        labels: classes().map(|class| generator.label(class)).collect(),
        train,
        valid: None,
        test: Some(test),
        provenance: vec![("generator".to_owned(), format!("glyphs, seed {}", config.seed))],
        salt: format!("glyphs {} {} {:?}", config.n_classes, config.seed, config.difficulty),
        windows: None,
    };
    assemble(found, config.valid_fraction, Views::Images(config.augment.clone()), context)
}

/// Everything is known from the settings.
pub(crate) fn outline(config: &GlyphsConfig) -> Outline {
    let generator = config.generator();
    let labels = (0..config.n_classes as u32).map(|class| generator.label(ClassId(class))).collect();
    Outline::whole(InputShape::Image { channels: 1, height: SIDE, width: SIDE }, labels)
}

/// Draws all glyphs now where they fit into memory; otherwise each when it is asked for.
fn draw(
    glyphs: DrawnGlyphs,
    n_rows: usize,
    what: &str,
    budget: &mut MemoryBudget,
    context: &LoadContext,
) -> Result<Part, DataError> {
    let target = Target { height: SIDE, width: SIDE, channels: 1 };
    let n_bytes = target.n_bytes();
    let classes = (0..n_rows).map(|row| glyphs.class(row)).collect();
    let stays = budget.take((n_rows * n_bytes) as u64);
    let n_drawn = if stays { n_rows } else { n_rows.min(N_MEASURED) };
    context.progress.start(what, Some(n_drawn as u64), ProgressUnit::Examples);
    let mut pixels = vec![0; n_drawn * n_bytes];
    pixels.par_chunks_mut(CHUNK * n_bytes).enumerate().try_for_each(|(chunk, out)| {
        context.check_interrupted()?;
        for (offset, image) in out.chunks_exact_mut(n_bytes).enumerate() {
            glyphs.draw(chunk * CHUNK + offset, image);
        }
        context.progress.advance((out.len() / n_bytes) as u64);
        Ok::<(), DataError>(())
    })?;
    context.progress.finish();
    let n_measured = n_drawn.min(N_MEASURED);
    let digests: Vec<RowDigest> = digest_all(&pixels[..n_measured * n_bytes], n_bytes, 1);
    let pixels = if stays { Pixels::Resident(pixels) } else { Pixels::Drawn(glyphs) };
    Ok(Part { store: Store::Images(ImageStore { target, pixels }), classes, digests })
}
