//! The hand: how one writer, on one occasion, draws the strokes of a class.
//!
//! Example `index` of every class comes from the same writer, who has a slant, proportions, a pen and habits; each
//! example adds its own accidents. All amounts grow linearly with the difficulty, and the same random numbers are
//! drawn for every difficulty, so an example only becomes more of what it is.

use crate::raster::{Canvas, Segment};
use crate::stroke::{MAX_PATH, Path, Point, STEPS_PER_SPAN, Stroke};
use crate::{PIXELS, SIDE};
use stillhouse_core::{Draws, Seed, bell_of};

/// Pixels that the unit square of a design takes, in the middle of the picture.
const BOX: f32 = 22.0;
/// Middle of the picture; pixel centres lie at whole coordinates.
const CENTRE: f32 = (SIDE as f32 - 1.0) / 2.0;
/// What is left of all variation at difficulty 0, so that no two examples are the same picture.
const LEAST_AMOUNT: f32 = 0.06;

// The amounts at difficulty 1; "up to" is uniform, "about" a standard deviation.

/// A writer's width and height of a glyph vary by up to this fraction.
const WRITER_SIZE: f32 = 0.12;
/// A writer's slant, up to: pixels to the side per pixel of height.
const WRITER_SLANT: f32 = 0.36;
/// A writer's rotation of the line of writing, up to, in radians.
const WRITER_ROTATION: f32 = 0.12;
/// Half the width of the pen in pixels, and how much writers differ, up to.
const PEN_RADIUS: f32 = 0.95;
const WRITER_PEN: f32 = 0.5;
/// How much thinner a writer's strokes end than they are in the middle, up to this fraction.
const WRITER_TAPER: f32 = 0.7;
/// How round a writer makes sharp corners, up to this fraction.
const WRITER_ROUNDING: f32 = 0.9;
/// A writer's bow of straight lines, up to, in units of their length.
const WRITER_BOW: f32 = 0.12;
/// How much paler than black a writer's ink is, up to this fraction.
const WRITER_PALENESS: f32 = 0.4;

/// Rotation of one example in radians, size as a fraction, place in pixels, all up to.
const EXAMPLE_ROTATION: f32 = 0.14;
const EXAMPLE_SIZE: f32 = 0.10;
const EXAMPLE_SHIFT: f32 = 2.4;
/// Elastic displacement in pixels, about.
const ELASTIC: f32 = 1.6;
/// A stroke's place, its ends and its inner points, in pixels, about.
const STROKE_SHIFT: f32 = 0.8;
const END_JITTER: f32 = 1.1;
const POINT_JITTER: f32 = 0.6;
/// Chance of a gap in the ink, and of a blot, at difficulty 1.
const GAP_CHANCE: f32 = 0.5;
const BLOT_CHANCE: f32 = 0.3;
/// Radii of gaps and blots in pixels.
const GAP_RADIUS: (f32, f32) = (1.0, 2.0);
const BLOT_RADIUS: (f32, f32) = (1.2, 2.2);
/// Noise of a pixel, about, as a fraction of full ink.
const NOISE: f32 = 0.10;

/// Draws a class as designed, with the nominal pen: `out` is `[28, 28]`, ink 255 on 0.
pub(crate) fn render_clean(strokes: &[Stroke], out: &mut [u8]) {
    let mut canvas = Canvas::<SIDE, SIDE>::new();
    for stroke in strokes {
        let path = stroke.path(0.0);
        for pair in path.points().windows(2) {
            let (start, end) = (to_pixels(pair[0]), to_pixels(pair[1]));
            canvas.draw(&Segment { start, end, start_radius: PEN_RADIUS, end_radius: PEN_RADIUS }, 1.0);
        }
    }
    for (value, ink) in out.iter_mut().zip(canvas.rows().iter().flatten()) {
        *value = (ink * 255.0).round() as u8;
    }
}

/// Draws one example of a class: `out` is `[28, 28]`, ink on 0.
pub(crate) fn render(strokes: &[Stroke], writer: Seed, example: Seed, difficulty: f32, out: &mut [u8]) {
    let amount = LEAST_AMOUNT + (1.0 - LEAST_AMOUNT) * difficulty;
    let mut draws = Draws::new(example);
    let habits = Habits::draw(amount, &mut Draws::new(writer));
    let sheet = Sheet::draw(amount, &habits, &mut draws);
    let mut canvas = Canvas::<SIDE, SIDE>::new();
    let mut accidents = Accidents::draw(strokes.len(), amount, &mut draws);
    for (index, stroke) in strokes.iter().enumerate() {
        let path = sheet.follow(&jittered(stroke, amount, &mut draws), &habits);
        habits.draw_path(&path, &mut canvas);
        accidents.note(index, &path);
    }
    accidents.happen(&mut canvas);
    develop(&canvas, habits.ink, NOISE * amount, &mut draws, out);
}

