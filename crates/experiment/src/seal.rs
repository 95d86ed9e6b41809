//! Seals: the checksums of an artifact's files, written last, so that a file that changed afterwards is found.

use crate::error::{ExperimentError, Result, system_error};
use crate::files::{read_json, write_json};
use crate::stage::{SEAL, Stage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Checksums of an artifact's files; written last.
#[derive(Serialize, Deserialize)]
struct Seal {
    stage: String,
    key: String,
    /// file name to blake3 hash
    files: BTreeMap<String, String>,
}

/// Writes the checksums of the files in a stage's folder.
pub(crate) fn write_seal(folder: &Path, stage: &Stage) -> Result<()> {
    let seal = Seal { stage: stage.name().to_owned(), key: stage.key().to_owned(), files: checksums(folder)? };
    write_json(&folder.join(SEAL), &seal)
}

/// Hashes of every file in a folder but the seal, with their paths relative to it.
fn checksums(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let found = stillhouse_files::files_below(folder)
        .map_err(|error| system_error(&error.path, "cannot be read", &error.source))?;
    for path in found.into_iter().filter(|path| path.file_name().is_some_and(|name| name != SEAL)) {
        let name = path.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned();
        files.insert(name, hash_file(&path)?);
    }
    Ok(files)
}

fn hash_file(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = stillhouse_files::open(path).map_err(|error| system_error(path, "cannot be read", &error))?;
    std::io::copy(&mut file, &mut hasher).map_err(|error| system_error(path, "cannot be read", &error))?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Checks all files of a finished artifact.
pub(crate) fn check_seal(folder: &Path) -> Result<()> {
    let seal = read_seal(folder)?;
    let found = checksums(folder)?;
    seal.files.iter().try_for_each(|(name, expected)| check_file(folder, name, found.get(name), expected))
}

/// A file of a finished artifact, checked, for what reads one file alone: the weights beside it may be large.
///
/// # Errors
/// A file that changed since it was sealed, or that was never there.
pub(crate) fn sealed_file(folder: &Path, name: &str) -> Result<PathBuf> {
    let (seal, path) = (read_seal(folder)?, folder.join(name));
    let found = if path.is_file() { Some(hash_file(&path)?) } else { None };
    check_file(folder, name, found.as_ref(), seal.files.get(name).map_or("", String::as_str))?;
    Ok(path)
}

fn read_seal(folder: &Path) -> Result<Seal> {
    read_json(&folder.join(SEAL)).map_err(|error| match error {
        ExperimentError::BadData(error) => damaged(folder, format_args!("{error:#}")),
        error => error,
    })
}

fn check_file(folder: &Path, name: &str, found: Option<&String>, expected: &str) -> Result<()> {
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    let what = match found {
        Some(found) if found == expected => return Ok(()),
        Some(found) => {
            format!("changed since it was written (checksum {}, expected {})", short(found), short(expected))
        }
        None => "missing".to_owned(),
    };
    Err(damaged(folder, format_args!("{}: {what}", folder.join(name).display())))
}

fn damaged(folder: &Path, what: impl std::fmt::Display) -> ExperimentError {
    let remedy = format!("remove the folder {} to compute the stage again", folder.display());
    ExperimentError::BadData(anyhow::anyhow!("{what}\n  hint: {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_checked_alone_and_with_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let missing_seal = check_seal(folder.path()).unwrap_err();
        assert!(missing_seal.to_string().contains("remove the folder"), "{missing_seal}");
        fs::write(at("a"), "1").unwrap();
        fs::write(at("b"), "2").unwrap();
        write_seal(folder.path(), &Stage::new("s", 1, None, &1)).unwrap();
        check_seal(folder.path()).unwrap();
        fs::write(at("b"), "3").unwrap();
        assert_eq!(sealed_file(folder.path(), "a").unwrap(), at("a"));
        for error in [sealed_file(folder.path(), "b").unwrap_err(), check_seal(folder.path()).unwrap_err()] {
            assert_eq!(error.exit_code(), 3);
            assert!(error.to_string().contains("changed since it was written"), "{error}");
            assert!(error.to_string().contains("hint: remove the folder"), "{error}");
        }
        fs::remove_file(at("a")).unwrap();
        assert!(sealed_file(folder.path(), "a").unwrap_err().to_string().contains("missing"));
        // what was put there later belongs to nobody
        fs::write(at("later"), "x").unwrap();
        assert!(sealed_file(folder.path(), "later").is_err());
    }
}
