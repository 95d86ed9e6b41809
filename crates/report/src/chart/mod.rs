//! Charts as data: positions of what is drawn. The page's template draws them as inline SVG.
//!
//! A chart that is scaled as a whole shrinks its text with it. Here nothing is scaled: the SVG is as wide as its box,
//! horizontal positions are **percent** of it, vertical ones are pixels. Curves, which cannot be given in percent, are
//! points of a nested `<svg>` of 1000 x 1000 that stretches, under strokes that do not. Colours are CSS classes, so one
//! chart serves light, dark and paper.

pub(crate) mod plot;
pub(crate) mod rows;
pub(crate) mod scale;

use crate::role::Role;
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
    /// classes of marks and what they mean
    pub(crate) legend: Vec<(String, String)>,
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

/// A mark that is told apart by shape as well as by colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    /// a filled circle
    Dot,
    /// an outlined circle
    Ring,
    /// a filled square
    Square,
}

impl Mark {
    /// Teachers are squares, the student a dot, its twins rings.
    pub(crate) fn of_model(name: &str) -> Self {
        match Role::of_name(name) {
            Some(Role::Student) => Self::Dot,
            Some(role) if role.is_teacher() => Self::Square,
            _ => Self::Ring,
        }
    }

    /// The CSS classes of the mark in text and legends.
    pub(crate) fn classes(self, colour: &str) -> String {
        let shape = match self {
            Self::Dot => "dot",
            Self::Ring => "ring",
            Self::Square => "square",
        };
        format!("{shape} {colour}")
    }
}

/// A line and a number on an axis.
#[derive(Debug, Serialize)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) text: String,
}

/// As precise as a screen is.
fn rounded(position: f64) -> f64 {
    (position * 100.0).round() / 100.0
}
