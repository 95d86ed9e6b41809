//! Many runs side by side: a table for programs (`summary.csv`), a page and a Markdown file for people.
//!
//! Cells that differ only in the seed are one **setting**; its numbers are means over seeds with Student's t intervals.
//! The best setting is the best on the **validation** split: the test split shows what that choice is worth, and choosing
//! by it would flatter the result. Failed cells are listed, never dropped.

mod axes;
mod csv;
mod markdown;
mod page;
mod settings;
mod terminal;

pub use csv::summary_csv;
pub use markdown::sweep_markdown;
pub use page::sweep_html;
pub use terminal::sweep_terminal;

use super::contract::Report;

/// The axis over which is averaged.
pub(crate) const SEED_AXIS: &str = "seed";

/// One run of a sweep.
#[derive(Clone, Debug)]
pub struct SweepCell {
    /// key and value of every axis, in the order of the sweep
    pub axes: Vec<(String, String)>,
    /// its report, or why there is none
    pub outcome: Result<Report, String>,
}

impl SweepCell {
    fn value(&self, key: &str) -> Option<&str> {
        self.axes.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// Every axis of the cells, in the order of first appearance.
fn axis_keys(cells: &[SweepCell]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for (key, _) in cells.iter().flat_map(|cell| &cell.axes) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}

/// A value as people write it, without the quotes of a config.
fn plain_value(value: &str) -> String {
    value.trim_matches('"').to_owned()
}

/// The last part of a key, unless another axis ends alike.
fn short_key(key: &str, keys: &[String]) -> String {
    let last = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let is_ambiguous = keys.iter().filter(|other| last(other) == last(key)).count() > 1;
    if is_ambiguous { key.to_owned() } else { last(key) }
}

#[cfg(test)]
mod tests;
