//! Variants: one stroke of a family's composition added, removed, moved, reshaped.
//!
//! Lengths are in units of the glyph's side. A proposal may be useless (too close to another class); the alphabet
//! decides.

use super::stroke::{Point, Stroke};
use crate::augment::draws::Draws;

/// Shortest and longest half of a bar drawn across a stroke.
const CROSS_HALF_LENGTH: (f32, f32) = (0.13, 0.17);
/// Shortest and longest mark: a dot, or a tick at the end of a stroke.
const MARK_LENGTH: (f32, f32) = (0.17, 0.25);
/// How far a stroke or its end moves.
const MOVE_LENGTH: (f32, f32) = (0.18, 0.30);
/// How far the middle of a bent stroke leaves the straight line, in units of its length.
const BEND_RATIO: (f32, f32) = (0.28, 0.40);
/// Strokes shorter than this are not bent or crossed.
const SHORT: f32 = 0.28;
/// A dot keeps this distance from every other stroke.
const DOT_CLEARANCE: f32 = 0.15;
/// Nothing leaves the unit square by more.
const OVERHANG: f32 = 0.04;

/// A glyph is at least this wide and this high.
const LEAST_EXTENT: f32 = 0.65;

/// Whether a glyph is neither a flat nor a narrow one.
pub(crate) fn fills_its_square(strokes: &[Stroke]) -> bool {
    let extent = |coordinate: fn(&Point) -> f32| {
        let values = || strokes.iter().flat_map(Stroke::points).map(coordinate);
        values().fold(f32::MIN, f32::max) - values().fold(f32::MAX, f32::min)
    };
    extent(|point| point.x) >= LEAST_EXTENT && extent(|point| point.y) >= LEAST_EXTENT
}

/// A random change of one stroke, or nothing when the draw does not fit the glyph.
pub(crate) fn propose(base: &[Stroke], draws: &mut Draws) -> Option<Vec<Stroke>> {
    let chosen = draws.below(base.len());
    let stroke = base[chosen];
    let changed = match draws.below(8) {
        0 => return with_added(base, cross_bar(&stroke, draws)?),
        1 => return with_added(base, tick(&stroke, draws)),
        2 => return with_added(base, dot(base, draws)?),
        3 => return without(base, chosen),
        4 => moved(&stroke, draws),
        5 => with_moved_end(&stroke, draws),
        6 => bent(&stroke, draws)?,
        _ => mirrored(&stroke),
    };
    let mut strokes = base.to_vec();
    strokes[chosen] = changed;
    is_inside(&changed).then_some(strokes)
}

fn with_added(base: &[Stroke], added: Stroke) -> Option<Vec<Stroke>> {
    let mut strokes = base.to_vec();
    strokes.push(added);
    is_inside(&added).then_some(strokes)
}

/// The glyph without one stroke, as long as two strokes or a long one stay.
fn without(base: &[Stroke], removed: usize) -> Option<Vec<Stroke>> {
    let mut strokes = base.to_vec();
    strokes.remove(removed);
    (strokes.len() >= 2).then_some(strokes)
}

/// A bar across the stroke, like the one that makes an `l` a `t`.
fn cross_bar(stroke: &Stroke, draws: &mut Draws) -> Option<Stroke> {
    let span = draws.below(stroke.points().len() - 1);
    let (start, end) = (stroke.points()[span], stroke.points()[span + 1]);
    let half = between(CROSS_HALF_LENGTH, draws);
    let centre = start.lerp(end, between((0.25, 0.75), draws));
    if start.distance(end) < SHORT {
        return None;
    }
    let across = (end - start).normal() * (half / start.distance(end));
    Some(Stroke::new(&[centre - across, centre + across], false))
}

/// A short stroke that leaves an end of the stroke sideways.
fn tick(stroke: &Stroke, draws: &mut Draws) -> Stroke {
    let points = stroke.points();
    let (end, before) =
        if draws.below(2) == 0 { (points[0], points[1]) } else { (stroke.last(), points[points.len() - 2]) };
    let onwards = unit_vector(end - before);
    let sideways = onwards.normal() * if draws.below(2) == 0 { 1.0 } else { -1.0 };
    let direction = unit_vector(sideways + onwards * between((-0.8, 0.3), draws));
    Stroke::new(&[end, end + direction * between(MARK_LENGTH, draws)], false)
}

/// A short slanted stroke in a free place.
fn dot(base: &[Stroke], draws: &mut Draws) -> Option<Stroke> {
    let centre = Point::new(between((0.08, 0.92), draws), between((0.08, 0.92), draws));
    let half = between(MARK_LENGTH, draws) / 2.0;
    let slant = Point::new(half * 0.75, half * 0.65);
    let free = base.iter().flat_map(|stroke| stroke.path(0.0).points().to_vec()).all(|point| {
        [centre, centre - slant, centre + slant].iter().all(|place| place.distance(point) >= DOT_CLEARANCE)
    });
    free.then(|| Stroke::new(&[centre - slant, centre + slant], false))
}

fn moved(stroke: &Stroke, draws: &mut Draws) -> Stroke {
    let length = between(MOVE_LENGTH, draws) * if draws.below(2) == 0 { 1.0 } else { -1.0 };
    let step = if draws.below(2) == 0 { Point::new(length, 0.0) } else { Point::new(0.0, length) };
    stroke.map(|point| point + step)
}

/// Longer or shorter at one end.
fn with_moved_end(stroke: &Stroke, draws: &mut Draws) -> Stroke {
    let length = between(MOVE_LENGTH, draws) * if draws.below(2) == 0 { 1.0 } else { -1.0 };
    let mut changed = *stroke;
    let points = changed.points_mut();
    let (end, before) = if draws.below(2) == 0 { (0, 1) } else { (points.len() - 1, points.len() - 2) };
    points[end] = points[end] + unit_vector(points[end] - points[before]) * length;
    changed
}

/// A straight line becomes an arc; anything else gets its corners rounded or its curves straightened.
fn bent(stroke: &Stroke, draws: &mut Draws) -> Option<Stroke> {
    if stroke.length() < SHORT {
        return None;
    }
    let [start, end] = *stroke.points() else {
        let mut changed = *stroke;
        changed.smooth = !changed.smooth;
        return Some(changed);
    };
    let ratio = between(BEND_RATIO, draws) * if draws.below(2) == 0 { 1.0 } else { -1.0 };
    Some(Stroke::new(&[start, start.lerp(end, 0.5) + (end - start).normal() * ratio, end], true))
}

/// Mirrored left to right inside its own box.
fn mirrored(stroke: &Stroke) -> Stroke {
    let (low, high) =
        stroke.points().iter().fold((f32::MAX, f32::MIN), |(low, high), point| (low.min(point.x), high.max(point.x)));
    stroke.map(|point| Point::new(low + high - point.x, point.y))
}

fn is_inside(stroke: &Stroke) -> bool {
    let inside = |value: f32| (-OVERHANG..=1.0 + OVERHANG).contains(&value);
    stroke.points().iter().all(|point| inside(point.x) && inside(point.y))
}

fn unit_vector(direction: Point) -> Point {
    let length = direction.length();
    if length > 0.0 { direction * (1.0 / length) } else { Point::new(1.0, 0.0) }
}

fn between((low, high): (f32, f32), draws: &mut Draws) -> f32 {
    low + draws.unit() * (high - low)
}
