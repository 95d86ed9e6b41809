//! The folder of a page or of C source, whole or not at all.

use crate::{ExportError, check_place};
use std::path::Path;
use stillhouse_files::{NewFolder, PathError};

/// What a page, and the header of C source, say of themselves near their beginning, by which an exported folder is known.
const MARKS: [(&str, &str); 2] =
    [("index.html", "<meta name=\"generator\" content=\"stillhouse\">"), ("model.h", "written by stillhouse")];
/// Bytes of a file that are searched for its mark.
const HEAD_BYTES: usize = 1024;

/// Writes a folder with these files and returns their bytes. An older exported folder of any form is replaced.
///
/// # Errors
/// A place that holds something else, or a disk that refuses.
pub(crate) fn write_folder(place: &Path, files: &[(&str, String)]) -> Result<Vec<(String, u64)>, ExportError> {
    let io = |PathError { path, source }: PathError| ExportError::Io { path, source };
    if !MARKS.iter().any(|(file, mark)| has_mark(&place.join(file), mark)) {
        check_place(place)?;
    }
    let folder = NewFolder::create(place).map_err(io)?;
    files.iter().try_for_each(|(name, text)| folder.write(name, text.as_bytes())).map_err(io)?;
    folder.keep().map_err(io)?;
    Ok(files.iter().map(|(name, text)| ((*name).to_owned(), text.len() as u64)).collect())
}

fn has_mark(file: &Path, mark: &str) -> bool {
    let head = stillhouse_files::read(file).map(|mut bytes| {
        bytes.truncate(HEAD_BYTES);
        bytes
    });
    head.is_ok_and(|head| head.windows(mark.len()).any(|window| window == mark.as_bytes()))
}
