//! Groups positions of a list of row numbers by row: the order in which gradients of table rows are summed.
//!
//! Shapes: `R` rows of a table, `W` its width.

use crate::element::Element;
use crate::parallel::{for_each_chunk, rows_per_chunk};
use crate::vector::inlined;

/// Positions of a list, grouped by the row that they name. Rows ascend, and positions ascend within a row, so that sums
/// in this order have the same bits for any number of threads.
pub(crate) struct RowGroups {
    rows: Vec<u32>,
    /// Where the positions of each row start, and the number of positions at the end.
    starts: Vec<u32>,
    places: Vec<u32>,
}

const DIGIT_BITS: u32 = 11;
const N_DIGITS: usize = 1 << DIGIT_BITS;

impl RowGroups {
    /// Groups the positions `0..rows.len()` of a list of row numbers.
    pub(crate) fn of(row_of_place: &[u32]) -> Self {
        let (sorted, places) = sort_places(row_of_place);
        let (mut rows, mut starts) = (Vec::new(), Vec::new());
        for (place, row) in (0..).zip(&sorted) {
            if rows.last() != Some(row) {
                rows.push(*row);
                starts.push(place);
            }
        }
        starts.push(sorted.len() as u32);
        Self { rows, starts, places }
    }

    /// The positions that name the `index`-th of the rows.
    fn places(&self, index: usize) -> &[u32] {
        &self.places[self.starts[index] as usize..self.starts[index + 1] as usize]
    }

    /// One sum of `width` numbers for each of the rows: `add(position, sum)` for all positions of a row, in order.
    pub(crate) fn sums<T: Element>(&self, width: usize, add: impl Fn(usize, &mut [T]) + Send + Sync) -> Vec<T> {
        let mut sums = vec![T::ZERO; self.rows.len() * width];
        for_each_chunk(
            &mut sums,
            rows_per_chunk(width) * width,
            inlined!(|start, sums| {
                for (index, sum) in (start / width..).zip(sums.chunks_exact_mut(width)) {
                    for place in self.places(index) {
                        add(*place as usize, sum);
                    }
                }
            }),
        );
        sums
    }

    /// The rows that occur, ascending.
    pub(crate) fn into_rows(self) -> Vec<u32> {
        self.rows
    }
}

/// Row numbers in ascending order and the position of each, by a radix sort, which keeps the order of equal ones.
fn sort_places(row_of_place: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut pairs: Vec<(u32, u32)> = row_of_place.iter().copied().zip(0..).collect();
    let mut sorted = vec![(0, 0); pairs.len()];
    let largest = row_of_place.iter().copied().max().unwrap_or(0);
    let mut shift = 0;
    while shift < u32::BITS && largest >> shift > 0 {
        let digit = |row: u32| (row >> shift) as usize % N_DIGITS;
        let mut ends = [0_u32; N_DIGITS];
        pairs.iter().for_each(|(row, _)| ends[digit(*row)] += 1);
        let mut next = 0;
        for end in &mut ends {
            (*end, next) = (next, next + *end);
        }
        for pair in &pairs {
            let place = &mut ends[digit(pair.0)];
            sorted[*place as usize] = *pair;
            *place += 1;
        }
        std::mem::swap(&mut pairs, &mut sorted);
        shift += DIGIT_BITS;
    }
    pairs.into_iter().unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_grouped_in_order() {
        let rows = [5, 1 << 30, 5, 0, u32::MAX, 5, 0, 3000];
        let groups = RowGroups::of(&rows);
        assert_eq!(groups.rows, [0, 5, 3000, 1 << 30, u32::MAX]);
        let places: Vec<&[u32]> = (0..5).map(|index| groups.places(index)).collect();
        assert_eq!(places, [&[3, 6][..], &[0, 2, 5], &[7], &[1], &[4]]);
    }

    #[test]
    fn a_list_without_places_has_no_rows() {
        assert!(RowGroups::of(&[]).rows.is_empty());
        assert_eq!(RowGroups::of(&[0, 0]).rows, [0]);
    }
}
