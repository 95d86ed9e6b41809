//! A stroke font for labels: printable ASCII on a grid of 5 by 9 points, drawn by the glyphs' own pen.
//!
//! Notation as in the inventory of radicals: two digits are a column and a row, `-` a straight span, `~` a smooth
//! one. Capitals stand in rows 0 to 6, small letters in 2 to 6, descenders reach row 8.

use crate::glyphs::raster::{Canvas, Segment};
use crate::glyphs::stroke::{Point, Stroke, parse_strokes};

/// Pixels from one character to the next.
pub(super) const ADVANCE: usize = 9;
/// Pixels from the top of a capital to the end of a descender.
pub(super) const LINE_HEIGHT: usize = 15;
/// Pixels between two points of the grid.
const UNIT: f32 = 1.5;
/// Half the width of the pen.
const PEN_RADIUS: f32 = 0.7;
/// Place of grid point 00 in a character's picture.
const ORIGIN: Point = Point::new(1.0, 1.0);

/// The strokes of the characters from `!` to `~`, in ASCII order.
const CHARACTERS: [&str; 94] = [
    "20-24 26-26",                         // !
    "10-12 30-32",                         // "
    "10-16 30-36 02-42 04-44",             // #
    "41~20~01~23~45~26~05 20-26",          // $
    "06-40 00-11 35-46",                   // %
    "46~12~20~31~04~16~26~44",             // &
    "20-22",                               // '
    "30~12~14~36",                         // (
    "10~32~34~16",                         // )
    "12-34 32-14 21-25",                   // *
    "21-25 03-43",                         // +
    "25-17",                               // ,
    "03-43",                               // -
    "26-26",                               // .
    "40-06",                               // /
    "20~01~03~05~26~45~41~20",             // 0
    "11-20-26 16-36",                      // 1
    "01~20~41~24~06 06-46",                // 2
    "01~20~41~23 23~45~26~05",             // 3
    "36-30-04-44",                         // 4
    "40-00-03 03~32~44~26~05",             // 5
    "40~11~04~26~44~22~04",                // 6
    "00-40-16",                            // 7
    "20~01~23~41~20 23~05~26~45~23",       // 8
    "42~23~02~20~42~35~06",                // 9
    "22-22 25-25",                         // :
    "22-22 25-17",                         // ;
    "41-03-45",                            // <
    "02-42 04-44",                         // =
    "01-43-05",                            // >
    "01~20~41~23~24 26-26",                // ?
    "33~22~13~24~33~43~20~03 03~15~26~46", // @
    "06-20-46 14-34",                      // A
    "00-06 00~30~41~23~03 03~33~45~36~06", // B
    "41~20~02~04~26~45",                   // C
    "00-06 00~20~42~44~26~06",             // D
    "40-00-06-46 03-33",                   // E
    "40-00-06 03-33",                      // F
    "41~20~02~04~26~45 45-43-23",          // G
    "00-06 40-46 03-43",                   // H
    "10-30 20-26 16-36",                   // I
    "40~44~26~05",                         // J
    "00-06 40-03-46",                      // K
    "00-06-46",                            // L
    "06-00-23-40-46",                      // M
    "06-00-46-40",                         // N
    "20~02~04~26~44~42~20",                // O
    "06-00 00~30~42~33~03",                // P
    "20~02~04~26~44~42~20 34-46",          // Q
    "06-00 00~30~42~33~03 23-46",          // R
    "41~20~01~23~45~26~05",                // S
    "00-40 20-26",                         // T
    "00~04~26~44~40",                      // U
    "00-26-40",                            // V
    "00-16-22-36-40",                      // W
    "00-46 40-06",                         // X
    "00-23-40 23-26",                      // Y
    "00-40-06-46",                         // Z
    "30-10-16-36",                         // [
    "00-46",                               // \
    "10-30-36-16",                         // ]
    "02-20-42",                            // ^
    "07-47",                               // _
    "10-21",                               // `
    "42-46 43~22~04~26~45",                // a
    "00-06 03~22~44~26~05",                // b
    "43~22~04~26~45",                      // c
    "40-46 43~22~04~26~45",                // d
    "04-44 44~22~04~26~45",                // e
    "40~20~12~16 03-33",                   // f
    "42-47 47~28~07 43~22~04~26~45",       // g
    "00-06 03~22~43~46",                   // h
    "22-26 20-20",                         // i
    "32~36~28~07 30-30",                   // j
    "00-06 32-04-36",                      // k
    "10-20-26-36",                         // l
    "06-02 03~12~23~26 23~32~43~46",       // m
    "06-02 03~22~43~46",                   // n
    "22~04~26~44~22",                      // o
    "02-08 03~22~44~26~05",                // p
    "42-48 43~22~04~26~45",                // q
    "02-06 03~22~42",                      // r
    "42~12~03~34~45~26~06",                // s
    "10~15~26~46 02-32",                   // t
    "02~05~26~45 42-46",                   // u
    "02-26-42",                            // v
    "02-16-23-36-42",                      // w
    "02-46 42-06",                         // x
    "02-25 42-08",                         // y
    "02-42-06-46",                         // z
    "40~21~22~03~24~25~46",                // {
    "20-27",                               // |
    "00~21~22~43~24~25~06",                // }
    "03~12~23~34~43",                      // ~
];

/// The picture of one character: how much of each pixel is covered, `0..=1`.
pub(super) type Character = Canvas<ADVANCE, LINE_HEIGHT>;

/// Draws a character; one that is not printable ASCII becomes a question mark.
pub(super) fn draw(character: char) -> Character {
    let mut canvas = Canvas::new();
    if character != ' ' {
        strokes_of(character).iter().for_each(|stroke| draw_stroke(stroke, &mut canvas));
    }
    canvas
}

fn strokes_of(character: char) -> Vec<Stroke> {
    let known = if character.is_ascii_graphic() { character } else { '?' };
    parse_strokes(CHARACTERS[known as usize - '!' as usize])
}

fn draw_stroke(stroke: &Stroke, canvas: &mut Character) {
    for pair in stroke.path(0.0).points().windows(2) {
        let (start, end) = (ORIGIN + pair[0] * UNIT, ORIGIN + pair[1] * UNIT);
        canvas.draw(&Segment { start, end, start_radius: PEN_RADIUS, end_radius: PEN_RADIUS }, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(character: char) -> Vec<u32> {
        draw(character).rows().iter().flatten().map(|ink| ink.to_bits()).collect()
    }

    #[test]
    fn every_printable_character_has_a_picture_of_its_own() {
        let pictures: std::collections::HashSet<_> = (' '..='~').map(bits).collect();
        assert_eq!(pictures.len(), 95);
    }

    #[test]
    fn what_is_not_ascii_is_a_question_mark() {
        for character in ['é', '字', '\n', '\u{7f}', '\0'] {
            assert_eq!(bits(character), bits('?'));
        }
    }
}
