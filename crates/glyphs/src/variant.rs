//! Variants: one stroke of a family's composition added, removed, moved, reshaped.
//!
//! Lengths are in units of the glyph's side. A proposal may be useless (too close to another class); the alphabet
//! decides.

use crate::stroke::{Point, Stroke};
use stillhouse_core::Draws;

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
/// A changed stroke may have this part of its length closer than this to other strokes.
const MOST_NEAR: f32 = 0.45;
const CLEARANCE: f32 = 0.12;
/// Nothing leaves the unit square by more.
const OVERHANG: f32 = 0.04;

/// Only strokes with at most this part of the glyph's length are removed.
const MOST_REMOVED: f32 = 0.4;
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

/// The kinds of change; a change that stays visible in hasty writing is drawn more often.
const CHANGES: [Change; 12] = [
    Change::CrossBar,
    Change::CrossBar,
    Change::Tick,
    Change::Tick,
    Change::Dot,
    Change::Remove,
    Change::Move,
    Change::MoveEnd,
    Change::MoveEnd,
    Change::Bend,
    Change::Mirror,
    Change::Mirror,
];

#[derive(Clone, Copy)]
enum Change {
    CrossBar,
    Tick,
    Dot,
    Remove,
    Move,
    MoveEnd,
    Bend,
    Mirror,
}

/// A random change of one stroke, or nothing when the draw does not fit the glyph.
pub(crate) fn propose(base: &[Stroke], draws: &mut Draws) -> Option<Vec<Stroke>> {
    let mut others = base.to_vec();
    let stroke = others.remove(draws.below(base.len()));
    let (changed, keeps_stroke) = match CHANGES[draws.below(CHANGES.len())] {
        Change::CrossBar => (cross_bar(&stroke, draws)?, true),
        Change::Tick => (tick(&stroke, draws), true),
        Change::Dot => (dot(base, draws)?, true),
        Change::Remove => return is_minor(&stroke, base).then_some(others),
        Change::Move => (moved(&stroke, draws), false),
        Change::MoveEnd => (with_moved_end(&stroke, draws), false),
        Change::Bend => (bent(&stroke, draws)?, false),
        Change::Mirror => (mirrored(&stroke), false),
    };
    let fits = is_inside(&changed) && stands_apart(&changed, &others);
    others.extend(keeps_stroke.then_some(stroke));
    others.push(changed);
    fits.then_some(others)
}

/// Whether the glyph keeps most of its ink without the stroke.
fn is_minor(stroke: &Stroke, base: &[Stroke]) -> bool {
    stroke.length() <= MOST_REMOVED * base.iter().map(Stroke::length).sum::<f32>()
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
    let places = [centre, centre - slant, centre + slant];
    let free = base.iter().all(|stroke| places.iter().all(|place| distance_to(stroke, *place) >= DOT_CLEARANCE));
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

/// A straight line becomes an arc; of anything else one inner point moves.
fn bent(stroke: &Stroke, draws: &mut Draws) -> Option<Stroke> {
    if stroke.length() < SHORT {
        return None;
    }
    let [start, end] = *stroke.points() else {
        let mut changed = *stroke;
        let inner = 1 + draws.below(stroke.points().len() - 2);
        let direction = unit_vector(Point::new(draws.signed(), draws.signed()));
        changed.points_mut()[inner] = stroke.points()[inner] + direction * between(MOVE_LENGTH, draws);
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

/// Whether most of a stroke keeps its distance from all others, so that lines do not merge.
fn stands_apart(stroke: &Stroke, others: &[Stroke]) -> bool {
    let path = stroke.path(0.0);
    let is_near = |point: &&Point| others.iter().any(|other| distance_to(other, **point) < CLEARANCE);
    let n_near = path.points().iter().filter(is_near).count();
    n_near as f32 <= MOST_NEAR * path.points().len() as f32
}

/// The distance of a point from a stroke.
fn distance_to(stroke: &Stroke, point: Point) -> f32 {
    let to_span = |pair: &[Point]| {
        let (along, away) = (pair[1] - pair[0], point - pair[0]);
        let squared = along.x * along.x + along.y * along.y;
        let t = if squared > 0.0 { (away.x * along.x + away.y * along.y) / squared } else { 0.0 };
        pair[0].lerp(pair[1], t.clamp(0.0, 1.0)).distance(point)
    };
    stroke.path(0.0).points().windows(2).map(to_span).fold(f32::MAX, f32::min)
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
