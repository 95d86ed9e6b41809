//! Images in their files' own encoding: paths, or bytes taken out of a table.

use super::decode::{self, Decoded, Decoding, Header, Target};
use super::fault::Fault;
use super::formats::HEAD_BYTES;
use crate::DataError;
use crate::places::Places;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};
use std::path::{Path, PathBuf};

/// Encoded images by row.
pub(crate) enum EncodedImages {
    /// one file each
    Files(Vec<PathBuf>),
    /// bytes of table cells
    Cells(Cells),
}

impl EncodedImages {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Files(paths) => paths.len(),
            Self::Cells(cells) => cells.len(),
        }
    }

    /// The files, where each image is one.
    pub(crate) fn files(&self) -> &[PathBuf] {
        match self {
            Self::Files(paths) => paths,
            Self::Cells(_) => &[],
        }
    }

    /// Where the image is, for messages.
    pub(crate) fn place(&self, row: usize) -> (&Path, String) {
        match self {
            Self::Files(paths) => (&paths[row], String::new()),
            Self::Cells(cells) => cells.place(row),
        }
    }

    /// What the image's header says.
    pub(crate) fn header(&self, row: usize) -> Result<Header, DataError> {
        let header = match self {
            Self::Files(paths) => {
                let file = stillhouse_files::open(&paths[row]).map_err(DataError::io(&paths[row], "read"))?;
                decode::read_header(BufReader::new(file))
            }
            Self::Cells(cells) => decode::read_header(Cursor::new(cells.bytes(row)?)),
        };
        header.map_err(|fault| self.at(row, fault))
    }

    /// The first bytes of an image.
    pub(crate) fn head(&self, row: usize) -> Result<Vec<u8>, DataError> {
        match self {
            Self::Files(paths) => {
                let mut head = Vec::new();
                let file = stillhouse_files::open(&paths[row]).map_err(DataError::io(&paths[row], "read"))?;
                file.take(HEAD_BYTES as u64).read_to_end(&mut head).map_err(DataError::io(&paths[row], "read"))?;
                Ok(head)
            }
            Self::Cells(cells) => {
                let bytes = cells.bytes(row)?;
                Ok(bytes[..bytes.len().min(HEAD_BYTES)].to_vec())
            }
        }
    }

    /// The pixels of one image.
    pub(crate) fn decode(&self, row: usize, target: &Target, decoding: Decoding) -> Result<Decoded, DataError> {
        let bytes = match self {
            Self::Files(paths) => {
                Cow::Owned(stillhouse_files::read(&paths[row]).map_err(DataError::io(&paths[row], "read"))?)
            }
            Self::Cells(cells) => cells.bytes(row)?,
        };
        decode::decode(&bytes, target, decoding).map_err(|fault| self.at(row, fault))
    }

    fn at(&self, row: usize, fault: Fault) -> DataError {
        let (path, place) = self.place(row);
        fault.at(path, &place)
    }
}

/// The image cells of one or more tables, one after the other.
pub(crate) struct Cells {
    bytes: CellBytes,
    ends: Vec<u64>,
    places: Places,
}

enum CellBytes {
    Memory(Vec<u8>),
    /// A temporary file without a name, for tables that do not fit the memory limit; it is gone with the process.
    Spooled(File),
}

impl Cells {
    pub(crate) fn new() -> Self {
        Self { bytes: CellBytes::Memory(Vec::new()), ends: Vec::new(), places: Places::new("row", 0) }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The following cells come from this table.
    pub(crate) fn begin_table(&mut self, path: &Path) {
        self.places.begin_file(path, self.len());
    }

    /// Appends a cell; beyond the limit of bytes in memory all cells move into a temporary file.
    pub(crate) fn push(&mut self, cell: &[u8], memory_limit: Option<u64>) -> std::io::Result<()> {
        let start = self.ends.last().copied().unwrap_or(0);
        let end = start + cell.len() as u64;
        if let CellBytes::Memory(bytes) = &self.bytes
            && memory_limit.is_some_and(|limit| end > limit)
        {
            let mut file = tempfile::tempfile().map_err(|error| no_temporary_file(&error))?;
            file.write_all(bytes)?;
            self.bytes = CellBytes::Spooled(file);
        }
        match &mut self.bytes {
            CellBytes::Memory(bytes) => bytes.extend_from_slice(cell),
            CellBytes::Spooled(file) => file.write_all(cell)?,
        }
        self.ends.push(end);
        Ok(())
    }

    fn bytes(&self, row: usize) -> Result<Cow<'_, [u8]>, DataError> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        let end = self.ends[row];
        match &self.bytes {
            CellBytes::Memory(bytes) => Ok(Cow::Borrowed(&bytes[start as usize..end as usize])),
            CellBytes::Spooled(file) => {
                let mut bytes = vec![0; (end - start) as usize];
                let (path, _) = self.place(row);
                read_exact_at(file, &mut bytes, start).map_err(DataError::io(path, "read the temporary copy of"))?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    fn place(&self, row: usize) -> (&Path, String) {
        let (path, row) = self.places.find(row);
        (path, format!(" in {row}"))
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    // A clone of the handle shares the position, so this platform reads through a lock.
    static POSITION: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = POSITION.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut file = file;
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

/// A folder for temporary files that is absent is the machine's fault and not the data's, so the error's kind is another.
fn no_temporary_file(error: &std::io::Error) -> std::io::Error {
    let folder = std::env::temp_dir();
    let folder = folder.display();
    std::io::Error::other(format!(
        "{error}\nhint: set TMPDIR to a folder with free space; temporary files are put into {folder}"
    ))
}
