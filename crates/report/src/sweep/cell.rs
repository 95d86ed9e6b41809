//! One run of a sweep, and the names of its axes.

use crate::contract::Report;

/// The axis over which is averaged.
pub(super) const SEED_AXIS: &str = "seed";

/// One run of a sweep.
#[derive(Clone, Debug)]
pub struct SweepCell {
    /// key and value of every axis, in the order of the sweep
    pub axes: Vec<(String, String)>,
    /// its report, or why there is none
    pub outcome: Result<Report, String>,
    /// whether there is none because a search did not go on with this run
    pub is_dropped: bool,
}

impl SweepCell {
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.axes.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// Every axis of the cells, in the order of first appearance.
pub(super) fn axis_keys(cells: &[SweepCell]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for (key, _) in cells.iter().flat_map(|cell| &cell.axes) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}

/// A value as people write it, without the quotes of a config.
pub(super) fn plain_value(value: &str) -> String {
    value.trim_matches('"').to_owned()
}

/// The last part of a key, unless another axis ends alike.
pub(super) fn short_key(key: &str, keys: &[String]) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let is_ambiguous = keys.iter().filter(|other| last(other) == last(key)).count() > 1;
    if is_ambiguous { key.to_owned() } else { last(key) }
}
