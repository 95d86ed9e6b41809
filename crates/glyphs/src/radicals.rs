//! The inventory: small stroke sets on a grid of 9 by 9 points, each with the syllable it adds to a label.
//!
//! Notation as in [`parse_strokes`]: a point is two digits (column, row), `-` a straight span, `~` a smooth one.

use crate::layout::Cell;
use crate::stroke::{Point, Stroke, parse_strokes};

/// Grid coordinate of the far edge.
const GRID: f32 = 8.0;

/// Radicals of few strokes, legible in the smallest cell.
const SIMPLE: &[(&str, &str)] = &[
    ("ka", "04-84 40-48"),
    ("ki", "00-88 80-08"),
    ("ku", "00-80 40-48"),
    ("ke", "40-48 08-88"),
    ("ko", "01-81-87-07-01"),
    ("sa", "41~37~08 43~57~88"),
    ("si", "10-18 70-78"),
    ("su", "12-72 06-86"),
    ("se", "10-17-87"),
    ("so", "00-80-78"),
    ("ta", "00-80-08-88"),
    ("ti", "08-00-88-80"),
    ("tu", "40-08-88-40"),
    ("te", "40~04~48~84~40"),
    ("to", "71~30~04~38~77"),
    ("na", "11~50~84~58~17"),
    ("ni", "00~05~48~85~80"),
    ("nu", "08~03~40~83~88"),
    ("ne", "00-48-80"),
    ("no", "60~66~38~06"),
    ("ha", "00-44-80 44-48"),
    ("hi", "10-18 14-74"),
    ("hu", "00-80 44~37~08"),
    ("he", "80-14-88"),
    ("ho", "80~20~23~65~68~08"),
    ("ma", "01~20~42~63~81 07~26~48~68~87"),
    ("mi", "40-04-48-84-40"),
    ("mu", "02-52 70~66~18"),
    ("me", "20-28-88 75-53"),
    ("mo", "12~34 07~58~80"),
    ("ra", "10-18 10~70~82~64~14"),
    ("ri", "80~36~17~04~22~46~88"),
    ("ru", "10-18 14~43~74~78"),
    ("re", "80-00-45-08-88"),
    ("ro", "20~45~88 54~08"),
    ("va", "40-48 04-40-84"),
];

/// Radicals that need room.
const DENSE: &[(&str, &str)] = &[
    ("pa", "11-71 24-64 07-87"),
    ("pi", "03-83 40~34~08 44~65~88"),
    ("pu", "11-71 41-47 07-87"),
    ("pe", "03-83 40-48 43~26~07 43~66~87"),
    ("po", "10~14~08 40-47 80-88"),
    ("ba", "40-47 02-07-87-82"),
    ("bi", "40~04~48~84~40 04-84"),
    ("bu", "40-48 01~15~47~75~81"),
    ("be", "08-40-88 25-65"),
    ("bo", "80-10-18 14-64"),
    ("da", "80-10-18-88 14-74"),
    ("di", "10-18 70-78 14-74"),
    ("du", "20-28 60-68 02-82 06-86"),
    ("de", "40-07-77 64-88"),
    ("do", "30~15~78 60~46~08 03-83"),
    ("ga", "10-70-73-13-16-76-58"),
    ("gi", "31-53 03-25 08-84"),
    ("gu", "41-48 13~07 73~87"),
    ("ge", "03-83 40-48 40-06 40-86"),
    ("go", "01-81 22~18 62~67~88"),
    ("za", "01-81-88-01 81-08"),
    ("zi", "00-88 80-08 04-84"),
    ("zu", "40-48 04-84 11-77 71-17"),
    ("ze", "01-81-87-07-01 04-84"),
    ("zo", "01-81-87-07-01 41-47"),
    ("fa", "40-04-48-84-40 40-48"),
    ("fi", "44~54~63~31~15~58~84~81"),
    ("fu", "00-80 10~13~56~58 70~63~18"),
    ("fe", "20-80 60~66~48~06 14-74"),
    ("fo", "12~41~72~54~44 54~85~58~07"),
    ("la", "00-08 03-83-88 43-48"),
    ("li", "00~23~80 40-48 15-75"),
    ("lu", "04-44 40-48-88 44-80"),
    ("le", "00-80 04-84 08-88 80-84 04-08"),
];

