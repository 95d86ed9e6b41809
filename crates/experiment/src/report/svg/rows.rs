//! A chart of rows that share one axis: accuracies, differences with intervals, before and after.
//!
//! Each row is a label, a strip of the chart and a number, three cells of a CSS grid. Where the page is wide they stand
//! side by side, on a phone the strip moves under its label, and the strips still line up.

use super::scale::Scale;
use super::{Anchor, Mark, Svg, escape};
use std::fmt::Write;

const AXIS_HEIGHT: f64 = 34.0;

/// Something drawn in a row, at values of the axis.
#[derive(Clone, Debug)]
pub(crate) enum Ink {
    /// a line between two values; style and colour are CSS classes
    Interval { from: f64, to: f64, style: &'static str, class: &'static str },
    /// a value
    Value { at: f64, mark: Mark, class: &'static str },
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// plain text
    pub(crate) label: String,
    /// smaller text under the label
    pub(crate) detail: String,
    /// number at the right, plain text
    pub(crate) value: String,
    /// CSS class of the number
    pub(crate) value_class: &'static str,
    /// drawn in this order
    pub(crate) ink: Vec<Ink>,
}

/// A chart of rows.
pub(crate) struct RowChart {
    /// the shared axis
    pub(crate) scale: Scale,
    /// whether the numbers are shares shown in percent
    pub(crate) in_percent: bool,
    /// a value marked by a stronger line, such as no difference
    pub(crate) zero: Option<f64>,
    /// what the axis measures
    pub(crate) axis_title: String,
    /// top to bottom
    pub(crate) rows: Vec<Row>,
}

impl RowChart {
    /// HTML of the chart.
    pub(crate) fn render(&self) -> String {
        let mut html = String::from(r#"<div class="rows">"#);
        for row in &self.rows {
            let detail = match row.detail.as_str() {
                "" => String::new(),
                detail => format!(r#"<small>{}</small>"#, escape(detail)),
            };
            let _ = write!(
                html,
                r#"<div class="row"><div class="row-label">{}{detail}</div><div class="row-plot">{}</div><div class="row-value {}">{}</div></div>"#,
                escape(&row.label),
                self.strip(row),
                row.value_class,
                escape(&row.value)
            );
        }
        let _ = write!(
            html,
            r#"<div class="row axis"><div></div><div class="row-plot">{}</div><div></div></div></div>"#,
            self.axis()
        );
        html
    }

    fn strip(&self, row: &Row) -> String {
        let mut svg = Svg::filling();
        self.grid(&mut svg, 100.0);
        let y = 50.0;
        for ink in &row.ink {
            match *ink {
                Ink::Interval { from, to, style, class } => {
                    svg.line((self.scale.percent(from), y), (self.scale.percent(to), y), &format!("{style} {class}"));
                }
                Ink::Value { at, mark, class } => svg.mark((self.scale.percent(at), y), 5.0, mark, class, ""),
            }
        }
        svg.finish("")
    }

    fn grid(&self, svg: &mut Svg, height: f64) {
        for &tick in &self.scale.ticks {
            svg.line((self.scale.percent(tick), 0.0), (self.scale.percent(tick), height), "grid");
        }
        for zero in self.zero.iter().filter(|zero| self.scale.contains(**zero)) {
            svg.line((self.scale.percent(*zero), 0.0), (self.scale.percent(*zero), height), "zero");
        }
    }

    fn axis(&self) -> String {
        let mut svg = Svg::new(AXIS_HEIGHT);
        self.grid(&mut svg, 4.0);
        for &tick in &self.scale.ticks {
            let text = if self.in_percent { self.scale.percent_text(tick) } else { self.scale.tick_text(tick) };
            svg.text((self.scale.percent(tick), 16.0), 0.0, Anchor::Middle, "tick", &text);
        }
        svg.text((50.0, 31.0), 0.0, Anchor::Middle, "axis-title", &self.axis_title);
        svg.finish("")
    }
}
