//! What is in a folder, and what a file is by its first bytes.

use crate::error::{ExperimentError, Result, system_error};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use stillhouse_data::is_system_name;

/// The entries of a folder, without hidden ones and those that systems leave.
pub(super) struct Listed {
    pub(super) files: Vec<PathBuf>,
    pub(super) folders: Vec<PathBuf>,
}

impl Listed {
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let entries =
            stillhouse_files::entries(folder).map_err(|error| system_error(folder, "cannot be listed", &error))?;
        let is_hidden = |name: &str| name.starts_with('.') || is_system_name(name);
        let visible = entries.into_iter().filter(|path| !is_hidden(&file_name(path)));
        let (folders, files) = visible.partition(|path| path.is_dir());
        Ok(Self { files, folders })
    }

    /// The entries in words.
    pub(super) fn described(&self) -> String {
        const MAX_DESCRIBED: usize = 3;
        let describe = |path: &PathBuf| match what_is(path) {
            Ok(kind) => format!("{} ({kind})", file_name(path)),
            Err(_) => file_name(path),
        };
        let mut words: Vec<String> = self.files.iter().take(MAX_DESCRIBED).map(describe).collect();
        let n_more = self.files.len().saturating_sub(MAX_DESCRIBED);
        if n_more > 0 {
            words.push(format!("{n_more} more files"));
        }
        if !self.folders.is_empty() {
            let folders: Vec<&Path> = self.folders.iter().map(PathBuf::as_path).collect();
            words.push(format!("folders ({})", listed(&folders)));
        }
        words.join(", ")
    }
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// Names for a sentence, not more than fit into a line.
pub(super) fn listed(paths: &[&Path]) -> String {
    const MAX_NAMED: usize = 5;
    let named: Vec<String> = paths.iter().take(MAX_NAMED).map(|path| file_name(path)).collect();
    match paths.len().saturating_sub(MAX_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whatever has no bytes that texts do not have, gzipped too.
    Text,
    Parquet,
    Npy,
    Safetensors,
    Idx,
    Image,
    Empty,
    /// A format that is not read, by its name.
    Other(&'static str),
}

/// First bytes of formats that are not read.
const OTHERS: [(&[u8], &str); 16] = [
    (b"PK\x03\x04", "a zip archive (or a spreadsheet, npz or PyTorch file, which are zip archives)"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ARROW1", "an Arrow file"),
    (b"\xff\xff\xff\xff", "an Arrow stream"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\x80\x02", "a pickle of Python"),
    (b"\x80\x03", "a pickle of Python"),
    (b"\x80\x04", "a pickle of Python"),
    (b"\x7fELF", "a program"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
];
const IMAGES: [&[u8]; 7] = [b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"II*\0", b"MM\0*", b"BM"];
const GZIP: &[u8] = b"\x1f\x8b";
/// Where the archives of tar say what they are.
const TAR: (usize, &[u8]) = (257, b"ustar");
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

impl Kind {
    /// Whether it is one of several files of a data set.
    pub(super) fn is_part_of_a_folder(self) -> bool {
        matches!(self, Self::Npy | Self::Safetensors | Self::Idx | Self::Image)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text file",
            Self::Parquet => "a parquet file",
            Self::Npy => "a NumPy array",
            Self::Safetensors => "tensors in a safetensors file",
            Self::Idx => "an idx file",
            Self::Image => "an image",
            Self::Empty => "an empty file",
            Self::Other(name) => name,
        })
    }
}

/// What a file is, by its first bytes.
pub(super) fn what_is(path: &Path) -> Result<Kind> {
    const N_BYTES: u64 = 512;
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::InvalidInput => ExperimentError::BadData(anyhow::anyhow!("{}: {error}", path.display())),
        _ => system_error(path, "cannot be read", &error),
    };
    let mut start = Vec::new();
    let file = stillhouse_files::open(path).map_err(unreadable)?;
    file.take(N_BYTES).read_to_end(&mut start).map_err(unreadable)?;
    Ok(kind_of(&start))
}

fn kind_of(start: &[u8]) -> Kind {
    let begins = |bytes: &[u8]| start.starts_with(bytes);
    let other = OTHERS.iter().find(|(bytes, _)| begins(bytes));
    match start {
        [] => Kind::Empty,
        _ if begins(b"PAR1") => Kind::Parquet,
        _ if begins(b"\x93NUMPY") => Kind::Npy,
        [0, 0, 8, 1..=4, ..] => Kind::Idx,
        _ if start.get(8) == Some(&b'{') && start[4..8] == [0; 4] => Kind::Safetensors,
        _ if start.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) => Kind::Other("a tar archive"),
        _ if UTF16_MARKS.iter().any(|mark| begins(mark)) || begins(GZIP) => Kind::Text,
        _ if other.is_some() => Kind::Other(other.map_or("", |(_, name)| name)),
        _ if IMAGES.iter().any(|bytes| begins(bytes)) && start.contains(&0) => Kind::Image,
        // UTF-16 without a mark has zeros in every second place of plain letters
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] if a.is_ascii_graphic() && b.is_ascii_graphic() => Kind::Text,
        _ if start.contains(&0) => Kind::Other("binary data of a kind that is not known"),
        _ => Kind::Text,
    }
}
