//! The keys of `kind = "glyphs"`.

use super::GlyphGenerator;
use crate::augment::AugmentConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Problem, Seed, check_values};

/// Fewest classes of an alphabet.
const MIN_CLASSES: usize = 10;
/// Most classes of an alphabet.
pub(super) const MAX_CLASSES: usize = 20_000;
/// Test examples are numbered from here on, beyond any training set.
pub(super) const FIRST_TEST_INDEX: u64 = 1 << 32;

/// Stroke-drawn characters made by this program: any number of classes in families of confusable ones, 28 by 28,
/// grey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

fn default_valid_fraction() -> f64 {
    0.1
}

impl Default for GlyphsConfig {
    fn default() -> Self {
        Self {
            n_classes: default_n_classes(),
            train_per_class: default_train_per_class(),
            test_per_class: default_test_per_class(),
            difficulty: default_difficulty(),
            seed: 0,
            valid_fraction: default_valid_fraction(),
            augment: AugmentConfig::default(),
        }
    }
}

impl GlyphsConfig {
    /// Everything out of range.
    pub fn validate(&self) -> Vec<Problem> {
        check_values(self)
    }

    /// The generator of this alphabet.
    pub fn generator(&self) -> GlyphGenerator {
        GlyphGenerator::new(self.n_classes, self.difficulty, Seed(self.seed))
    }

    /// The index that the generator knows the `i`-th training example of a class by.
    pub fn train_index(i: usize) -> u64 {
        i as u64
    }

    /// The index that the generator knows the `i`-th test example of a class by: never one of training.
    pub fn test_index(i: usize) -> u64 {
        FIRST_TEST_INDEX + i as u64
    }
}
