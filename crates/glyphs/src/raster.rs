//! The canvas: anti-aliased ink from the distance of each pixel to a tapered line, over the line's own box only.

use crate::stroke::Point;

/// A grey picture of fixed size on the stack; ink in `0..=1`, the darkest stroke wins.
pub(crate) struct Canvas<const WIDTH: usize, const HEIGHT: usize> {
    ink: [[f32; WIDTH]; HEIGHT],
}

/// A line whose ends have their own half-widths, in pixels; pixel centres lie at whole coordinates.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    pub start: Point,
    pub end: Point,
    pub start_radius: f32,
    pub end_radius: f32,
}

impl<const WIDTH: usize, const HEIGHT: usize> Canvas<WIDTH, HEIGHT> {
    pub(crate) fn new() -> Self {
        Self { ink: [[0.0; WIDTH]; HEIGHT] }
    }

    pub(crate) fn rows(&self) -> &[[f32; WIDTH]; HEIGHT] {
        &self.ink
    }

    /// Adds a line whose edge fades over `softness` pixels (1 is the usual anti-aliasing).
    pub(crate) fn draw(&mut self, segment: &Segment, softness: f32) {
        let Segment { start, end, start_radius, end_radius } = *segment;
        let reach = start_radius.max(end_radius) + 0.5 * softness;
        let columns = span(start.x, end.x, reach, WIDTH);
        let along = end - start;
        let squared = along.x * along.x + along.y * along.y;
        let inverse = if squared > 0.0 { 1.0 / squared } else { 0.0 };
        let fade = 1.0 / softness;
        for y in span(start.y, end.y, reach, HEIGHT) {
            let dy = y as f32 - start.y;
            let row = &mut self.ink[y][columns.clone()];
            for (offset, ink) in row.iter_mut().enumerate() {
                let dx = (columns.start + offset) as f32 - start.x;
                let t = ((dx * along.x + dy * along.y) * inverse).clamp(0.0, 1.0);
                let (away_x, away_y) = (dx - t * along.x, dy - t * along.y);
                let distance = (away_x * away_x + away_y * away_y).sqrt();
                let radius = start_radius + t * (end_radius - start_radius);
                *ink = ink.max(((radius - distance) * fade + 0.5).clamp(0.0, 1.0));
            }
        }
    }

    /// Removes the ink around a place.
    pub(crate) fn erase(&mut self, centre: Point, radius: f32) {
        let columns = span(centre.x, centre.x, radius + 0.5, WIDTH);
        for y in span(centre.y, centre.y, radius + 0.5, HEIGHT) {
            for x in columns.clone() {
                let distance = centre.distance(Point::new(x as f32, y as f32));
                self.ink[y][x] *= (distance - radius + 0.5).clamp(0.0, 1.0);
            }
        }
    }
}

/// The pixels that a line from `a` to `b` can touch along one axis.
fn span(a: f32, b: f32, reach: f32, len: usize) -> std::ops::Range<usize> {
    // `as usize` sends everything below 0 to 0, so lines outside the canvas give an empty range
    let start = ((a.min(b) - reach).ceil() as usize).min(len);
    let end = ((a.max(b) + reach).floor() + 1.0) as usize;
    start..end.clamp(start, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(start: (f32, f32), end: (f32, f32), radius: f32) -> Segment {
        let (start, end) = (Point::new(start.0, start.1), Point::new(end.0, end.1));
        Segment { start, end, start_radius: radius, end_radius: radius }
    }

    fn total<const W: usize, const H: usize>(canvas: &Canvas<W, H>) -> f32 {
        canvas.rows().iter().flatten().sum()
    }

    #[test]
    fn a_thin_line_on_pixel_centres_is_crisp() {
        let mut canvas = Canvas::<8, 8>::new();
        canvas.draw(&line((1.0, 3.0), (6.0, 3.0), 0.5), 1.0);
        assert_eq!(canvas.rows()[3].map(f32::round), [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        assert!((total(&canvas) - 6.0).abs() < 1e-4);
    }

    #[test]
    fn ink_is_the_area_of_the_line() {
        for (angle, softness) in [(0.0, 1.0), (0.3, 1.0), (1.1, 2.0)] {
            let (sin, cos) = f32::sin_cos(angle);
            let mut canvas = Canvas::<28, 28>::new();
            canvas.draw(&line((5.0, 4.0), (5.0 + 18.0 * cos, 4.0 + 18.0 * sin), 2.0), softness);
            let area = 18.0 * 4.0 + std::f32::consts::PI * 4.0;
            assert!((total(&canvas) - area).abs() < 0.05 * area, "{} at {angle}, expected {area}", total(&canvas));
        }
    }

    #[test]
    fn what_lies_outside_leaves_no_trace() {
        let mut canvas = Canvas::<8, 8>::new();
        for (x, y) in [(-9.0, 3.0), (30.0, 3.0), (3.0, -9.0), (3.0, 30.0), (-1e9, 1e9)] {
            canvas.draw(&line((x, y), (x, y), 2.0), 1.0);
        }
        assert_eq!(total(&canvas), 0.0);
    }

    #[test]
    fn erasing_takes_ink_away_where_it_is_told() {
        let mut canvas = Canvas::<8, 8>::new();
        canvas.draw(&line((0.0, 3.0), (7.0, 3.0), 0.5), 1.0);
        canvas.erase(Point::new(4.0, 3.0), 1.0);
        assert_eq!(canvas.rows()[3][4], 0.0);
        assert!(canvas.rows()[3][1] > 0.99);
    }
}
