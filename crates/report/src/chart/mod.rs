//! Charts as data: positions of what is drawn. The page's template draws them as inline SVG.
//!
//! A chart that is scaled as a whole shrinks its text with it. Here nothing is scaled: the SVG is as wide as its box,
//! horizontal positions are **percent** of it, vertical ones are pixels. Curves, which cannot be given in percent, are
//! points of a nested `<svg>` of 1000 x 1000 that stretches, under strokes that do not. Colours are CSS classes, so one
//! chart serves light, dark and paper.

mod mark;
pub(crate) mod plot;
pub(crate) mod rows;
pub(crate) mod scale;
mod tick;

pub(crate) use mark::Mark;

use serde::Serialize;

/// Number of colours for series that have no colour of their own (`c0` to `c7` in the style sheet).
pub(crate) const N_COLOURS: usize = 8;

/// A chart and the words around it.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    /// above the chart; empty for none
    pub(crate) caption: String,
    /// read aloud in its place
    pub(crate) label: String,
    /// CSS class of the figure
    pub(crate) class: &'static str,
    pub(crate) chart: Chart,
    /// marks with the class of their colour, and what they mean
    pub(crate) legend: Vec<(Mark, String, String)>,
    /// below the chart; empty for none
    pub(crate) note: String,
}

impl Figure {
    /// A chart without words around it.
    pub(crate) fn new(chart: Chart) -> Self {
        let (caption, label, note) = (String::new(), String::new(), String::new());
        Self { caption, label, class: "", chart, legend: Vec::new(), note }
    }
}

/// What a figure draws.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub(crate) enum Chart {
    Rows(rows::RowChart),
    Plot(Box<plot::Plot>),
}
