//! Writes parquet files of a few kinds of columns, for pyarrow, pandas and the `datasets` library.
//!
//! R rows, K items of a list.

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::io::{self, Write};
use std::sync::Arc;

/// The kind of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParquetKind {
    /// Texts; some may be missing.
    Text,
    /// Whole numbers of 64 bits; some may be missing.
    Int64,
    /// Whole numbers of 64 bits without a sign; some may be missing.
    UInt64,
    /// Numbers in single precision; some may be missing.
    Float,
    /// Lists of texts.
    Texts,
    /// Lists of whole numbers of 64 bits.
    Int64s,
    /// Lists of numbers in single precision.
    Floats,
}

/// The values of a column, `[R]`.
#[derive(Clone, Debug, PartialEq)]
pub enum ParquetColumn {
    /// of [`ParquetKind::Text`]
    Text(Vec<Option<String>>),
    /// of [`ParquetKind::Int64`]
    Int64(Vec<Option<i64>>),
    /// of [`ParquetKind::UInt64`]
    UInt64(Vec<Option<u64>>),
    /// of [`ParquetKind::Float`]
    Float(Vec<Option<f32>>),
    /// of [`ParquetKind::Texts`]: each row's list
    Texts(Vec<Vec<String>>),
    /// of [`ParquetKind::Int64s`]: each row's list
    Int64s(Vec<Vec<i64>>),
    /// of [`ParquetKind::Floats`]: each row's list
    Floats(Vec<Vec<f32>>),
}

/// Writes rows in groups.
pub struct ParquetWriter {
    file: Box<SerializedFileWriter<Box<dyn Write + Send>>>,
}

impl ParquetWriter {
    /// Begins a file with these columns, whose names are letters and underscores. The metadata are pairs of a key and a value;
    /// the key `huggingface` says the types of columns to the `datasets` library.
    ///
    /// # Errors
    /// Whatever the writer answers.
    pub fn new(
        out: Box<dyn Write + Send>,
        columns: &[(&str, ParquetKind)],
        metadata: Vec<(String, String)>,
    ) -> io::Result<Self> {
        let fields: String = columns.iter().map(|(name, kind)| field(name, *kind)).collect();
        let schema = parse_message_type(&format!("message schema {{ {fields} }}")).map_err(broken)?;
        let metadata = metadata.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(metadata))
            .build();
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(broken)?;
        Ok(Self { file: Box::new(file) })
    }

    /// Appends a group of rows: a column for each kind, in the order of the file's columns.
    ///
    /// # Errors
    /// Whatever the writer answers.
    ///
    /// # Panics
    /// If a column is of another kind than the file's: a bug of the caller.
    pub fn write(&mut self, columns: &[ParquetColumn]) -> io::Result<()> {
        let mut group = self.file.next_row_group().map_err(broken)?;
        for column in columns {
            let mut writer = group.next_column().map_err(broken)?.expect("a column of the file for each one given");
            write_column(&mut writer, column).map_err(broken)?;
            writer.close().map_err(broken)?;
        }
        group.close().map(drop).map_err(broken)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// Whatever the writer answers.
    pub fn finish(self) -> io::Result<()> {
        let mut out = self.file.into_inner().map_err(broken)?;
        out.flush()
    }
}

/// A column in the notation of schemas.
fn field(name: &str, kind: ParquetKind) -> String {
    let list = |item: &str| format!("required group {name} (LIST) {{ repeated group list {{ {item}; }} }} ");
    match kind {
        ParquetKind::Text => format!("optional binary {name} (STRING); "),
        ParquetKind::Int64 => format!("optional int64 {name}; "),
        ParquetKind::UInt64 => format!("optional int64 {name} (INTEGER(64,false)); "),
        ParquetKind::Float => format!("optional float {name}; "),
        ParquetKind::Texts => list("required binary element (STRING)"),
        ParquetKind::Int64s => list("required int64 element"),
        ParquetKind::Floats => list("required float element"),
    }
}

fn write_column(writer: &mut SerializedColumnWriter<'_>, column: &ParquetColumn) -> Result<(), ParquetError> {
    let bytes = |text: &String| ByteArray::from(text.as_str());
    match column {
        ParquetColumn::Text(values) => {
            let (values, levels) = present(values, bytes);
            writer.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
        }
        ParquetColumn::Int64(values) => {
            let (values, levels) = present(values, |value| *value);
            writer.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
        }
        ParquetColumn::UInt64(values) => {
            let (values, levels) = present(values, |value| value.cast_signed());
            writer.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
        }
        ParquetColumn::Float(values) => {
            let (values, levels) = present(values, |value| *value);
            writer.typed::<FloatType>().write_batch(&values, Some(&levels), None)?;
        }
        ParquetColumn::Texts(rows) => {
            let (values, present, repeated) = items(rows, bytes);
            writer.typed::<ByteArrayType>().write_batch(&values, Some(&present), Some(&repeated))?;
        }
        ParquetColumn::Int64s(rows) => {
            let (values, present, repeated) = items(rows, |value| *value);
            writer.typed::<Int64Type>().write_batch(&values, Some(&present), Some(&repeated))?;
        }
        ParquetColumn::Floats(rows) => {
            let (values, present, repeated) = items(rows, |value| *value);
            writer.typed::<FloatType>().write_batch(&values, Some(&present), Some(&repeated))?;
        }
    }
    Ok(())
}

/// The values that are there, and for each row whether one is (its definition level).
fn present<T, V>(values: &[Option<T>], value: impl Fn(&T) -> V) -> (Vec<V>, Vec<i16>) {
    let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
    (values.iter().flatten().map(value).collect(), levels)
}

/// The items of all lists, and for each item, and for each empty list, whether there is one (its definition level) and whether it
/// belongs to the list of the item before it (its repetition level).
fn items<T, V>(rows: &[Vec<T>], value: impl Fn(&T) -> V) -> (Vec<V>, Vec<i16>, Vec<i16>) {
    let (mut present, mut repeated) = (Vec::new(), Vec::new());
    for row in rows {
        present.extend(std::iter::repeat_n(i16::from(!row.is_empty()), row.len().max(1)));
        repeated.push(0);
        repeated.extend(std::iter::repeat_n(1, row.len().saturating_sub(1)));
    }
    (rows.iter().flatten().map(value).collect(), present, repeated)
}

fn broken(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error.to_string()),
        },
        error => io::Error::other(error.to_string()),
    }
}
