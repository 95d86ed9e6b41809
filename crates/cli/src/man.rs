//! Pages for `man`, one for each command.

use crate::failure::Failure;
use crate::options::command_line;
use clap_mangen::Man;
use std::io;
use std::path::Path;

/// Writes `stillhouse.1`, `stillhouse-run.1` and so on into a folder. Files that are there already are not touched.
///
/// # Errors
/// A folder that cannot be written, or that has such a page.
pub fn write_pages(folder: &Path) -> Result<usize, Failure> {
    let failure = |path: &Path, error| Failure::Write { path: path.display().to_string(), error };
    std::fs::create_dir_all(folder).map_err(|error| failure(folder, error))?;
    let pages = pages();
    for (name, text) in &pages {
        let path = folder.join(name);
        stillhouse_experiment::write_absent(&path, text).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let text = "exists already\n  hint: give an empty folder with --out";
                Failure::Usage(format!("{}: {text}", path.display()))
            }
            _ => failure(&path, error),
        })?;
    }
    Ok(pages.len())
}

/// Names of files and their text.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut pages = Vec::new();
    let mut pending = vec![command_line().disable_help_subcommand(true)];
    while let Some(command) = pending.pop() {
        pending.extend(command.get_subcommands().filter(|inner| is_shown(inner)).cloned());
        let page = Man::new(command);
        let mut text = Vec::new();
        page.render(&mut text).expect("memory takes what is written");
        pages.push((page.get_filename(), text));
    }
    pages
}

fn is_shown(command: &clap::Command) -> bool {
    command.get_name() != "help" && !command.is_hide_set()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options() {
        let folder = tempfile::tempdir().unwrap();
        let n_pages = write_pages(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), n_pages);
        let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(page("stillhouse.1").contains(".TH stillhouse 1"), "{}", page("stillhouse.1"));
        assert!(page("stillhouse.1").contains("stillhouse\\-predict(1)"), "{}", page("stillhouse.1"));
        let predict = page("stillhouse-predict.1");
        assert!(predict.contains("\\-\\-top\\-k") && !predict.contains("\\-\\-device"), "{predict}");
        assert!(page("stillhouse-data-preview.1").contains("\\-\\-out"));
        assert!(!folder.path().join("stillhouse-man.1").exists());
        let again = write_pages(folder.path()).unwrap_err();
        assert_eq!(again.exit_code(), 2);
    }
}
