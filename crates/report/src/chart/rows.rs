//! A chart of rows that share one axis: accuracies, differences with intervals, before and after.
//!
//! Each row is a label, a strip of the chart and a number, three cells of a CSS grid. Where the page is wide they stand
//! side by side, on a phone the strip moves under its label, and the strips still line up.

use super::scale::Scale;
use super::tick::{Tick, rounded};
use crate::chart::Mark;
use serde::Serialize;

/// One row, at values of the axis.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ChartRow {
    pub(crate) label: String,
    /// smaller text under the label
    pub(crate) detail: String,
    /// number at the right
    pub(crate) value: String,
    /// CSS class of the number
    pub(crate) value_class: &'static str,
    /// lines between two values, with the classes of style and colour
    pub(crate) lines: Vec<(f64, f64, String)>,
    /// values with the class of their colour, drawn over the lines
    pub(crate) marks: Vec<(f64, Mark, &'static str)>,
}

/// A chart of rows.
#[derive(Debug, Serialize)]
pub(crate) struct RowChart {
    ticks: Vec<Tick>,
    /// a value with a stronger line, such as no difference
    zero: Option<f64>,
    /// what the axis measures
    title: String,
    /// top to bottom
    rows: Vec<ChartRow>,
}

impl RowChart {
    /// Puts the rows on the axis; what is not finite is not drawn.
    pub(crate) fn new(scale: &Scale, zero: Option<f64>, title: &str, mut rows: Vec<ChartRow>) -> Self {
        let at = |value: f64| rounded(scale.percent(value));
        for row in &mut rows {
            row.lines.retain(|(from, to, _)| from.is_finite() && to.is_finite());
            row.marks.retain(|(value, _, _)| value.is_finite());
            row.lines.iter_mut().for_each(|(from, to, _)| (*from, *to) = (at(*from), at(*to)));
            row.marks.iter_mut().for_each(|(value, _, _)| *value = at(*value));
        }
        let zero = zero.filter(|zero| scale.contains(*zero)).map(at);
        Self { ticks: scale.ticks(at), zero, title: title.to_owned(), rows }
    }
}
