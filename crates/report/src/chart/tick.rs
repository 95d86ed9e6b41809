//! Ticks of an axis, and the precision of positions.

use serde::Serialize;

/// A line and a number on an axis.
#[derive(Debug, Serialize)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) text: String,
}

/// As precise as a screen is.
pub(super) fn rounded(position: f64) -> f64 {
    (position * 100.0).round() / 100.0
}
