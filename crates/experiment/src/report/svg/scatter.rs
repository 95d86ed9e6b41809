//! Labelled points over a logarithmic horizontal axis: what accuracy costs.

use super::scale::Scale;
use super::{Anchor, Mark, Svg};

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

/// One labelled point.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// horizontal value, above 0
    pub(crate) x: f64,
    /// vertical value
    pub(crate) y: f64,
    /// shape
    pub(crate) mark: Mark,
    /// colour
    pub(crate) class: &'static str,
    /// plain text beside the point
    pub(crate) label: String,
    /// plain text on hover
    pub(crate) tooltip: String,
}

/// A plot of labelled points; the vertical numbers are shares shown in percent.
pub(crate) struct Scatter {
    /// in pixels
    pub(crate) height: f64,
    /// logarithmic
    pub(crate) x: Scale,
    /// linear
    pub(crate) y: Scale,
    /// what the horizontal axis measures
    pub(crate) x_title: String,
    /// in any order
    pub(crate) points: Vec<Point>,
}

impl Scatter {
    /// HTML of the plot; `label` is read aloud in its place.
    pub(crate) fn render(&self, label: &str) -> String {
        let mut svg = Svg::new(self.height);
        self.axes(&mut svg);
        let label_heights = self.label_heights();
        for (point, label_y) in self.points.iter().zip(label_heights) {
            let at = (self.x.percent(point.x), self.pixel(point.y));
            svg.mark(at, 5.0, point.mark, point.class, &point.tooltip);
            let (dx, anchor) = if at.0 > LABEL_TURNS_AT { (-10.0, Anchor::End) } else { (10.0, Anchor::Start) };
            svg.text((at.0, label_y + 4.0), dx, anchor, "point-label", &point.label);
        }
        format!(r#"<div class="plot" style="padding-bottom:38px">{}</div>"#, svg.finish(label))
    }

    fn axes(&self, svg: &mut Svg) {
        for &tick in &self.y.ticks {
            let y = self.pixel(tick);
            svg.line((0.0, y), (100.0, y), "grid");
            svg.text((0.0, y + 4.0), -7.0, Anchor::End, "tick", &self.y.percent_text(tick));
        }
        svg.line((0.0, self.height), (100.0, self.height), "axis-line");
        for &tick in &self.x.ticks {
            let x = self.x.percent(tick);
            svg.line((x, self.height), (x, self.height + 4.0), "axis-line");
            svg.text((x, self.height + 16.0), 0.0, Anchor::Middle, "tick", &self.x.tick_text(tick));
        }
        svg.text((50.0, self.height + 33.0), 0.0, Anchor::Middle, "axis-title", &self.x_title);
    }

    fn pixel(&self, value: f64) -> f64 {
        (1.0 - self.y.position(value)) * self.height
    }

    /// Labels stand at their points' height unless another is in the way; then as near to it as there is room.
    fn label_heights(&self) -> Vec<f64> {
        let mut order: Vec<usize> = (0..self.points.len()).collect();
        order.sort_by(|&a, &b| self.pixel(self.points[a].y).total_cmp(&self.pixel(self.points[b].y)));
        let mut heights = vec![0.0; self.points.len()];
        let mut placed: Vec<([f64; 2], f64)> = Vec::new();
        for index in order {
            let own = self.pixel(self.points[index].y);
            let [from, to] = self.label_extent(&self.points[index]);
            let is_free = |height: &f64| {
                let is_apart = |([other_from, other_to], other): &([f64; 2], f64)| {
                    *other_to < from || to < *other_from || (height - other).abs() >= LABEL_HEIGHT
                };
                let is_beside = |(other, point): (usize, &Point)| {
                    let at = self.x.percent(point.x);
                    other == index || at < from || to < at || (height - self.pixel(point.y)).abs() >= MARK_HEIGHT
                };
                placed.iter().all(is_apart) && self.points.iter().enumerate().all(is_beside)
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
            mark: Mark::Dot,
            class: "c0",
            label: "a label".into(),
            tooltip: String::new(),
        };
        let points: Vec<Point> = [0.600, 0.601, 0.602, 0.9].into_iter().map(point).collect();
        let values = || points.iter().map(|point| point.y);
        let scatter = Scatter {
            height: 240.0,
            x: Scale::log([10.0, 1e4]),
            y: Scale::linear(values(), 4),
            x_title: String::new(),
            points: points.clone(),
        };
        let mut heights = scatter.label_heights();
        assert!(heights.iter().all(|height| (0.0..240.0).contains(height)), "{heights:?}");
        heights.sort_by(f64::total_cmp);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LABEL_HEIGHT), "{heights:?}");
    }
}
