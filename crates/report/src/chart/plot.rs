//! Curves and labelled points over one horizontal axis: training histories, accuracy along a sweep, what accuracy costs.

use super::scale::Scale;
use super::tick::{Tick, rounded};
use crate::chart::Mark;
use serde::Serialize;
use std::fmt::Write;

/// Points that a curve keeps at most; more cannot be seen and only make the page heavy.
const MAX_POINTS: usize = 400;

/// Room under the plot: without numbers, with numbers, with a title of the axis.
const BOTTOMS: [u32; 3] = [4, 22, 38];

/// Side of the box that curves are drawn in before it is stretched.
const STRETCHED: f64 = 1000.0;

/// Vertical distance that keeps two labels apart, in pixels.
const LABEL_HEIGHT: f64 = 16.0;

/// Vertical distance that keeps a label off the mark of another point, in pixels.
const MARK_HEIGHT: f64 = 11.0;

/// Steps in which a label moves away from its point, in pixels.
const LABEL_STEP: f64 = 4.0;

/// Width of a character of a label, in pixels.
const CHARACTER_WIDTH: f64 = 6.5;

/// Width of a plot on a page that is neither wide nor narrow, in pixels; the page itself stretches plots.
const TYPICAL_WIDTH: f64 = 700.0;

/// Points right of this percentage carry their label on the left.
const LABEL_TURNS_AT: f64 = 55.0;

/// A point with a mark.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) mark: Mark,
    /// CSS class of its colour
    pub(crate) class: String,
    /// text next to the point; empty for none
    pub(crate) label: String,
    /// no other point has its mark: where a page is narrow, the label moves under the plot
    pub(crate) has_own_mark: bool,
    /// on hover
    pub(crate) tooltip: String,
}

/// The axes of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Axes {
    /// height of the area between the axes, in pixels
    pub(crate) height: f64,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    /// what the horizontal axis measures; empty without a title
    pub(crate) x_title: &'static str,
    /// whether the horizontal numbers are printed
    pub(crate) x_is_numbered: bool,
}

/// A plot in percent of its width and pixels of its height.
#[derive(Debug, Serialize)]
pub(crate) struct Plot {
    height: f64,
    bottom: u32,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    x_title: &'static str,
    /// points as SVG takes them, and the classes of colour and width
    curves: Vec<(String, String)>,
    /// `x`, its two ends, class
    intervals: Vec<(f64, f64, f64, String)>,
    marks: Vec<PlacedMark>,
    #[serde(skip)]
    axes: Axes,
}

#[derive(Debug, Serialize)]
struct PlacedMark {
    x: f64,
    y: f64,
    radius: u32,
    mark: Mark,
    class: String,
    tooltip: String,
    label: String,
    has_own_mark: bool,
    label_y: f64,
    label_is_left: bool,
}

impl Plot {
    /// An empty plot.
    pub(crate) fn new(axes: Axes) -> Self {
        let room = if !axes.x_is_numbered {
            0
        } else if axes.x_title.is_empty() {
            1
        } else {
            2
        };
        let x_ticks = if axes.x_is_numbered { axes.x.ticks(|tick| rounded(axes.x.percent(tick))) } else { Vec::new() };
        Self {
            height: axes.height,
            bottom: BOTTOMS[room],
            x_ticks,
            y_ticks: axes.y.ticks(|tick| rounded(axes.pixel(tick))),
            x_title: axes.x_title,
            curves: Vec::new(),
            intervals: Vec::new(),
            marks: Vec::new(),
            axes,
        }
    }

    /// Draws a curve, thinned out and without what is not finite; `shift` moves it by a share of the width.
    pub(crate) fn curve(&mut self, points: &[(f64, f64)], shift: f64, class: &str) {
        let finite: Vec<_> = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        let stride = finite.len().div_ceil(MAX_POINTS).max(1);
        let last = finite.len().saturating_sub(1);
        let kept = finite.iter().enumerate().filter(|(index, _)| index % stride == 0 || *index == last);
        let mut drawn = String::new();
        for (_, (x, y)) in kept {
            let (x, y) = (self.axes.x.position(*x) + shift, 1.0 - self.axes.y.position(*y));
            let _ = write!(drawn, "{:.1},{:.1} ", x * STRETCHED, y * STRETCHED);
        }
        self.curves.push((drawn, class.to_owned()));
    }

