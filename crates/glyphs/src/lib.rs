//! A generator of handwriting: stroke-drawn characters, 28 by 28 pixels, grey, ink 255 on 0.
//!
//! A class is a composition of radicals (small stroke sets) in a layout: side by side, stacked, framed. The classes of
//! a **family** share composition and layout and differ in one stroke, added, removed, moved or reshaped, so that an
//! alphabet has natural clusters of confusable classes. No two classes are alike: each differs from every other by at
//! least a fixed amount of ink, whatever the seed.
//!
//! An example is a pure function of (seed, class, index): example `index` of every class comes from the same writer,
//! and training and test examples have different writers. Nothing is stored; examples are unlimited.
//!
//! **Absent on purpose:** files, splits and augmentation; `stillhouse-data` makes a dataset of the examples.
//!
//! Shape letters: pictures are `[28, 28]`, row by row.

#![forbid(unsafe_code)]

mod alphabet;
mod distinct;
mod hand;
mod layout;
mod radicals;
mod raster;
mod stroke;
mod variant;

use alphabet::Alphabet;
use stillhouse_core::{ClassId, Seed};

/// Most classes of an alphabet.
pub const MAX_CLASSES: usize = 20_000;
/// Pixels along a side of a glyph's picture.
pub const SIDE: usize = 28;
/// Pixels of a glyph's picture.
pub const PIXELS: usize = SIDE * SIDE;

/// An alphabet and the hands that write it.
///
/// ```
/// use stillhouse_core::{ClassId, Seed};
/// use stillhouse_glyphs::GlyphGenerator;
/// let generator = GlyphGenerator::new(10, 0.5, Seed(0));
/// let mut pixels = [0; 784];
/// generator.render(ClassId(3), 17, &mut pixels);
/// assert_eq!(generator.family(ClassId(3)), generator.family(ClassId(0)));
/// ```
pub struct GlyphGenerator {
    alphabet: Alphabet,
    difficulty: f32,
    writers: Seed,
    examples: Seed,
}

impl GlyphGenerator {
    /// Designs `n_classes` classes; the first ones are the same for any larger number and for any difficulty.
    /// A difficulty outside `0..=1` counts as the nearer end.
    ///
    /// # Panics
    /// If there are more than [`MAX_CLASSES`].
    pub fn new(n_classes: usize, difficulty: f64, seed: Seed) -> Self {
        assert!(n_classes <= MAX_CLASSES, "{n_classes} classes, expected at most {MAX_CLASSES}");
        Self {
            alphabet: Alphabet::new(n_classes, seed),
            difficulty: difficulty.clamp(0.0, 1.0) as f32,
            writers: seed.derive("writers", 0),
            examples: seed.derive("examples", 0),
        }
    }

    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.alphabet.n_classes()
    }

    /// Draws example `index` of a class into `out`, `[28, 28]`, ink up to 255 on 0. No memory is allocated.
    ///
    /// # Panics
    /// If the class does not exist or `out` has not 784 bytes: a bug of the caller.
    pub fn render(&self, class: ClassId, index: u64, out: &mut [u8]) {
        assert_eq!(out.len(), PIXELS, "a glyph has {PIXELS} pixels");
        let writer = self.writers.derive("writer", index);
        let example = self.examples.derive("class", u64::from(class.0)).derive("example", index);
        hand::render(self.alphabet.strokes(class.index()), writer, example, self.difficulty, out);
    }

    /// Draws a class as it was designed, without any variation; otherwise as [`Self::render`].
    ///
    /// # Panics
    /// If the class does not exist or `out` has not 784 bytes: a bug of the caller.
    pub fn render_clean(&self, class: ClassId, out: &mut [u8]) {
        assert_eq!(out.len(), PIXELS, "a glyph has {PIXELS} pixels");
        hand::render_clean(self.alphabet.strokes(class.index()), out);
    }

    /// A unique, pronounceable name: the syllables of the family's radicals and the place in the family, `ka-no.2`.
    ///
    /// # Panics
    /// If the class does not exist.
    pub fn label(&self, class: ClassId) -> String {
        self.alphabet.label(class.index())
    }

    /// The family of a class; families are numbered in the order of their classes.
    ///
    /// # Panics
    /// If the class does not exist.
    pub fn family(&self, class: ClassId) -> usize {
        self.alphabet.family(class.index())
    }
}

#[cfg(test)]
mod tests;
