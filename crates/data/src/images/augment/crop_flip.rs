//! Crop and flip: a window of the image's size out of the zero-padded image, perhaps mirrored.

use super::shift::draw_move;
use super::source::Source;
use crate::images::pixels::PixelValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::{Draws, Seed};

/// The widest padding that makes sense for any image this program reads.
const MAX_PADDING: usize = 256;

/// A random crop of the padded image, mirrored left to right half of the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CropFlipConfig {
    /// Zero pixels added on every side before cropping to the original size.
    #[serde(default = "default_padding")]
    #[schemars(range(max = MAX_PADDING))]
    pub padding: usize,
    /// Whether half of the views are mirrored left to right. Not for characters and digits.
    #[serde(default = "default_flip")]
    pub flip: bool,
}

fn default_padding() -> usize {
    4
}

fn default_flip() -> bool {
    true
}

impl Default for CropFlipConfig {
    fn default() -> Self {
        Self { padding: default_padding(), flip: default_flip() }
    }
}

impl CropFlipConfig {
    pub(super) fn apply<P: PixelValue>(&self, source: &Source<'_, P>, stream: Seed, out: &mut [f32]) {
        let mut draws = Draws::new(stream);
        // a crop at offset `o` of the image padded by `p` is the image moved by `p - o`
        let (dx, dy) = (draw_move(&mut draws, self.padding), draw_move(&mut draws, self.padding));
        source.write_shifted(dx, dy, out);
        if self.flip && draws.below(2) == 1 {
            mirror(out, source.width, source.channels);
        }
    }
}

/// Mirrors an image `[H, W, C]` left to right, in place.
pub(super) fn mirror(image: &mut [f32], width: usize, channels: usize) {
    if width * channels == 0 {
        return;
    }
    for row in image.chunks_exact_mut(width * channels) {
        for x in 0..width / 2 {
            let (left, right) = (x * channels, (width - 1 - x) * channels);
            for channel in 0..channels {
                row.swap(left + channel, right + channel);
            }
        }
    }
}
