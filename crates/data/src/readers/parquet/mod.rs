//! Parquet files, local or from a hub: which files belong to which split, and their columns.
//!
//! | read | refused | noted |
//! |---|---|---|
//! | files whose names, or the folders above them, have a word for a split; one table in numbered parts is for training; test files alone, by `evaluate` | files without such a word and with several names; several subsets; no training file; pointers of Git LFS | files left alone, hidden ones too; `eval` taken for a split; numbered parts taken for training |
//! | compressed with zstd, snappy, gzip, lz4 or not at all | brotli, LZO, encrypted files | |
//! | labels that are whole numbers of any width and sign, fractions without a fraction (`1.0`), true and false, or texts without the spaces around them | other types, missing and empty labels, texts that are no UTF-8, numbers with a gap; what `table/mod.rs` refuses of labels | spellings that were joined; words for a missing value |
//! | names of classes, as the `datasets` library notes them in each file: labels go by name | a label whose name no training file has | files with other names, or with none; names without an example |
//! | images: a struct with `bytes`, or a plain column of bytes | paths without bytes | |
//! | texts; a missing one is an empty one | nested columns, other types, texts that are no UTF-8; an empty text without `skip_empty`, one of more than 1 GiB | texts that were cut or left out |

mod files;
mod labels;
mod source;
mod table;
mod values;

pub(crate) use labels::{number_all, read_labelled};
pub(crate) use source::{ParquetSource, Whereabouts};
pub(crate) use table::{EXPECTED_IMAGES, ParquetTable};