/// The middle of the unit square is the middle of the picture.
fn to_pixels(point: Point) -> Point {
    Point::new(CENTRE + BOX * (point.x - 0.5), CENTRE + BOX * (point.y - 0.5))
}

/// What one writer always does.
struct Habits {
    size: Point,
    slant: f32,
    rotation: f32,
    pen_radius: f32,
    taper: f32,
    rounding: f32,
    bow: f32,
    ink: f32,
}

impl Habits {
    fn draw(amount: f32, draws: &mut Draws) -> Self {
        Self {
            size: Point::new(1.0 + amount * WRITER_SIZE * draws.signed(), 1.0 + amount * WRITER_SIZE * draws.signed()),
            slant: amount * WRITER_SLANT * draws.signed(),
            rotation: amount * WRITER_ROTATION * draws.signed(),
            pen_radius: PEN_RADIUS + amount * WRITER_PEN * draws.signed(),
            taper: amount * WRITER_TAPER * draws.unit(),
            rounding: amount * WRITER_ROUNDING * draws.unit(),
            bow: amount * WRITER_BOW * draws.signed(),
            ink: 1.0 - amount * WRITER_PALENESS * draws.unit(),
        }
    }

    /// Draws a path of pixels, thinner towards its ends.
    fn draw_path(&self, path: &Path, canvas: &mut Canvas<SIDE, SIDE>) {
        let points = path.points();
        let n_steps = (points.len() - 1) as f32;
        let radius = |step: usize| {
            let from_middle = 2.0 * step as f32 / n_steps - 1.0;
            self.pen_radius * (1.0 - self.taper * from_middle * from_middle)
        };
        for (step, pair) in points.windows(2).enumerate() {
            let (start_radius, end_radius) = (radius(step), radius(step + 1));
            canvas.draw(&Segment { start: pair[0], end: pair[1], start_radius, end_radius }, 1.0);
        }
    }
}

/// Nodes of the elastic field along a side: three spline intervals over the picture.
const NODES: usize = 6;
/// Nodes per pixel.
const DENSITY: f32 = (NODES - 3) as f32 / SIDE as f32;
/// Brings a spline through white noise back to a deviation of about 1.
const SPLINE_GAIN: f32 = 2.0;

/// The position of the paper on one occasion: an affine map and an elastic field over it.
struct Sheet {
    matrix: [[f32; 2]; 2],
    offset: Point,
    nodes: [[Point; NODES]; NODES],
}

impl Sheet {
    fn draw(amount: f32, habits: &Habits, draws: &mut Draws) -> Self {
        let (sin, cos) = (habits.rotation + amount * EXAMPLE_ROTATION * draws.signed()).sin_cos();
        let size = 1.0 + amount * EXAMPLE_SIZE * draws.signed();
        let (size_x, size_y) = (size * habits.size.x, size * habits.size.y);
        let slanted = -habits.slant * size_y;
        let matrix = [[cos * size_x, cos * slanted - sin * size_y], [sin * size_x, sin * slanted + cos * size_y]];
        let shift = |draws: &mut Draws| CENTRE + amount * EXAMPLE_SHIFT * draws.signed();
        let offset = Point::new(shift(draws), shift(draws));
        let gain = amount * ELASTIC * SPLINE_GAIN;
        let mut nodes = [[Point::new(0.0, 0.0); NODES]; NODES];
        for node in nodes.iter_mut().flatten() {
            *node = Point::new(gain * draws.bell(), gain * draws.bell());
        }
        Self { matrix, offset, nodes }
    }

    /// The path of a stroke in pixels of the picture.
    fn follow(&self, stroke: &Stroke, habits: &Habits) -> Path {
        let mut path = stroke.path(habits.rounding);
        if !stroke.smooth {
            bow(path.points_mut(), habits.bow);
        }
        for point in path.points_mut() {
            *point = self.place(*point);
        }
        path
    }

    fn place(&self, point: Point) -> Point {
        let from_centre = (point - Point::new(0.5, 0.5)) * BOX;
        let mapped = Point::new(
            self.offset.x + self.matrix[0][0] * from_centre.x + self.matrix[0][1] * from_centre.y,
            self.offset.y + self.matrix[1][0] * from_centre.x + self.matrix[1][1] * from_centre.y,
        );
        mapped + self.displacement(mapped)
    }

