//! Strokes: what the pen does between touching the paper and leaving it, and how they are written down in tables.

/// A point or a direction; x to the right, y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub x: f32,
    pub y: f32,
}

impl Point {
    pub(crate) const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    pub(crate) fn lerp(self, other: Self, t: f32) -> Self {
        Self::new(self.x + t * (other.x - self.x), self.y + t * (other.y - self.y))
    }

    pub(crate) fn distance(self, other: Self) -> f32 {
        (self - other).length()
    }

    pub(crate) fn length(self) -> f32 {
        (self.x * self.x + self.y * self.y).sqrt()
    }

    /// The direction a quarter of a turn to the left of this one, of the same length.
    pub(crate) fn normal(self) -> Self {
        Self::new(self.y, -self.x)
    }
}

impl std::ops::Add for Point {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.x + other.x, self.y + other.y)
    }
}

impl std::ops::Sub for Point {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(self.x - other.x, self.y - other.y)
    }
}

impl std::ops::Mul<f32> for Point {
    type Output = Self;

    fn mul(self, factor: f32) -> Self {
        Self::new(self.x * factor, self.y * factor)
    }
}

/// Most points of one stroke.
pub(crate) const MAX_POINTS: usize = 8;
/// Steps into which a span between two points is divided when the path is followed.
pub(crate) const STEPS_PER_SPAN: usize = 4;
/// Most points of a followed path.
pub(crate) const MAX_PATH: usize = (MAX_POINTS - 1) * STEPS_PER_SPAN + 1;

/// The points that the pen passes, with straight or smooth spans between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stroke {
    points: [Point; MAX_POINTS],
    len: usize,
    /// Whether the pen turns gently at inner points (Catmull-Rom) or sharply.
    pub smooth: bool,
}

impl Stroke {
    /// A stroke through two to [`MAX_POINTS`] points; further points are a bug.
    pub(crate) fn new(points: &[Point], smooth: bool) -> Self {
        let mut own = [Point::new(0.0, 0.0); MAX_POINTS];
        own[..points.len()].copy_from_slice(points);
        Self { points: own, len: points.len(), smooth }
    }

    pub(crate) fn points(&self) -> &[Point] {
        &self.points[..self.len]
    }

    pub(crate) fn points_mut(&mut self) -> &mut [Point] {
        &mut self.points[..self.len]
    }

    pub(crate) fn first(&self) -> Point {
        self.points[0]
    }

    pub(crate) fn last(&self) -> Point {
        self.points[self.len - 1]
    }

    /// The same stroke with every point moved by `map`.
    pub(crate) fn map(mut self, map: impl Fn(Point) -> Point) -> Self {
        for point in self.points_mut() {
            *point = map(*point);
        }
        self
    }

    /// Length of the open polygon through the points.
    pub(crate) fn length(&self) -> f32 {
        self.points().windows(2).map(|pair| pair[0].distance(pair[1])).sum()
    }

    /// Follows the pen; `rounding` 0 keeps corners sharp, 1 makes them as smooth as a smooth stroke's.
    pub(crate) fn path(&self, rounding: f32) -> Path {
        let mut path = Path { points: [Point::new(0.0, 0.0); MAX_PATH], len: 0 };
        let rounding = if self.smooth { 1.0 } else { rounding };
        for span in 0..self.len - 1 {
            for step in 0..STEPS_PER_SPAN {
                path.push(self.at(span, step as f32 / STEPS_PER_SPAN as f32, rounding));
            }
        }
        path.push(self.last());
        path
    }

    /// The place at `t` in `0..1` of a span.
    fn at(&self, span: usize, t: f32, rounding: f32) -> Point {
        let (start, end) = (self.points[span], self.points[span + 1]);
        let straight = start.lerp(end, t);
        if rounding == 0.0 {
            return straight;
        }
        let smooth = catmull_rom([self.neighbour(span, false), start, end, self.neighbour(span + 1, true)], t);
        straight.lerp(smooth, rounding)
    }

    /// The point before or after `index`; a closed stroke goes round, an open one repeats its end.
    fn neighbour(&self, index: usize, after: bool) -> Point {
        let closed = self.len > 3 && self.first() == self.last();
        match (after, index) {
            (false, 0) => self.points[if closed { self.len - 2 } else { 0 }],
            (false, _) => self.points[index - 1],
            (true, _) if index + 1 < self.len => self.points[index + 1],
            (true, _) => self.points[if closed { 1 } else { index }],
        }
    }
}

/// The uniform Catmull-Rom spline between the second and the third of four points.
fn catmull_rom(p: [Point; 4], t: f32) -> Point {
    let (t2, t3) = (t * t, t * t * t);
    p[0] * (0.5 * (2.0 * t2 - t3 - t))
        + p[1] * (0.5 * (3.0 * t3 - 5.0 * t2 + 2.0))
        + p[2] * (0.5 * (4.0 * t2 - 3.0 * t3 + t))
        + p[3] * (0.5 * (t3 - t2))
}

/// A stroke as the pen draws it: short straight pieces.
pub(crate) struct Path {
    points: [Point; MAX_PATH],
    len: usize,
}

impl Path {
    fn push(&mut self, point: Point) {
        self.points[self.len] = point;
        self.len += 1;
    }

    pub(crate) fn points(&self) -> &[Point] {
        &self.points[..self.len]
    }

    pub(crate) fn points_mut(&mut self) -> &mut [Point] {
        &mut self.points[..self.len]
    }
}

/// Reads strokes from a table entry: strokes are separated by spaces, a point is two digits (column, row), `-` joins
/// points by straight spans, `~` by smooth ones: `"02-82 40~48~08"`. Coordinates come out as written, `0..=9`.
///
/// # Panics
/// If the entry is not of this form: tables are part of the program, and a test reads every entry.
pub(crate) fn parse_strokes(text: &str) -> Vec<Stroke> {
    text.split_ascii_whitespace().map(parse_stroke).collect()
}

fn parse_stroke(text: &str) -> Stroke {
    let digit = |byte: u8| f32::from(byte.checked_sub(b'0').filter(|digit| *digit < 10).expect("a digit in a table"));
    let bytes = text.as_bytes();
    let points: Vec<Point> = bytes.chunks(3).map(|chunk| Point::new(digit(chunk[0]), digit(chunk[1]))).collect();
    assert!((2..=MAX_POINTS).contains(&points.len()), "stroke {text:?} needs 2 to {MAX_POINTS} points");
    Stroke::new(&points, bytes[2] == b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_say_points_and_joints() {
        let strokes = parse_strokes("02-82 40~48~09");
        assert_eq!(strokes.len(), 2);
        assert_eq!(strokes[0], Stroke::new(&[Point::new(0.0, 2.0), Point::new(8.0, 2.0)], false));
        assert!(strokes[1].smooth);
        assert_eq!(strokes[1].last(), Point::new(0.0, 9.0));
    }

    #[test]
    fn paths_pass_through_every_point() {
        for stroke in parse_strokes("00-80-88 40~04~48~84~40") {
            for rounding in [0.0, 0.5, 1.0] {
                let path = stroke.path(rounding);
                for (index, point) in stroke.points().iter().enumerate() {
                    assert_eq!(path.points()[index * STEPS_PER_SPAN], *point);
                }
            }
        }
    }

    #[test]
    fn a_ring_is_round() {
        let ring = parse_strokes("40~04~48~84~40")[0];
        for point in ring.path(0.0).points() {
            let radius = point.distance(Point::new(4.0, 4.0));
            assert!((3.5..4.3).contains(&radius), "{radius}");
        }
    }
}
