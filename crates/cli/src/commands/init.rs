//! `init`: a commented config for data that the user has.

use crate::console;
use crate::failure::Failure;
use std::io::{self, Write};
use std::path::Path;

pub fn init(source: &str, out: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = out else { return console::print(&stillhouse_experiment::init_config(source)?) };
    if path.exists() {
        return Err(exists(path));
    }
    let config = stillhouse_experiment::init_config(source)?;
    write_new(path, &config).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => Failure::Write { path: path.display().to_string(), error },
    })?;
    console::message(&format!(
        "wrote {0}\n  hint: `stillhouse check {0}` checks it, `stillhouse run {0}` runs it",
        path.display()
    ));
    Ok(())
}

fn exists(path: &Path) -> Failure {
    Failure::Usage(format!(
        "{}: exists already\n  hint: give another file with --out, or remove this one",
        path.display()
    ))
}

/// Writes a file that does not exist yet, whole or not at all.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = new_file(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map(drop).map_err(|error| error.error)
}

/// A temporary file with the permissions of any new file, not only the owner's.
#[cfg(unix)]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    const READ_WRITE_BEFORE_UMASK: u32 = 0o666;
    let permissions = std::fs::Permissions::from_mode(READ_WRITE_BEFORE_UMASK);
    tempfile::Builder::new().permissions(permissions).tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder)
}