/// Strokes that go around another radical, and the cell that they leave free.
const FRAMES: &[(&str, &str, Cell)] = &[
    ("wan", "00-80-88-08-00", Cell::new(0.24, 0.24, 0.76, 0.76)),
    ("wen", "08-00-80-88", Cell::new(0.24, 0.26, 0.76, 1.0)),
    ("win", "00-08-88-80", Cell::new(0.24, 0.0, 0.76, 0.74)),
    ("won", "80-00-08-88", Cell::new(0.26, 0.24, 1.0, 0.76)),
    ("wun", "80-10~14~08", Cell::new(0.36, 0.26, 1.0, 1.0)),
    ("yan", "40~01~04~07~48~87~84~81", Cell::new(0.28, 0.0, 0.72, 0.7)),
    ("yen", "40-03-08 40-83-88", Cell::new(0.22, 0.44, 0.78, 1.0)),
    ("yin", "00-60-66~78~87", Cell::new(0.0, 0.26, 0.56, 1.0)),
    ("yon", "10~16~28~88", Cell::new(0.36, 0.0, 1.0, 0.74)),
    ("yun", "00-80~86~68", Cell::new(0.0, 0.26, 0.72, 1.0)),
];

/// A set of strokes that classes share, in the unit square.
pub(crate) struct Radical {
    pub syllable: &'static str,
    pub strokes: Vec<Stroke>,
}

/// A radical that encloses another.
pub(crate) struct Frame {
    pub radical: Radical,
    pub inside: Cell,
}

/// All radicals, read from the tables.
pub(crate) struct Inventory {
    /// the simple ones first
    pub radicals: Vec<Radical>,
    pub n_simple: usize,
    pub frames: Vec<Frame>,
}

impl Inventory {
    pub(crate) fn new() -> Self {
        let radicals = SIMPLE.iter().chain(DENSE).map(|&(syllable, text)| Radical::read(syllable, text)).collect();
        let frames =
            FRAMES.iter().map(|&(syllable, text, inside)| Frame { radical: Radical::read(syllable, text), inside });
        Self { radicals, n_simple: SIMPLE.len(), frames: frames.collect() }
    }
}

impl Radical {
    fn read(syllable: &'static str, text: &str) -> Self {
        let to_unit = |point: Point| point * (1.0 / GRID);
        let strokes = parse_strokes(text).into_iter().map(|stroke| stroke.map(to_unit)).collect();
        Self { syllable, strokes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_tables_are_well_formed() {
        let inventory = Inventory::new();
        let frames = inventory.frames.iter().map(|frame| &frame.radical);
        let mut syllables = HashSet::new();
        for radical in inventory.radicals.iter().chain(frames) {
            assert!(syllables.insert(radical.syllable), "{} is used twice", radical.syllable);
            for point in radical.strokes.iter().flat_map(Stroke::points) {
                assert!((0.0..=1.0).contains(&point.x) && (0.0..=1.0).contains(&point.y), "{}", radical.syllable);
            }
        }
    }

    #[test]
    fn radicals_fill_their_cell() {
        for radical in &Inventory::new().radicals {
            let points = || radical.strokes.iter().flat_map(Stroke::points);
            let extent = |values: Vec<f32>| {
                values.iter().copied().fold(f32::MIN, f32::max) - values.iter().copied().fold(f32::MAX, f32::min)
            };
            assert!(extent(points().map(|point| point.y).collect()) >= 0.5, "{}", radical.syllable);
            assert!(extent(points().map(|point| point.x).collect()) >= 0.7, "{}", radical.syllable);
        }
    }
}
