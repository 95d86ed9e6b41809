//! The generator of glyphs as a dataset. It reads no file.
//!
//! | drawn | refused, as wrong config | noted |
//! |---|---|---|
//! | all examples, from the keys alone: the same keys give the same pixels | keys out of their range | nothing |

use super::kind::DataKind;
use crate::found::{Found, Part};
use crate::images::{AugmentConfig, ImageExamples, Loading, Pixels, Target, digest_all};
use crate::outline::Outline;
use crate::settings::default_valid_fraction;
use crate::store::Store;
use crate::unlabelled::Purpose;
use crate::{DataError, LoadContext, ProgressUnit};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::{ClassId, InputShape, Problem, Seed};
use stillhouse_glyphs::{GlyphGenerator, MAX_CLASSES, SIDE};

/// Glyphs that are hashed and measured; they hold all classes alike, and drawing is a pure function of the rest.
const N_MEASURED: usize = 20_000;
/// Glyphs drawn between two checks for an interruption.
const CHUNK: usize = 1_024;

/// Most examples of a split: a typing error beyond it.
const MAX_EXAMPLES: usize = 1 << 28;
/// Fewest classes of an alphabet.
const MIN_CLASSES: usize = 10;
/// Test examples are numbered from here on, beyond any training set, so that no writer is in both.
const FIRST_TEST_INDEX: u64 = 1 << 32;

/// Examples without labels are numbered from here on, for the same reason.
const FIRST_TRANSFER_INDEX: u64 = 1 << 33;

/// Stroke-drawn characters made by this program: any number of classes in families of confusable ones, 28 by 28,
/// grey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GlyphsConfig {
    /// Number of classes, 10 to 20000. A smaller alphabet is the beginning of a larger one.
    #[serde(default = "default_n_classes")]
    #[schemars(range(min = MIN_CLASSES, max = MAX_CLASSES))]
    pub n_classes: usize,
    /// Training examples of each class, before validation examples are taken from them.
    #[serde(default = "default_train_per_class")]
    #[schemars(range(min = 1, max = FIRST_TEST_INDEX - 1))]
    pub train_per_class: usize,
    /// Test examples of each class, by writers of their own.
    #[serde(default = "default_test_per_class")]
    #[schemars(range(min = 1, max = FIRST_TEST_INDEX - 1))]
    pub test_per_class: usize,
    /// How much handwriting varies: 0 almost not at all, 0.5 like careful people, 1 hard for people to read.
    #[serde(default = "default_difficulty")]
    #[schemars(range(min = 0, max = 1))]
    pub difficulty: f64,
    /// Seed of the alphabet and its examples; independent of the run's seed.
    #[serde(default)]
    pub seed: u64,
    /// Part of the training examples that becomes the validation split, stratified by class.
    #[serde(default = "default_valid_fraction")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub valid_fraction: f64,
    /// Part of each class's training examples that keep their labels, all of them by default. The others become examples without
    /// labels: teachers do not see them, and students learn what teachers say about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub labelled_fraction: Option<f64>,
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
    fn generator(&self) -> GlyphGenerator {
        GlyphGenerator::new(self.n_classes, self.difficulty, Seed(self.seed))
    }

    fn classes(&self) -> impl Iterator<Item = ClassId> {
        (0..self.n_classes as u32).map(ClassId)
    }
}

impl DataKind for GlyphsConfig {
    /// The class of every example is held in memory, also where examples are drawn when they are read.
    fn contradictions(&self) -> Vec<Problem> {
        let parts = [("train_per_class", self.train_per_class), ("test_per_class", self.test_per_class)];
        let is_too_many = |per_class: usize| per_class.checked_mul(self.n_classes).is_none_or(|n| n > MAX_EXAMPLES);
        let refused = parts.into_iter().filter(|(_, per_class)| is_too_many(*per_class));
        let problem = |(key, per_class): (&str, usize)| {
            let text =
                format!("{} classes of {per_class} examples, expected at most {MAX_EXAMPLES} examples", self.n_classes);
            Problem::new(key, text)
        };
        refused.map(problem).collect()
    }

    fn is_augmented(&self) -> bool {
        !self.augment.is_none()
    }

    fn given_input(&self) -> Option<InputShape> {
        Some(InputShape::Image { channels: 1, height: SIDE, width: SIDE })
    }

