//! The page that a sheet is drawn on: RGB bytes, text, rectangles, PNG.

use super::{ContactSheetError, font};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use std::ops::Range;

/// The colour of the paper.
const PAPER: [u8; 3] = [250, 250, 247];
/// The colour of labels.
pub(super) const INK: [u8; 3] = [30, 30, 30];

/// A drawing surface; whatever falls outside is cut off.
pub(super) struct Page {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

/// Pixels that a line of text takes.
pub(super) fn text_width(text: &str) -> usize {
    text.chars().count() * font::ADVANCE
}

impl Page {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![PAPER; width * height] }
    }

    /// Fills a rectangle.
    pub(super) fn fill(&mut self, columns: Range<usize>, rows: Range<usize>, colour: [u8; 3]) {
        let columns = columns.start.min(self.width)..columns.end.min(self.width);
        for y in rows.start..rows.end.min(self.height) {
            self.pixels[y * self.width..][columns.clone()].fill(colour);
        }
    }

    /// Writes one line with its upper left corner at the given place.
    pub(super) fn draw_text(&mut self, text: &str, left: usize, top: usize, colour: [u8; 3]) {
        for (position, character) in text.chars().enumerate() {
            let picture = font::draw(character);
            for (y, row) in picture.rows().iter().enumerate() {
                for (x, &coverage) in row.iter().enumerate() {
                    self.blend(left + position * font::ADVANCE + x, top + y, colour, coverage);
                }
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, colour: [u8; 3], coverage: f32) {
        if x < self.width && y < self.height {
            let pixel = &mut self.pixels[y * self.width + x];
            for (value, ink) in pixel.iter_mut().zip(colour) {
                *value = (f32::from(*value) * (1.0 - coverage) + f32::from(ink) * coverage).round() as u8;
            }
        }
    }

    pub(super) fn to_png(&self) -> Result<Vec<u8>, ContactSheetError> {
        let mut bytes = Vec::new();
        let (width, height) = (self.width as u32, self.height as u32);
        PngEncoder::new(&mut bytes).write_image(self.pixels.as_flattened(), width, height, ExtendedColorType::Rgb8)?;
        Ok(bytes)
    }
}
