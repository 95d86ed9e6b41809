//! The layout of a row: all classes, or the k most probable ones, and its bytes.
//!
//! N rows, C classes, k classes that are kept, D declared temperatures.

use serde::{Deserialize, Serialize};
use stillhouse_core::Temperature;

/// What the store keeps of a distribution over C classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Layout {
    /// Every probability in single precision: exact at every temperature.
    Dense {},
    /// The k largest probabilities, and the mass of all others at each declared temperature.
    Sparse(SparseLayout),
}

/// Settings of [`Layout::Sparse`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparseLayout {
    /// Classes kept of a row, from 1 to C.
    pub k: usize,
    /// Temperatures at which the row can be read, ascending; 1 is always one of them.
    pub temperatures: Vec<Temperature>,
}

impl Layout {
    /// A sparse layout with `k` classes a row (as many as there are, if there are fewer), to be read at these
    /// temperatures and at 1.
    pub fn sparse(k: usize, n_classes: usize, temperatures: impl IntoIterator<Item = Temperature>) -> Self {
        let mut temperatures: Vec<Temperature> = temperatures.into_iter().chain([Temperature::ONE]).collect();
        temperatures.sort_by(|a, b| a.get().total_cmp(&b.get()));
        temperatures.dedup();
        Self::Sparse(SparseLayout { k: k.clamp(1, n_classes.max(1)), temperatures })
    }

    /// Bytes of one row and its key.
    pub fn row_bytes(&self, n_classes: usize) -> u64 {
        self.columns(n_classes).iter().map(|column| column.row_bytes() as u64).sum()
    }

    /// Bytes of `n_rows` rows with their keys on disk, without the header of some kilobytes: to be shown before
    /// anything is written.
    pub fn size_bytes(&self, n_rows: usize, n_classes: usize) -> u64 {
        n_rows as u64 * self.row_bytes(n_classes)
    }

    /// The tensors of the file in their order: wide numbers first, so that all of them are aligned.
    pub(crate) fn columns(&self, n_classes: usize) -> Vec<Column> {
        let column = |name, dtype, width, per_row| Column { name, dtype, width, per_row };
        let keys = [column("example_ids", "U64", 8, None), column("view_ids", "I64", 8, None)];
        let values = match self {
            Self::Dense {} => vec![column("probs", "F32", 4, Some(n_classes))],
            Self::Sparse(SparseLayout { k, temperatures }) => {
                let classes = match class_width(n_classes) {
                    2 => column("classes", "U16", 2, Some(*k)),
                    width => column("classes", "U32", width, Some(*k)),
                };
                vec![
                    column("tail_masses", "F32", 4, Some(temperatures.len())),
                    column("log_ranges", "F32", 4, None),
                    classes,
                    column("codes", "U16", 2, Some(*k)),
                ]
            }
        };
        keys.into_iter().chain(values).collect()
    }
}

/// Bytes of a class number.
pub(crate) fn class_width(n_classes: usize) -> usize {
    if n_classes <= usize::from(u16::MAX) + 1 { 2 } else { 4 }
}

/// One tensor of the file, `[N]` or `[N, per_row]`.
pub(crate) struct Column {
    pub name: &'static str,
    pub dtype: &'static str,
    /// Bytes of a number.
    pub width: usize,
    pub per_row: Option<usize>,
}

impl Column {
    pub fn row_bytes(&self) -> usize {
        self.width * self.per_row.unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_thousand_classes_fit_into_300_bytes() {
        let temperatures = [2.0, 4.0, 8.0].map(|value| Temperature::new(value).unwrap());
        let layout = Layout::sparse(64, 15_000, temperatures);
        assert_eq!(layout.row_bytes(15_000), 16 + 4 * 4 + 4 + 64 * (2 + 2));
        assert!(layout.row_bytes(15_000) <= 300);
        assert_eq!(Layout::Dense {}.row_bytes(15_000), 60_016);
    }

    #[test]
    fn class_numbers_are_as_wide_as_needed() {
        let width = |n_classes| Layout::sparse(1, n_classes, []).columns(n_classes)[4].dtype;
        assert_eq!([width(65_536), width(65_537)], ["U16", "U32"]);
    }

    #[test]
    fn temperatures_are_sorted_and_single_and_hold_one() {
        let four = Temperature::new(4.0).unwrap();
        let Layout::Sparse(layout) = Layout::sparse(9, 5, [four, Temperature::ONE, four]) else { panic!() };
        assert_eq!(layout, SparseLayout { k: 5, temperatures: vec![Temperature::ONE, four] });
    }
}
