//! The keys of `kind = "glyphs"`.

use super::GlyphGenerator;
use crate::augment::AugmentConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Seed;

/// Fewest and most classes of an alphabet.
pub(super) const N_CLASSES: std::ops::RangeInclusive<usize> = 10..=20_000;
/// Test examples are numbered from here on, beyond any training set.
pub(super) const FIRST_TEST_INDEX: u64 = 1 << 32;

/// Stroke-drawn characters made by this program: any number of classes in families of confusable ones, 28 by 28,
/// grey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What is wrong with the values, one message for each, naming the key; empty when all is well.
    pub fn validate(&self) -> Vec<String> {
        let mut messages = Vec::new();
        let mut require = |holds: bool, message: String| {
            if !holds {
                messages.push(message);
            }
        };
        let (least, most) = (N_CLASSES.start(), N_CLASSES.end());
        let n_classes = self.n_classes;
        require(
            N_CLASSES.contains(&n_classes),
            format!("n_classes: must lie between {least} and {most}, found {n_classes}"),
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
