//! The folder of an export: written whole or not at all, and never over what another program, or another export, wrote.

use crate::ExportError;
use serde_json::Value;
use std::fs;
use std::path::Path;
use stillhouse_files::{NewFolder, PathError};

/// What an exported folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// ONNX files, with what the transformers libraries read
    Onnx,
    /// one page
    Page,
    /// C source
    C,
}

/// Key of our own block in `config.json`, by which a folder of ONNX files is known. A model folder has a `config.json` too,
/// without this key.
pub(crate) const OURS: &str = "stillhouse";
const CONFIG: &str = "config.json";
/// What a page, and the header of C source, say of themselves near their beginning.
const PAGE: (&str, &str) = ("index.html", "<meta name=\"generator\" content=\"stillhouse\">");
const HEADER: (&str, &str) = ("model.h", "written by stillhouse");
/// Bytes of a file that are searched for its mark.
const HEAD_BYTES: usize = 1024;
/// Of files that an export did not write, so many are named.
const MAX_NAMED: usize = 3;

impl ExportKind {
    const ALL: [Self; 3] = [Self::Onnx, Self::Page, Self::C];

    fn in_words(self) -> &'static str {
        match self {
            Self::Onnx => "an ONNX folder",
            Self::Page => "a page",
            Self::C => "C source",
        }
    }

    /// Whether a folder holds such an export.
    fn is_in(self, folder: &Path) -> bool {
        let (name, mark) = match self {
            Self::Onnx => {
                let config = stillhouse_files::read(&folder.join(CONFIG)).ok();
                let config = config.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
                return config.is_some_and(|config| config[OURS].is_object());
            }
            Self::Page => PAGE,
            Self::C => HEADER,
        };
        let head = stillhouse_files::read(&folder.join(name)).unwrap_or_default();
        head[..head.len().min(HEAD_BYTES)].windows(mark.len()).any(|window| window == mark.as_bytes())
    }

    /// Names that such a folder may have: what is written, and what its own files leave there when they are used.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Onnx => &[
                "README.md",
                "config.json",
                "labels.txt",
                "parity.json",
                "onnx",
                "preprocessor_config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "ngrams.json",
                "ngrams.mjs",
                "ngrams.py",
                "__pycache__",
            ],
            Self::Page => &["index.html"],
            Self::C => &["README.md", "model.h", "model.c", "test.c", "test"],
        }
    }
}

/// Refuses a place that holds anything but an older export of the same kind; an empty folder, or no folder, will do.
///
/// # Errors
/// [`ExportError::Occupied`], which says what is there.
pub fn check_place(place: &Path, kind: ExportKind) -> Result<(), ExportError> {
    let found = if fs::symlink_metadata(place).is_err() { None } else { found(place, kind) };
    let refuse =
        |found| Err(ExportError::Occupied { place: place.to_owned(), found, expected: kind.in_words().to_owned() });
    found.map_or(Ok(()), refuse)
}

/// What a place holds that an export of this kind must not replace.
fn found(place: &Path, kind: ExportKind) -> Option<String> {
    let Ok(entries) = fs::read_dir(place) else { return Some("is no folder".to_owned()) };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() {
        return None;
    }
    let is_model = || names.iter().any(|name| name == "model.safetensors");
    match ExportKind::ALL.into_iter().find(|other| other.is_in(place)) {
        Some(other) if other == kind => {
            names.retain(|name| !kind.names().contains(&name.as_str()));
            let with = format!("holds {} that stillhouse exported, and also", kind.in_words());
            (!names.is_empty()).then(|| format!("{with} {}", listed(&names)))
        }
        Some(other) => Some(format!("holds {} that stillhouse exported", other.in_words())),
        None if is_model() => Some("holds a model".to_owned()),
        None => Some(format!("holds {}", listed(&names))),
    }
}

fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(MAX_NAMED);
    let names = names[..names.len() - more].join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

/// Writes a folder with these files and returns their bytes. An older export of the same kind is replaced.
///
/// # Errors
/// As [`check_place`], or a disk that refuses; the place is then as it was.
pub(crate) fn write_folder(
    place: &Path,
    kind: ExportKind,
    files: &[(impl AsRef<str>, impl AsRef<[u8]>)],
) -> Result<Vec<(String, u64)>, ExportError> {
    let io = |PathError { path, source }: PathError| ExportError::Io { path, source };
    let folder = NewFolder::create(place).map_err(io)?;
    check_place(place, kind)?;
    files.iter().try_for_each(|(name, bytes)| folder.write(name.as_ref(), bytes.as_ref())).map_err(io)?;
    folder.keep().map_err(io)?;
    Ok(files.iter().map(|(name, bytes)| (name.as_ref().to_owned(), bytes.as_ref().len() as u64)).collect())
}
