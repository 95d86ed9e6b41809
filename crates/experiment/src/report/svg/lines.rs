//! Curves over one horizontal axis: training histories, accuracy along the values of a sweep.

use super::scale::Scale;
use super::{Anchor, Mark, Svg};

/// Points that a curve keeps at most; more cannot be seen and only make the page heavy.
const MAX_POINTS: usize = 400;

/// Room for the numbers under the axis.
const AXIS_HEIGHT: f64 = 22.0;

/// One curve.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// classes for colour and dash
    pub(crate) class: String,
    /// moves the series to the right by this share of the width, so that intervals at one x do not hide each other
    pub(crate) shift: f64,
    /// ascending in x
    pub(crate) points: Vec<(f64, f64)>,
    /// interval of each marked point: `(x, low, high)`
    pub(crate) intervals: Vec<(f64, f64, f64)>,
    /// points with a mark and its tooltip
    pub(crate) marks: Vec<(f64, f64, String)>,
}

/// A plot of curves.
pub(crate) struct LinePlot {
    /// height of the area between the axes, in pixels
    pub(crate) height: f64,
    /// horizontal axis
    pub(crate) x: Scale,
    /// vertical axis
    pub(crate) y: Scale,
    /// whether the vertical numbers are shares shown in percent
    pub(crate) y_in_percent: bool,
    /// whether the horizontal numbers are printed
    pub(crate) x_is_numbered: bool,
    /// drawn in this order
    pub(crate) series: Vec<Series>,
}

impl LinePlot {
    /// HTML of the plot; `label` is read aloud in its place.
    pub(crate) fn render(&self, label: &str) -> String {
        let mut svg = Svg::new(self.height);
        self.axes(&mut svg);
        let curves: Vec<(Vec<(f64, f64)>, &str)> =
            self.series.iter().map(|series| (self.stretched(series), series.class.as_str())).collect();
        svg.stretched_curves(curves.iter().map(|(points, class)| (points.as_slice(), *class)));
        for series in &self.series {
            self.intervals_and_marks(&mut svg, series);
        }
        let bottom = if self.x_is_numbered { AXIS_HEIGHT } else { 4.0 };
        format!(r#"<div class="plot" style="padding-bottom:{bottom}px">{}</div>"#, svg.finish(label))
    }

    fn axes(&self, svg: &mut Svg) {
        for &tick in &self.y.ticks {
            let y = self.pixel(tick);
            svg.line((0.0, y), (100.0, y), "grid");
            let text = if self.y_in_percent { self.y.percent_text(tick) } else { self.y.tick_text(tick) };
            svg.text((0.0, y + 4.0), -7.0, Anchor::End, "tick", &text);
        }
        svg.line((0.0, self.height), (100.0, self.height), "axis-line");
        for &tick in self.x.ticks.iter().filter(|_| self.x_is_numbered) {
            let x = self.x.percent(tick);
            svg.line((x, self.height), (x, self.height + 4.0), "axis-line");
            svg.text((x, self.height + 16.0), 0.0, Anchor::Middle, "tick", &self.x.tick_text(tick));
        }
    }

    fn intervals_and_marks(&self, svg: &mut Svg, series: &Series) {
        for &(x, low, high) in &series.intervals {
            let x = self.x.percent(x) + 100.0 * series.shift;
            svg.line((x, self.pixel(low)), (x, self.pixel(high)), &format!("interval {}", series.class));
        }
        for (x, y, tooltip) in &series.marks {
            svg.mark(
                (self.x.percent(*x) + 100.0 * series.shift, self.pixel(*y)),
                4.0,
                Mark::Dot,
                &series.class,
                tooltip,
            );
        }
    }

    fn pixel(&self, value: f64) -> f64 {
        (1.0 - self.y.position(value)) * self.height
    }

    /// Shares of width and height, thinned out, without what is not finite.
    fn stretched(&self, series: &Series) -> Vec<(f64, f64)> {
        let finite: Vec<_> = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        let stride = finite.len().div_ceil(MAX_POINTS).max(1);
        let last = finite.len().saturating_sub(1);
        finite
            .iter()
            .enumerate()
            .filter(|(index, _)| index % stride == 0 || *index == last)
            .map(|(_, (x, y))| (self.x.position(*x) + series.shift, 1.0 - self.y.position(*y)))
            .collect()
    }
}
