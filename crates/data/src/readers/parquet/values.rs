//! The values of one parquet file's columns.

use super::table::{ParquetTable, parsed};
use crate::labels::RawLabels;
use crate::{DataError, LoadContext};
use parquet::basic::{ConvertedType, Type as PhysicalType};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{BoolType, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::reader::FileReader;
use std::fmt::Display;

/// Rows read at a time.
const BATCH_LEN: usize = 512;
const EXPECTED_LABELS: &str = "a column of whole numbers, of names, or of true and false";

impl ParquetTable {
    /// Hands out the encoded images of a column in row order.
    pub(crate) fn read_images(
        &self,
        column: &str,
        context: &LoadContext<'_>,
        mut take: impl FnMut(&[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let leaf = self.image_leaf(column)?;
        self.read_values::<ByteArrayType>(leaf, column, context, |row, value| match value {
            Some(value) => take(value.data()),
            None if self.has_paths(column) => Err(self.missing(column, row).hint(
                "only the bytes of images are read, not the files that a path names: write the file with the bytes in it, \
                 as `push_to_hub(embed_external_files=True)` of the `datasets` library does, or use kind = \"image_folder\"",
            )),
            None => Err(self.missing(column, row)),
        })
    }

    /// Hands out the texts of a column in row order, as bytes; a missing text is an empty one.
    pub(crate) fn read_texts(
        &self,
        column: &str,
        context: &LoadContext<'_>,
        mut take: impl FnMut(&[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let expected = "a column of texts";
        let leaf = self.plain_leaf(column, "text", expected)?;
        self.expect_type(leaf, column, &[PhysicalType::BYTE_ARRAY], expected)?;
        self.read_values::<ByteArrayType>(leaf, column, context, |_, value| {
            take(value.map_or(&[], |value| value.data()))
        })
    }

    /// The labels of a column, as the file spells them.
    pub(crate) fn read_labels(&self, column: &str, context: &LoadContext<'_>) -> Result<RawLabels, DataError> {
        use PhysicalType as Type;
        let leaf = self.plain_leaf(column, "label", EXPECTED_LABELS)?;
        let types = [Type::BOOLEAN, Type::INT32, Type::INT64, Type::FLOAT, Type::DOUBLE, Type::BYTE_ARRAY];
        let unsigned = [ConvertedType::UINT_8, ConvertedType::UINT_16, ConvertedType::UINT_32, ConvertedType::UINT_64];
        let is_unsigned = unsigned.contains(&self.description(leaf).converted_type());
        match self.expect_type(leaf, column, &types, EXPECTED_LABELS)? {
            Type::INT32 if is_unsigned => {
                self.read_numbers::<Int32Type>(leaf, column, context, |value| Some(i64::from(value.cast_unsigned())))
            }
            Type::INT32 => self.read_numbers::<Int32Type>(leaf, column, context, |value| Some(i64::from(*value))),
            // an unsigned number that is no signed one would come out negative
            Type::INT64 => self.read_numbers::<Int64Type>(leaf, column, context, |value| {
                (!is_unsigned || *value >= 0).then_some(*value)
            }),
            Type::FLOAT => self.read_numbers::<FloatType>(leaf, column, context, |value| whole(f64::from(*value))),
            Type::DOUBLE => self.read_numbers::<DoubleType>(leaf, column, context, |value| whole(*value)),
            Type::BOOLEAN => {
                let mut names = Vec::new();
                self.read_values::<BoolType>(leaf, column, context, |row, value| {
                    names.push(value.ok_or_else(|| self.missing(column, row))?.to_string());
                    Ok(())
                })?;
                Ok(RawLabels::Names(names))
            }
            _ => self.read_names(leaf, column, context),
        }
    }

    fn read_numbers<T: DataType>(
        &self,
        leaf: usize,
        column: &str,
        context: &LoadContext<'_>,
        number: impl Fn(&T::T) -> Option<i64>,
    ) -> Result<RawLabels, DataError>
    where
        T::T: Display,
    {
        let mut numbers = Vec::new();
        self.read_values::<T>(leaf, column, context, |row, value| {
            let value = value.ok_or_else(|| self.missing(column, row))?;
            let refused = || DataError::invalid(&self.path, format!("label `{value}` in row {row}"), "a whole number");
            numbers.push(number(value).ok_or_else(refused)?);
            Ok(())
        })?;
        Ok(RawLabels::Numbers(numbers))
    }

    fn read_names(&self, leaf: usize, column: &str, context: &LoadContext<'_>) -> Result<RawLabels, DataError> {
        let mut names = Vec::new();
        self.read_values::<ByteArrayType>(leaf, column, context, |row, value| {
            let value = value.ok_or_else(|| self.missing(column, row))?;
            let name = std::str::from_utf8(value.data()).map(str::trim).map_err(|_| {
                DataError::invalid(&self.path, format!("a label that is no UTF-8 in row {row}"), "the name of a class")
            })?;
            if name.is_empty() {
                let found = format!("an empty label in row {row}");
                return Err(DataError::invalid(&self.path, found, "a label in every row"));
            }
            names.push(name.to_owned());
            Ok(())
        })?;
        Ok(RawLabels::Names(names))
    }

    /// Visits every row of a column, with its number from 0 on and its value, if it has one.
    fn read_values<T: DataType>(
        &self,
        leaf: usize,
        column: &str,
        context: &LoadContext<'_>,
        mut visit: impl FnMut(usize, Option<&T::T>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        self.check_compression(leaf, column)?;
        let max_level = self.description(leaf).max_def_level();
        let mut row = 0;
        for group in 0..self.reader.num_row_groups() {
            let (mut rows_left, mut reader) = parsed(&self.path, || {
                let group = self.reader.get_row_group(group)?;
                let reader = get_typed_column_reader::<T>(group.get_column_reader(leaf)?);
                Ok((group.metadata().num_rows() as usize, reader))
            })?;
            let (mut values, mut levels) = (Vec::new(), Vec::new());
            while rows_left > 0 {
                context.check_interrupted()?;
                values.clear();
                levels.clear();
                let wanted = BATCH_LEN.min(rows_left);
                let (n_rows, ..) =
                    parsed(&self.path, || reader.read_records(wanted, Some(&mut levels), None, &mut values))?;
                if n_rows == 0 {
                    let found = format!("column `{column}` that ends at row {row}");
                    return Err(DataError::invalid(&self.path, found, "a value in every row"));
                }
                let mut values = values.iter();
                for in_batch in 0..n_rows {
                    // a column that cannot be missing has no levels
                    let is_there = levels.get(in_batch).is_none_or(|level| *level == max_level);
                    visit(row + in_batch, if is_there { values.next() } else { None })?;
                }
                rows_left -= n_rows;
                row += n_rows;
            }
        }
        Ok(())
    }

    fn missing(&self, column: &str, row: usize) -> DataError {
        DataError::invalid(&self.path, format!("no value in column `{column}`, row {row}"), "a value in every row")
    }
}

/// A number without a fraction that is exact in both types.
fn whole(value: f64) -> Option<i64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= LARGEST).then_some(value as i64)
}
