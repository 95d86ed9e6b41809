//! The end of a job's log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Lines that make a message.
const N_LINES: usize = 6;
/// Bytes at the end of the log that are read.
const N_BYTES: i64 = 4096;

/// The last lines that are not blank; empty where there is no log.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = read_end(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(N_LINES)..].join("\n")
}

fn read_end(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    if file.metadata()?.len() > N_BYTES.unsigned_abs() {
        file.seek(SeekFrom::End(-N_BYTES))?;
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