    fn unlabelled_keys(&self) -> &'static [&'static str] {
        &["per_class"]
    }

    /// Everything is known from the settings.
    fn outline(&self, _context: &LoadContext<'_>) -> Result<Outline, DataError> {
        let generator = self.generator();
        let labels = self.classes().map(|class| generator.label(class)).collect();
        Ok(Outline { input: self.given_input(), labels: Some(labels), notes: Vec::new() })
    }

    /// Glyphs without labels: of the classes by writers who are in no split, or of as many further characters, as far as there
    /// are any.
    ///
    /// # Errors
    /// No further character, more glyphs than fit into one source; an interruption.
    fn draw_unlabelled(
        &self,
        per_class: usize,
        purpose: Purpose,
        context: &LoadContext<'_>,
    ) -> Result<Store, DataError> {
        let (first_class, n_classes, first_index) = match purpose {
            Purpose::Transfer => (0, self.n_classes, FIRST_TRANSFER_INDEX),
            Purpose::OutOfScope => (self.n_classes, self.n_classes.min(MAX_CLASSES - self.n_classes), FIRST_TEST_INDEX),
        };
        let refused = |found: String, expected: String| Err(DataError::invalid(Path::new("glyphs"), found, expected));
        if n_classes == 0 {
            return refused(format!("all {MAX_CLASSES} characters as classes"), "some that are of no class".to_owned());
        }
        let n_rows = match per_class.checked_mul(n_classes).filter(|n_rows| *n_rows <= MAX_EXAMPLES) {
            Some(n_rows) => n_rows,
            None => {
                let found = format!("{n_classes} characters of {per_class} examples without labels");
                return refused(found, format!("at most {MAX_EXAMPLES} examples"));
            }
        };
        let generator = Arc::new(GlyphGenerator::new(first_class + n_classes, self.difficulty, Seed(self.seed)));
        let glyphs = DrawnGlyphs { generator, first_class, n_classes, first_index };
        let mut loading = Loading::new(&self.augment, None, context);
        let what = format!("drawing {}", purpose.describe("glyph"));
        Ok(Store::Images(draw(glyphs, n_rows, &what, &mut loading, context)?))
    }

    fn read(&self, context: &LoadContext<'_>) -> Result<Found, DataError> {
        let mut loading = Loading::new(&self.augment, None, context);
        let generator = Arc::new(self.generator());
        let mut part = |per_class: usize, first_index: u64, what: &str| {
            let (first_class, n_classes) = (0, self.n_classes);
            let glyphs = DrawnGlyphs { generator: generator.clone(), first_class, n_classes, first_index };
            let n_rows = per_class * n_classes;
            let classes = (0..n_rows).map(|row| glyphs.class(row)).collect();
            Ok::<_, DataError>(Part {
                store: Store::Images(draw(glyphs, n_rows, what, &mut loading, context)?),
                classes,
            })
        };
        let train = part(self.train_per_class, 0, "drawing training glyphs")?;
        let test = part(self.test_per_class, FIRST_TEST_INDEX, "drawing test glyphs")?;
        Ok(Found {
            name: format!("glyphs-{}", self.n_classes),
            path: "glyphs".into(),
            labels: self.classes().map(|class| generator.label(class)).collect(),
            train,
            valid: None,
            test: Some(test),
            valid_fraction: self.valid_fraction,
            labelled_fraction: self.labelled_fraction,
            provenance: vec![("generator".to_owned(), format!("glyphs, seed {}", self.seed))],
            salt: format!("glyphs {} {} {:?}", self.n_classes, self.seed, self.difficulty),
        })
    }
}

/// Glyphs that are drawn when they are asked for; rows run through the classes first.
struct DrawnGlyphs {
    generator: Arc<GlyphGenerator>,
    first_class: usize,
    n_classes: usize,
    first_index: u64,
}

impl DrawnGlyphs {
    /// The class of a row: neighbours differ, so that any stretch of rows holds all classes alike.
    fn class(&self, row: usize) -> ClassId {
        ClassId((self.first_class + row % self.n_classes) as u32)
    }

    fn draw(&self, row: usize, out: &mut [u8]) {
        self.generator.render(self.class(row), self.first_index + (row / self.n_classes) as u64, out);
    }
}

/// Draws all glyphs now where they fit into memory; otherwise each when it is asked for.
fn draw(
    glyphs: DrawnGlyphs,
    n_rows: usize,
    what: &str,
    loading: &mut Loading<'_>,
    context: &LoadContext<'_>,
) -> Result<ImageExamples, DataError> {
    let target = Target { height: SIDE, width: SIDE, channels: 1 };
    let n_bytes = target.n_values();
    let stays = loading.take(n_rows * n_bytes);
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
    let digests = digest_all(&pixels[..n_measured * n_bytes], n_bytes, 1);
    let pixels = if stays {
        Pixels::Resident(pixels)
    } else {
        Pixels::Drawn { n_images: n_rows, draw: Box::new(move |row, out| glyphs.draw(row, out)) }
    };
    Ok(ImageExamples::opaque(target, pixels, digests, loading.augment.clone()))
}
