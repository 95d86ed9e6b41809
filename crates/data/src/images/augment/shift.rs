//! Shift: the image moved by whole pixels.

use super::source::Source;
use crate::images::pixels::PixelValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Draws, Seed};

/// The largest move that makes sense for any image this program reads.
const MAX_SHIFT: usize = 256;

/// Moved by a whole number of pixels in each direction, uniform over the square.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShiftConfig {
    /// Largest move in pixels, in each direction; the paper's MNIST experiments jitter by 2.
    #[serde(default = "default_max_pixels")]
    #[schemars(range(max = MAX_SHIFT))]
    pub max_pixels: usize,
}

fn default_max_pixels() -> usize {
    2
}

impl Default for ShiftConfig {
    fn default() -> Self {
        Self { max_pixels: default_max_pixels() }
    }
}

impl ShiftConfig {
    pub(super) fn apply<P: PixelValue>(&self, source: &Source<'_, P>, stream: Seed, out: &mut [f32]) {
        let mut draws = Draws::new(stream);
        let (dx, dy) = (draw_move(&mut draws, self.max_pixels), draw_move(&mut draws, self.max_pixels));
        source.write_shifted(dx, dy, out);
    }
}

/// A whole number in `-max..=max`.
pub(super) fn draw_move(draws: &mut Draws, max: usize) -> isize {
    draws.below(2 * max + 1) as isize - max as isize
}