    fn displacement(&self, place: Point) -> Point {
        let (column, weights_x) = spline_interval(place.x);
        let (row, weights_y) = spline_interval(place.y);
        let mut sum = Point::new(0.0, 0.0);
        for (nodes, weight_y) in self.nodes[row..].iter().zip(weights_y) {
            for (node, weight_x) in nodes[column..].iter().zip(weights_x) {
                sum = sum + *node * (weight_x * weight_y);
            }
        }
        sum
    }
}

/// The first node of the interval around a coordinate, and the weights of the four nodes from it.
fn spline_interval(coordinate: f32) -> (usize, [f32; 4]) {
    let position = (coordinate * DENSITY).clamp(0.0, (NODES - 3) as f32);
    let first = (position as usize).min(NODES - 4);
    (first, spline_weights(position - first as f32))
}

/// The uniform cubic B-spline's four weights at `t` in `0..1` between the second and the third node.
fn spline_weights(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    let rest = 1.0 - t;
    [rest * rest * rest, 3.0 * t3 - 6.0 * t2 + 4.0, -3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0, t3].map(|weight| weight / 6.0)
}

/// Bends each span of a path into an arc.
fn bow(points: &mut [Point], bow: f32) {
    for span in 0..(points.len() - 1) / STEPS_PER_SPAN {
        let start = span * STEPS_PER_SPAN;
        let across = (points[start + STEPS_PER_SPAN] - points[start]).normal() * bow;
        for step in 1..STEPS_PER_SPAN {
            let t = step as f32 / STEPS_PER_SPAN as f32;
            points[start + step] = points[start + step] + across * (4.0 * t * (1.0 - t));
        }
    }
}

/// The stroke with its place and its points a little off. Closed strokes come apart a little, as they do on paper.
fn jittered(stroke: &Stroke, amount: f32, draws: &mut Draws) -> Stroke {
    let about = |deviation: f32, draws: &mut Draws| {
        let scale = amount * deviation / BOX;
        Point::new(scale * draws.bell(), scale * draws.bell())
    };
    let shift = about(STROKE_SHIFT, draws);
    let mut changed = *stroke;
    let last = stroke.points().len() - 1;
    for (index, point) in changed.points_mut().iter_mut().enumerate() {
        let deviation = if index == 0 || index == last { END_JITTER } else { POINT_JITTER };
        *point = *point + shift + about(deviation, draws);
    }
    changed
}

/// A gap and a blot that may happen to one stroke each.
struct Accidents {
    gap: Accident,
    blot: Accident,
}

struct Accident {
    happens: bool,
    stroke: usize,
    /// where on the path, `0..1`
    position: f32,
    radius: f32,
    place: Point,
}

impl Accident {
    fn draw(n_strokes: usize, chance: f32, radii: (f32, f32), draws: &mut Draws) -> Self {
        Self {
            happens: draws.unit() < chance,
            stroke: draws.below(n_strokes),
            position: draws.unit(),
            radius: radii.0 + draws.unit() * (radii.1 - radii.0),
            place: Point::new(0.0, 0.0),
        }
    }

    fn note(&mut self, stroke: usize, path: &Path) {
        if stroke == self.stroke {
            let last = path.points().len() - 1;
            debug_assert!(last < MAX_PATH);
            self.place = path.points()[(self.position * last as f32) as usize];
        }
    }
}

impl Accidents {
    fn draw(n_strokes: usize, amount: f32, draws: &mut Draws) -> Self {
        Self {
            gap: Accident::draw(n_strokes, GAP_CHANCE * amount, GAP_RADIUS, draws),
            blot: Accident::draw(n_strokes, BLOT_CHANCE * amount, BLOT_RADIUS, draws),
        }
    }

    fn note(&mut self, stroke: usize, path: &Path) {
        self.gap.note(stroke, path);
        self.blot.note(stroke, path);
    }

    fn happen(&self, canvas: &mut Canvas<SIDE, SIDE>) {
        if self.gap.happens {
            canvas.erase(self.gap.place, self.gap.radius);
        }
        if self.blot.happens {
            let Accident { place, radius, .. } = self.blot;
            canvas.draw(&Segment { start: place, end: place, start_radius: radius, end_radius: radius }, 1.0);
        }
    }
}

/// Ink to bytes, with noise.
fn develop(canvas: &Canvas<SIDE, SIDE>, ink: f32, noise: f32, draws: &mut Draws, out: &mut [u8]) {
    debug_assert_eq!(out.len(), PIXELS);
    for (value, coverage) in out.iter_mut().zip(canvas.rows().iter().flatten()) {
        let shade = ink * coverage + noise * bell_of(draws.bits());
        *value = (shade * 255.0 + 0.5) as u8;
    }
}
