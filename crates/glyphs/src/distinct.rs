//! Distinctness: a blurred thumbnail of each class, and the search for one that is too close to a new class.
//!
//! The search is exact, and cheap: thumbnails whose total ink, or whose ink in 16 blocks, already differs by the
//! margin are never compared pixel by pixel.

use crate::raster::{Canvas, Segment};
use crate::stroke::{Point, Stroke};

/// Pixels along a side of a thumbnail: half of a glyph's.
const SIDE: usize = 14;
/// Pixels that the unit square takes, so that the blur stays inside.
const BOX: f32 = 11.0;
/// Half the width of the pen and the width of the fading edge: both about a pixel of the 28, so that a stroke moved
/// by less than its own width changes little.
const RADIUS: f32 = 0.5;
const SOFTNESS: f32 = 2.0;
/// Blocks along a side.
const BLOCKS: usize = 4;
/// Least sum of absolute differences between thumbnails of two classes: about the ink of a mark of 4 pixels.
pub(crate) const MARGIN: u32 = 620;

/// A small blurred picture of a class as it was designed.
#[derive(Clone)]
pub(crate) struct Thumbnail {
    blocks: [u16; BLOCKS * BLOCKS],
    pixels: [[u8; SIDE]; SIDE],
}

impl Thumbnail {
    pub(crate) fn of(strokes: &[Stroke]) -> Self {
        let mut canvas = Canvas::<SIDE, SIDE>::new();
        let centre = (SIDE as f32 - 1.0) / 2.0;
        let place = |point: Point| Point::new(centre + BOX * (point.x - 0.5), centre + BOX * (point.y - 0.5));
        for stroke in strokes {
            for pair in stroke.path(0.0).points().windows(2) {
                let (start, end) = (place(pair[0]), place(pair[1]));
                canvas.draw(&Segment { start, end, start_radius: RADIUS, end_radius: RADIUS }, SOFTNESS);
            }
        }
        let pixels = canvas.rows().map(|row| row.map(|ink| (ink * 255.0) as u8));
        let mut blocks = [0; BLOCKS * BLOCKS];
        for (y, row) in pixels.iter().enumerate() {
            for (x, &pixel) in row.iter().enumerate() {
                blocks[y * BLOCKS / SIDE * BLOCKS + x * BLOCKS / SIDE] += u16::from(pixel);
            }
        }
        Self { blocks, pixels }
    }

    fn ink(&self) -> u32 {
        self.blocks.iter().copied().map(u32::from).sum()
    }

    /// Sum of absolute differences.
    pub(crate) fn distance(&self, other: &Self) -> u32 {
        let rows = self.pixels.iter().zip(&other.pixels);
        rows.map(|(a, b)| a.iter().zip(b).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum::<u32>()).sum()
    }

    /// Whether the distance is below the margin.
    pub(crate) fn is_close(&self, other: &Self) -> bool {
        // the sum over a block can only hide differences, never add any
        let blocks = self.blocks.iter().zip(&other.blocks);
        let at_least: u32 = blocks.map(|(&a, &b)| u32::from(a.abs_diff(b))).sum();
        at_least < MARGIN && self.distance(other) < MARGIN
    }
}

/// All thumbnails so far, by total ink in steps of the margin.
pub(crate) struct Gallery {
    by_ink: Vec<Vec<Thumbnail>>,
}

impl Gallery {
    pub(crate) fn new() -> Self {
        let most_ink = SIDE * SIDE * usize::from(u8::MAX);
        Self { by_ink: vec![Vec::new(); most_ink / MARGIN as usize + 2] }
    }

    pub(crate) fn has_close(&self, thumbnail: &Thumbnail) -> bool {
        let shelf = shelf(thumbnail);
        let nearby = &self.by_ink[shelf.saturating_sub(1)..=shelf + 1];
        nearby.iter().flatten().any(|other| thumbnail.is_close(other))
    }

    pub(crate) fn add(&mut self, thumbnail: Thumbnail) {
        self.by_ink[shelf(&thumbnail)].push(thumbnail);
    }
}

fn shelf(thumbnail: &Thumbnail) -> usize {
    (thumbnail.ink() / MARGIN) as usize
}
