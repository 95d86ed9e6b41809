//! Files that appear whole or not at all.

use crate::error::{ExperimentError, Result, file_error, system_error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use stillhouse_files::{NewFile, is_same_file};

/// Writes a file, whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    stillhouse_files::write_whole(path, bytes).map_err(|error| system_error(path, "cannot be written", &error))
}

/// Writes a file piece by piece, whole or not at all.
pub(crate) fn write_pieces(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    let written = NewFile::create(path).and_then(|file| {
        let mut writer = BufWriter::new(file.writer()?);
        write(&mut writer)?;
        writer.flush()?;
        file.keep()
    });
    written.map_err(|error| system_error(path, "cannot be written", &error))
}

/// Copies a file, whole or not at all.
pub(crate) fn copy_whole(from: &Path, to: &Path) -> Result<()> {
    let mut source = stillhouse_files::open(from).map_err(|error| system_error(from, "cannot be read", &error))?;
    write_pieces(to, |out| io::copy(&mut source, out).map(drop))
}

/// Refuses an output that would take the place of something that the command reads.
pub(crate) fn check_output<'a>(out: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let Some(input) = inputs.into_iter().find(|input| is_same_file(out, input)) else { return Ok(()) };
    let out = out.display();
    let input = input.display();
    let what = format!("{out}: would be written over {input}, which this command reads");
    Err(ExperimentError::Usage(format!("{what}\n  hint: give another place with --out")))
}

/// Writes a value as indented JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| file_error(path, "cannot be encoded", error))?;
    text.push('\n');
    write_whole(path, text.as_bytes())
}

/// Reads a value from JSON.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = stillhouse_files::read_text(path).map_err(|error| system_error(path, "cannot be read", &error))?;
    serde_json::from_str(&text).map_err(|error| file_error(path, "is not what this version writes", error))
}

/// Makes the entries of a folder durable, where the file system can.
pub(crate) fn sync_folder(path: &Path) {
    // best effort: some file systems refuse to sync a folder, and the rename itself stays atomic
    let _ = stillhouse_files::sync_folder(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_never_an_input() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write_whole(&at("input"), b"x").unwrap();
        let inputs = [at("absent"), at("input")];
        let check = |out: &str| check_output(&at(out), inputs.iter().map(AsRef::as_ref));
        let error = check("input").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("hint:"), "{error}");
        assert!(check("absent").is_ok() && check("other").is_ok());
    }
}
