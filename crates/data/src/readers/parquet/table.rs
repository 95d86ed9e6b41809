//! One parquet file: which columns hold what, and their values.

use crate::labels::RawLabels;
use crate::{DataError, LoadContext};
use parquet::basic::Type as PhysicalType;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Rows read at a time.
const BATCH_LEN: usize = 512;
/// Key under which the writer notes the types of the columns.
const METADATA_KEY: &str = "huggingface";

/// An open parquet file.
pub(crate) struct ParquetTable {
    path: PathBuf,
    reader: SerializedFileReader<File>,
}

impl ParquetTable {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::io(path, "read"))?;
        let reader = SerializedFileReader::new(file).map_err(|error| broken(path, &error))?;
        Ok(Self { path: path.to_owned(), reader })
    }

    /// Names of the columns, nested ones by their outermost name.
    pub(crate) fn column_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.leaves().map(|(_, parts)| parts[0].as_str()).collect();
        names.dedup();
        names
    }

    /// The columns that hold images: a struct with encoded `bytes`.
    pub(crate) fn image_columns(&self) -> Vec<&str> {
        let is_image = |parts: &[String]| parts.len() == 2 && parts[1] == "bytes";
        self.leaves().filter(|(_, parts)| is_image(parts)).map(|(_, parts)| parts[0].as_str()).collect()
    }

    /// Hands out the encoded images of a column in row order.
    pub(crate) fn read_images(
        &self,
        column: &str,
        context: &LoadContext<'_>,
        mut take: impl FnMut(&[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let leaf = self.leaves().find(|(_, parts)| parts[0] == column && parts[1..] == ["bytes"]);
        let Some((leaf, _)) = leaf else { return Err(self.not_an_image(column)) };
        self.expect_type(leaf, column, &[PhysicalType::BYTE_ARRAY], "an image struct with `bytes`")?;
        self.read_values::<ByteArrayType>(leaf, column, context, |value: &ByteArray| take(value.data()))
    }

    /// Hands out the texts of a column in row order, as bytes.
    pub(crate) fn read_texts(
        &self,
        column: &str,
        context: &LoadContext<'_>,
        mut take: impl FnMut(&[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let Some((leaf, parts)) = self.leaves().find(|(_, parts)| parts[0] == column) else {
            return Err(self.no_such_column(column, "text"));
        };
        let expected = "a column of texts";
        if parts.len() != 1 {
            return Err(DataError::invalid(&self.path, format!("a nested column `{column}`"), expected));
        }
        self.expect_type(leaf, column, &[PhysicalType::BYTE_ARRAY], expected)?;
        self.read_values::<ByteArrayType>(leaf, column, context, |value: &ByteArray| take(value.data()))
    }

    /// The labels of a column of whole numbers or of names.
    pub(crate) fn read_labels(&self, column: &str, context: &LoadContext<'_>) -> Result<RawLabels, DataError> {
        let Some((leaf, parts)) = self.leaves().find(|(_, parts)| parts[0] == column) else {
            return Err(self.no_such_column(column, "label"));
        };
        let expected = "a column of whole numbers or names";
        if parts.len() != 1 {
            return Err(DataError::invalid(&self.path, format!("a nested column `{column}`"), expected));
        }
        let types = [PhysicalType::INT32, PhysicalType::INT64, PhysicalType::BYTE_ARRAY];
        let mut numbers: Vec<i64> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        match self.expect_type(leaf, column, &types, expected)? {
            PhysicalType::INT32 => self.read_values::<Int32Type>(leaf, column, context, |&value| {
                numbers.push(i64::from(value));
                Ok(())
            })?,
            PhysicalType::INT64 => self.read_values::<Int64Type>(leaf, column, context, |&value| {
                numbers.push(value);
                Ok(())
            })?,
            _ => {
                self.read_values::<ByteArrayType>(leaf, column, context, |value: &ByteArray| {
                    names.push(String::from_utf8_lossy(value.data()).into_owned());
                    Ok(())
                })?;
                return Ok(RawLabels::Names(names));
            }
        }
        Ok(RawLabels::Numbers(numbers))
    }

    /// The names of a column's classes, where the writer noted them.
    pub(crate) fn class_names(&self, column: &str) -> Option<Vec<String>> {
        let metadata = self.reader.metadata().file_metadata().key_value_metadata()?;
        let text = metadata.iter().find(|pair| pair.key == METADATA_KEY)?.value.as_ref()?;
        let noted: serde_json::Value = serde_json::from_str(text).ok()?;
        let names = noted["info"]["features"][column]["names"].as_array()?;
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    }

    fn leaves(&self) -> impl Iterator<Item = (usize, &[String])> {
        let columns = self.reader.metadata().file_metadata().schema_descr().columns();
        columns.iter().enumerate().map(|(leaf, column)| (leaf, column.path().parts()))
    }

    fn expect_type(
        &self,
        leaf: usize,
        column: &str,
        types: &[PhysicalType],
        expected: &str,
    ) -> Result<PhysicalType, DataError> {
        let description = self.reader.metadata().file_metadata().schema_descr().column(leaf);
        let found = description.physical_type();
        if types.contains(&found) && description.max_rep_level() == 0 {
            return Ok(found);
        }
        Err(DataError::invalid(&self.path, format!("column `{column}` of type {found}"), expected))
    }

    /// Visits every value of a column. A missing value is an error that names its row.
    fn read_values<T: DataType>(
        &self,
        leaf: usize,
        column: &str,
        context: &LoadContext<'_>,
        mut visit: impl FnMut(&T::T) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let broken = |error: ParquetError| broken(&self.path, &error);
        let max_level = self.reader.metadata().file_metadata().schema_descr().column(leaf).max_def_level();
        let mut row = 0;
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group).map_err(broken)?;
            let mut values_left = group.metadata().num_rows() as usize;
            let mut reader = get_typed_column_reader::<T>(group.get_column_reader(leaf).map_err(broken)?);
            let (mut values, mut levels) = (Vec::new(), Vec::new());
            while values_left > 0 {
                context.check_interrupted()?;
                values.clear();
                levels.clear();
                let wanted = BATCH_LEN.min(values_left);
                let (n_rows, n_values, _) =
                    reader.read_records(wanted, Some(&mut levels), None, &mut values).map_err(broken)?;
                if n_rows == 0 {
                    let found = format!("column `{column}` that ends at row {row}");
                    return Err(DataError::invalid(&self.path, found, "a value in every row"));
                }
                if n_values < n_rows {
                    let missing = levels.iter().position(|level| *level < max_level).unwrap_or(0);
                    let found = format!("no value in column `{column}`, row {}", row + missing);
                    return Err(DataError::invalid(&self.path, found, "a value in every row"));
                }
                values.iter().try_for_each(&mut visit)?;
                values_left -= n_rows;
                row += n_rows;
            }
        }
        Ok(())
    }

    fn not_an_image(&self, column: &str) -> DataError {
        if !self.column_names().contains(&column) {
            return self.no_such_column(column, "image");
        }
        let found = format!("column `{column}` without image bytes");
        DataError::invalid(&self.path, found, "an image struct with `bytes`")
            .hint(format!("columns that hold images: {:?}", self.image_columns()))
    }

    fn no_such_column(&self, column: &str, key: &str) -> DataError {
        let names = self.column_names().join("`, `");
        DataError::invalid(&self.path, format!("no column `{column}`"), format!("one of `{names}`"))
            .hint(format!("name the column with the key `{key}`"))
    }
}

fn broken(path: &Path, error: &ParquetError) -> DataError {
    DataError::invalid(path, format!("content that cannot be read ({error})"), "a whole parquet file")
        .hint("the file may be cut off or damaged: fetch it again")
}
