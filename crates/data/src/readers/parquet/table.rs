//! One parquet file: which columns hold what, and what cannot be read.

use crate::DataError;
use parquet::basic::{Compression, ConvertedType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use stillhouse_files::guarded;

/// Key under which the writer notes the types of the columns.
const METADATA_KEY: &str = "huggingface";
/// First and last bytes of every file.
const MAGIC: &[u8] = b"PAR1";
const MAGIC_ENCRYPTED: &[u8] = b"PARE";

/// An open parquet file.
pub(crate) struct ParquetTable {
    pub(super) path: PathBuf,
    pub(super) reader: SerializedFileReader<File>,
}

impl ParquetTable {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let mut file = stillhouse_files::open(path).map_err(DataError::io(path, "read"))?;
        check_magic(path, &mut file).map_err(DataError::io(path, "read"))??;
        let reader = parsed(path, || SerializedFileReader::new(file))?;
        Ok(Self { path: path.to_owned(), reader })
    }

    /// Number of rows, as the file's end says.
    pub(crate) fn n_rows(&self) -> u64 {
        u64::try_from(self.reader.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Names of the columns, nested ones by their outermost name.
    pub(crate) fn column_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.leaves().map(|(_, parts)| parts[0].as_str()).collect();
        names.dedup();
        names
    }

    /// The columns that hold images: structs with encoded `bytes`, or without these plain columns of bytes.
    pub(crate) fn image_columns(&self) -> Vec<&str> {
        let named = |is_image: &dyn Fn(usize, &[String]) -> bool| -> Vec<&str> {
            self.leaves().filter(|(leaf, parts)| is_image(*leaf, parts)).map(|(_, parts)| parts[0].as_str()).collect()
        };
        let structs = named(&|_, parts| parts.len() == 2 && parts[1] == "bytes");
        if structs.is_empty() { named(&|leaf, parts| parts.len() == 1 && self.is_plain_bytes(leaf)) } else { structs }
    }

    /// The bytes of an image column: its place among the leaves.
    pub(super) fn image_leaf(&self, column: &str) -> Result<usize, DataError> {
        let is_bytes = |leaf: usize, parts: &[String]| match parts {
            [name] => name == column && self.is_plain_bytes(leaf),
            [name, field] => name == column && field == "bytes",
            _ => false,
        };
        let found = self.leaves().find(|(leaf, parts)| is_bytes(*leaf, parts));
        let (leaf, _) = found.ok_or_else(|| self.not_an_image(column))?;
        self.expect_type(leaf, column, &[PhysicalType::BYTE_ARRAY], EXPECTED_IMAGES)?;
        Ok(leaf)
    }

    /// The place among the leaves of a column that is not nested; `key` is the config's key for it.
    pub(super) fn plain_leaf(&self, column: &str, key: &str, expected: &str) -> Result<usize, DataError> {
        match self.leaves().find(|(_, parts)| parts[0] == column) {
            Some((leaf, [_])) => Ok(leaf),
            Some(_) => Err(DataError::invalid(&self.path, format!("a nested column `{column}`"), expected)),
            None => Err(self.no_such_column(column, key)),
        }
    }

    /// Whether an image column has paths next to its bytes.
    pub(super) fn has_paths(&self, column: &str) -> bool {
        self.leaves().any(|(_, parts)| parts[0] == column && parts[1..] == ["path"])
    }

    /// The names of a column's classes, where the writer noted them.
    pub(crate) fn class_names(&self, column: &str) -> Option<Vec<String>> {
        let metadata = self.reader.metadata().file_metadata().key_value_metadata()?;
        let text = metadata.iter().find(|pair| pair.key == METADATA_KEY)?.value.as_ref()?;
        let noted: serde_json::Value = serde_json::from_str(text).ok()?;
        let names = noted["info"]["features"][column]["names"].as_array()?;
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    }

    pub(super) fn description(&self, leaf: usize) -> &ColumnDescriptor {
        &self.reader.metadata().file_metadata().schema_descr().columns()[leaf]
    }

    /// The type of a column, if it is one of `types`, and not in a list.
    pub(super) fn expect_type(
        &self,
        leaf: usize,
        column: &str,
        types: &[PhysicalType],
        expected: &str,
    ) -> Result<PhysicalType, DataError> {
        let description = self.description(leaf);
        let found = description.physical_type();
        let is_decimal = description.converted_type() == ConvertedType::DECIMAL && description.type_scale() != 0;
        match types.contains(&found) && description.max_rep_level() == 0 && !is_decimal {
            true => Ok(found),
            false => {
                let found = if is_decimal { "DECIMAL".to_owned() } else { found.to_string() };
                Err(DataError::invalid(&self.path, format!("column `{column}` of type {found}"), expected))
            }
        }
    }

    /// Refuses a column in a compression that is not read.
    pub(super) fn check_compression(&self, leaf: usize, column: &str) -> Result<(), DataError> {
        let groups = self.reader.metadata().row_groups().iter();
        let mut names = groups.filter_map(|group| match group.column(leaf).compression() {
            Compression::BROTLI(_) => Some("brotli"),
            Compression::LZO => Some("LZO"),
            _ => None,
        });
        names.next().map_or(Ok(()), |name| {
            let found = format!("column `{column}` compressed with {name}, which is not read");
            Err(DataError::invalid(&self.path, found, "zstd, snappy, gzip, lz4 or no compression").hint(
                "write the file again in one of these, with pandas: df.to_parquet(\"other.parquet\", compression=\"zstd\")",
            ))
        })
    }

    fn leaves(&self) -> impl Iterator<Item = (usize, &[String])> {
        let columns = self.reader.metadata().file_metadata().schema_descr().columns();
        columns.iter().enumerate().map(|(leaf, column)| (leaf, column.path().parts()))
    }

    fn is_plain_bytes(&self, leaf: usize) -> bool {
        let description = self.description(leaf);
        description.physical_type() == PhysicalType::BYTE_ARRAY && description.converted_type() == ConvertedType::NONE
    }

    fn not_an_image(&self, column: &str) -> DataError {
        if !self.column_names().contains(&column) {
            return self.no_such_column(column, "image");
        }
        let found = format!("column `{column}` without image bytes");
        DataError::invalid(&self.path, found, EXPECTED_IMAGES)
            .hint(format!("columns that hold images: {:?}", self.image_columns()))
    }

    fn no_such_column(&self, column: &str, key: &str) -> DataError {
        let names = self.column_names().join("`, `");
        DataError::invalid(&self.path, format!("no column `{column}`"), format!("one of `{names}`"))
            .hint(format!("name the column with the key `{key}`"))
    }
}

pub(crate) const EXPECTED_IMAGES: &str = "an image struct with `bytes`, or a column of bytes";

/// The first and the last bytes say whether this is a whole parquet file.
fn check_magic(path: &Path, file: &mut File) -> std::io::Result<Result<(), DataError>> {
    let expected = "a whole parquet file";
    let (mut first, mut last) = (Vec::new(), Vec::new());
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut first)?;
    if first.len() == MAGIC.len() {
        file.seek(SeekFrom::End(-(MAGIC.len() as i64)))?;
        file.read_to_end(&mut last)?;
    }
    file.rewind()?;
    Ok(match (&first[..], &last[..]) {
        (MAGIC, MAGIC) => Ok(()),
        (MAGIC, MAGIC_ENCRYPTED) | (MAGIC_ENCRYPTED, _) => Err(DataError::invalid(path, "an encrypted file", expected)),
        (MAGIC, _) => Err(DataError::invalid(path, "a parquet file without its end", expected)
            .hint("the file is cut off or damaged: fetch it again")),
        ([], _) => Err(DataError::invalid(path, "an empty file", expected)),
        _ => Err(DataError::invalid(path, "content of another kind", expected)),
    })
}

/// The result of the library, which panics on some damaged files.
pub(super) fn parsed<T>(path: &Path, parse: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, DataError> {
    let found = match guarded(parse) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(ParquetError::NYI(text))) => {
            let found = format!("a part of the format that is not read ({text})");
            return Err(DataError::invalid(path, found, "a parquet file of the usual parts"));
        }
        Ok(Err(ParquetError::External(error))) => match error.downcast::<std::io::Error>() {
            Ok(error) => return Err(DataError::io(path, "read")(*error)),
            Err(error) => error.to_string(),
        },
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic,
    };
    Err(DataError::invalid(path, format!("content that cannot be read ({found})"), "a whole parquet file")
        .hint("the file may be cut off or damaged: fetch it again"))
}