    /// Draws a point and the interval of its value.
    pub(crate) fn point_with_interval(&mut self, point: Point, shift: f64, [low, high]: [f64; 2]) {
        let x = rounded(self.axes.x.percent(point.x) + 100.0 * shift);
        if low.is_finite() && high.is_finite() && low < high {
            let [low, high] = [low, high].map(|end| rounded(self.axes.pixel(end)));
            self.intervals.push((x, low, high, point.class.clone()));
        }
        if point.y.is_finite() {
            let label_y = self.axes.pixel(point.y);
            self.marks.push(PlacedMark { x, radius: 4, ..self.placed(point, label_y) });
        }
    }

    /// Draws points whose labels keep clear of each other.
    pub(crate) fn labelled_points(&mut self, points: Vec<Point>) {
        let points: Vec<Point> =
            points.into_iter().filter(|point| point.x.is_finite() && point.y.is_finite()).collect();
        let heights = self.axes.label_heights(&points);
        let placed: Vec<_> =
            points.into_iter().zip(heights).map(|(point, height)| self.placed(point, height)).collect();
        self.marks.extend(placed);
    }

    fn placed(&self, point: Point, label_y: f64) -> PlacedMark {
        let Point { x, y, mark, class, label, has_own_mark, tooltip } = point;
        let x = rounded(self.axes.x.percent(x));
        let (y, label_y, label_is_left) = (rounded(self.axes.pixel(y)), rounded(label_y), x > LABEL_TURNS_AT);
        PlacedMark { x, y, radius: 5, mark, class, tooltip, label, has_own_mark, label_y, label_is_left }
    }
}

impl Axes {
    fn pixel(&self, value: f64) -> f64 {
        (1.0 - self.y.position(value)) * self.height
    }

    /// Labels stand at their points' height unless another is in the way; then as near to it as there is room.
    fn label_heights(&self, points: &[Point]) -> Vec<f64> {
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by(|&a, &b| self.pixel(points[a].y).total_cmp(&self.pixel(points[b].y)));
        let mut heights = vec![0.0; points.len()];
        let mut placed: Vec<([f64; 2], f64)> = Vec::new();
        for index in order {
            let own = self.pixel(points[index].y);
            let [from, to] = self.label_extent(&points[index]);
            let is_free = |height: &f64| {
                let is_apart = |([other_from, other_to], other): &([f64; 2], f64)| {
                    *other_to < from || to < *other_from || (height - other).abs() >= LABEL_HEIGHT
                };
                let is_clear = |(other, point): (usize, &Point)| {
                    let at = self.x.percent(point.x);
                    other == index || at < from || to < at || (height - self.pixel(point.y)).abs() >= MARK_HEIGHT
                };
                placed.iter().all(is_apart) && points.iter().enumerate().all(is_clear)
            };
            let is_inside = |height: &f64| (0.0..=self.height - LABEL_HEIGHT / 2.0).contains(height);
            let steps = (0..).map(|step| f64::from(step) * LABEL_STEP).take_while(|shift| *shift <= self.height);
            let nearby = steps.flat_map(|shift| [own + shift, own - shift]);
            let height = nearby.filter(is_inside).find(is_free).unwrap_or(own);
            heights[index] = height;
            placed.push(([from, to], height));
        }
        heights
    }

    /// From where to where a label reaches, in percent of a plot of [`TYPICAL_WIDTH`].
    fn label_extent(&self, point: &Point) -> [f64; 2] {
        let at = self.x.percent(point.x);
        let width = 100.0 * (point.label.chars().count() as f64 * CHARACTER_WIDTH + 20.0) / TYPICAL_WIDTH;
        if at > LABEL_TURNS_AT { [at - width, at] } else { [at, at + width] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_close_points_do_not_overlap() {
        let point = |y: f64| Point {
            x: 10.0,
            y,
            mark: Mark::DOT,
            class: "c0".into(),
            label: "a label".into(),
            has_own_mark: false,
            tooltip: String::new(),
        };
        let points: Vec<Point> = [0.600, 0.601, 0.602, 0.9].into_iter().map(point).collect();
        let axes = Axes {
            height: 240.0,
            x: Scale::log([10.0, 1e4]),
            y: Scale::linear(points.iter().map(|point| point.y), 4),
            x_title: "",
            x_is_numbered: true,
        };
        let mut heights = axes.label_heights(&points);
        assert!(heights.iter().all(|height| (0.0..240.0).contains(height)), "{heights:?}");
        heights.sort_by(f64::total_cmp);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT), "{heights:?}");
    }
}
