//! What the columns of a matrix hold: whether they are constant, and whether f32 can tell their numbers apart.
//!
//! Shapes: `F` features.

use super::matrix_rows::MatrixRows;
use crate::DataError;
use std::path::Path;

/// Columns whose numbers differ by less than this share of their size are moved before they become f32, if f32 does not hold
/// them anyway: 14 of its 24 digits are left to all others.
const NARROW: f64 = 1.0 / 1024.0;
/// Numbers that differ by a smaller share of their size are the same up to rounding in f64.
const ROUNDING: f64 = 1e-14;
/// Numbers below it lose digits in f32, and soon all of them.
const SMALLEST: f64 = 1e-30;

/// The range of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) least: f64,
    pub(crate) largest: f64,
    /// whether some number is none of f32
    is_rounded: bool,
    /// whether all numbers are whole: such as times, which no rounding in f64 has touched
    is_whole: bool,
}

impl Column {
    /// The largest distance from zero.
    fn size(&self) -> f64 {
        self.least.abs().max(self.largest.abs())
    }

    /// Whether all numbers are the same, up to rounding in f64.
    pub(crate) fn is_constant(&self) -> bool {
        let rounding = if self.is_whole { 0.0 } else { ROUNDING * self.size() };
        self.largest - self.least <= rounding
    }

    /// What has to be subtracted so that f32 tells apart what f64 does; 0 where it does anyway.
    ///
    /// The least number: differences from it are exact in f64, and the same in any order of the rows.
    fn offset(&self) -> f64 {
        let is_narrow = self.largest - self.least <= NARROW * self.size();
        let is_lost = self.is_rounded && is_narrow && !self.is_constant();
        if is_lost { self.least } else { 0.0 }
    }

    /// The offset of each column, `[F]`; empty where all are 0.
    pub(crate) fn offsets(columns: &[Self]) -> Vec<f64> {
        let offsets: Vec<f64> = columns.iter().map(Self::offset).collect();
        if offsets.iter().all(|offset| *offset == 0.0) { Vec::new() } else { offsets }
    }

    /// Refuses columns of numbers that are too small for f32.
    pub(crate) fn check_units(path: &Path, columns: &[Self]) -> Result<(), DataError> {
        let is_tiny = |column: &Self| column.is_rounded && column.size() < SMALLEST;
        match columns.iter().position(is_tiny) {
            Some(column) => {
                let found = format!("no number above {:e} in column {column}", columns[column].size());
                Err(DataError::invalid(path, found, format!("numbers above {SMALLEST:e}"))
                    .hint("f32 does not hold them: give the column in another unit"))
            }
            None => Ok(()),
        }
    }
}

/// Reads all rows and returns the range of each column, `[F]`; `refuse` looks at each number, with its row and column.
pub(crate) fn columns_of(
    rows: &mut MatrixRows,
    refuse: impl Fn(usize, usize, f64) -> Option<DataError>,
) -> Result<Vec<Column>, DataError> {
    let n_columns = rows.n_columns();
    let blank = Column { least: f64::INFINITY, largest: f64::NEG_INFINITY, is_rounded: false, is_whole: true };
    let mut columns = vec![blank; n_columns];
    let fits = rows.element().fits_f32();
    rows.for_each_piece(|first, piece| {
        for (index, row) in piece.chunks_exact(n_columns).enumerate() {
            for (number, (column, &value)) in columns.iter_mut().zip(row).enumerate() {
                if let Some(error) = refuse(first + index, number, value) {
                    return Err(error);
                }
                column.least = column.least.min(value);
                column.largest = column.largest.max(value);
                column.is_rounded |= !fits && f64::from(value as f32) != value;
                column.is_whole &= value.fract() == 0.0;
            }
        }
        Ok(())
    })?;
    Ok(columns)
}
