//! Layouts: where in the unit square the radicals of a class are.

use crate::radicals::Inventory;
use crate::stroke::{Point, Stroke};
use stillhouse_core::Draws;

/// A part of the unit square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
}

impl Cell {
    pub(crate) const fn new(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self { left, top, right, bottom }
    }

    /// Moves a point of the unit square into the cell.
    fn place(&self, point: Point) -> Point {
        Point::new(self.left + point.x * (self.right - self.left), self.top + point.y * (self.bottom - self.top))
    }

    /// Whether a radical of many strokes stays legible in 28 by 28 pixels.
    fn has_room(&self) -> bool {
        const LEAST_SIDE: f32 = 0.45;
        const LEAST_AREA: f32 = 0.42;
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        width.min(height) >= LEAST_SIDE && width * height >= LEAST_AREA
    }
}

/// The layouts without a frame, each with how often it is taken.
const ARRANGEMENTS: &[(usize, &[Cell])] = &[
    (2, &[Cell::new(0.0, 0.0, 1.0, 1.0)]),
    (3, &[Cell::new(0.0, 0.0, 0.43, 1.0), Cell::new(0.57, 0.0, 1.0, 1.0)]),
    (4, &[Cell::new(0.0, 0.0, 0.30, 1.0), Cell::new(0.44, 0.0, 1.0, 1.0)]),
    (3, &[Cell::new(0.0, 0.0, 0.58, 1.0), Cell::new(0.72, 0.0, 1.0, 1.0)]),
    (3, &[Cell::new(0.0, 0.0, 1.0, 0.43), Cell::new(0.0, 0.57, 1.0, 1.0)]),
    (4, &[Cell::new(0.08, 0.0, 0.92, 0.30), Cell::new(0.0, 0.44, 1.0, 1.0)]),
    (3, &[Cell::new(0.0, 0.0, 1.0, 0.56), Cell::new(0.04, 0.70, 0.96, 1.0)]),
    (2, &[Cell::new(0.1, 0.0, 0.9, 0.40), Cell::new(0.0, 0.56, 0.42, 1.0), Cell::new(0.58, 0.56, 1.0, 1.0)]),
    (2, &[Cell::new(0.0, 0.0, 0.42, 0.44), Cell::new(0.58, 0.0, 1.0, 0.44), Cell::new(0.1, 0.60, 0.9, 1.0)]),
    (2, &[Cell::new(0.0, 0.0, 0.40, 1.0), Cell::new(0.56, 0.0, 1.0, 0.42), Cell::new(0.56, 0.58, 1.0, 1.0)]),
];
/// How often a frame is taken, on the scale of the table above.
const FRAME_WEIGHT: usize = 6;

/// Most radicals of one class.
pub(crate) const MAX_PARTS: usize = 3;

/// What the classes of one family share: radicals in a layout.
pub(crate) struct Composition {
    /// the syllables of the radicals in reading order, empty after the last one; unique to a family
    pub syllables: [&'static str; MAX_PARTS],
    /// in the unit square
    pub strokes: Vec<Stroke>,
}

impl Composition {
    /// A random composition.
    pub(crate) fn draw(inventory: &Inventory, draws: &mut Draws) -> Self {
        let total: usize = ARRANGEMENTS.iter().map(|(weight, _)| weight).sum();
        let mut ticket = draws.below(total + FRAME_WEIGHT);
        for (weight, cells) in ARRANGEMENTS {
            if ticket < *weight {
                return Self::empty().with_radicals(0, cells, inventory, draws);
            }
            ticket -= weight;
        }
        let frame = &inventory.frames[draws.below(inventory.frames.len())];
        let mut composition = Self::empty();
        composition.add(0, frame.radical.syllable, &frame.radical.strokes, &Cell::new(0.0, 0.0, 1.0, 1.0));
        composition.with_radicals(1, &[frame.inside], inventory, draws)
    }

    fn empty() -> Self {
        Self { syllables: [""; MAX_PARTS], strokes: Vec::new() }
    }

    fn with_radicals(mut self, first_part: usize, cells: &[Cell], inventory: &Inventory, draws: &mut Draws) -> Self {
        for (index, cell) in cells.iter().enumerate() {
            let n_choices = if cell.has_room() { inventory.radicals.len() } else { inventory.n_simple };
            let radical = &inventory.radicals[draws.below(n_choices)];
            self.add(first_part + index, radical.syllable, &radical.strokes, cell);
        }
        self
    }

    fn add(&mut self, part: usize, syllable: &'static str, strokes: &[Stroke], cell: &Cell) {
        self.syllables[part] = syllable;
        self.strokes.extend(strokes.iter().map(|stroke| stroke.map(|point| cell.place(point))));
    }
}
