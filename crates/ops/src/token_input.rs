//! Texts as numbers: rows of ids of different lengths, one after the other and without padding.
//!
//! Operations on tokens work on all `N` of a batch as one matrix `[N, ..]`; attention and pooling take the tokens of
//! one row at a time. So no arithmetic is spent on padding, there is no mask, and a text's result does not depend on
//! the other texts of its batch.
//!
//! Shapes: `B` rows, `N` ids of all rows.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Result;

use crate::shape::mismatch;

/// The ids of `B` texts: tokens in their order, or a bag of n-grams; a row may be empty. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRows {
    ids: Arc<[u32]>,
    starts: Arc<[u32]>,
    largest_id: u32,
    longest: usize,
}

impl TokenRows {
    /// The ids of all rows, and `starts [B + 1]`: row `i` is `ids[starts[i]..starts[i + 1]]`.
    ///
    /// # Errors
    /// Starts that do not begin at 0, ascend, and end at the number of ids.
    pub fn new(ids: Vec<u32>, starts: Vec<u32>) -> Result<Self> {
        let ascends = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        let ends = (starts.first().copied(), starts.last().map(|last| *last as usize));
        if !ascends || ends != (Some(0), Some(ids.len())) {
            let expected = format!("ascending from 0 to {}", ids.len());
            return Err(mismatch("token rows", "starts", expected, ends));
        }
        let largest_id = ids.iter().copied().max().unwrap_or(0);
        let longest = starts.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or(0);
        Ok(Self { ids: ids.into(), starts: starts.into(), largest_id, longest })
    }

    /// The rows of a list.
    ///
    /// # Errors
    /// More than `u32::MAX` ids.
    pub fn of<R: AsRef<[u32]>>(rows: impl IntoIterator<Item = R>) -> Result<Self> {
        let (mut ids, mut starts) = (Vec::new(), vec![0]);
        for row in rows {
            ids.extend_from_slice(row.as_ref());
            let n_ids = u32::try_from(ids.len());
            starts.push(n_ids.map_err(|_| mismatch("token rows", "number of ids", "at most 2^32 - 1", ids.len()))?);
        }
        Self::new(ids, starts)
    }

    /// Number of rows, `B`.
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The ids of all rows, `[N]`.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The ids of one row.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, index: usize) -> &[u32] {
        &self.ids[self.range(index)]
    }

    /// Where the ids of one row lie.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn range(&self, index: usize) -> Range<usize> {
        self.starts[index] as usize..self.starts[index + 1] as usize
    }

    /// The largest id; 0 where there is none.
    pub fn largest_id(&self) -> u32 {
        self.largest_id
    }

    /// The length of the longest row.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// For each id its position in its row, `[N]`.
    pub fn positions(&self) -> Vec<u32> {
        (0..self.n_rows()).flat_map(|row| 0..self.range(row).len() as u32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_again() {
        let rows = TokenRows::of([vec![3, 1], vec![], vec![7]]).unwrap();
        assert_eq!((rows.n_rows(), rows.largest_id(), rows.longest()), (3, 7, 2));
        assert_eq!((rows.row(0), rows.row(1), rows.row(2)), (&[3, 1][..], &[][..], &[7][..]));
        assert_eq!(rows.positions(), [0, 1, 0]);
        let nothing = TokenRows::of([[0; 0]; 0]).unwrap();
        assert_eq!((nothing.n_rows(), nothing.longest()), (0, 0));
    }

    #[test]
    fn starts_that_do_not_fit_are_refused() {
        for starts in [vec![], vec![0], vec![1, 2], vec![0, 3], vec![0, 2, 1, 2]] {
            let error = TokenRows::new(vec![5, 6], starts).unwrap_err().to_string();
            assert!(error.contains("ascending from 0 to 2"), "{error}");
        }
    }
}
