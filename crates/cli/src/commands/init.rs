//! `init`: a commented config for data that the user has.

use crate::console;
use crate::failure::Failure;
use std::io;
use std::path::Path;

pub fn init(source: &str, out: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = out else { return console::print(&stillhouse_experiment::init_config(source)?) };
    if path.exists() {
        return Err(exists(path));
    }
    let config = stillhouse_experiment::init_config(source)?;
    stillhouse_experiment::write_absent(path, config.as_bytes()).map_err(|error| match error.kind() {
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
