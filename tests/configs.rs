//! Every config of the repository can run and opens with its lab note.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

fn configs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(configs(&path));
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_config_passes_the_check() {
    let found = configs(&support::repository().join("configs"));
    assert!(found.iter().any(|path| path.ends_with("quickstart.toml")), "{found:?}");
    for path in found {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillhouse"));
        let output = support::output(command.arg("check").arg(&path).current_dir(support::repository()));
        let finished = support::Finished::from(output);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.starts_with("ok: "), "{}", finished.stdout);
    }
}

#[test]
fn every_config_opens_with_a_lab_note() {
    for path in configs(&support::repository().join("configs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let note: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(!note.is_empty(), "{} does not open with a comment", path.display());
        assert!(note[0].len() > 2, "{}: the first line says nothing", path.display());
    }
}

#[test]
fn sweeps_list_their_cells() {
    for path in configs(&support::repository().join("configs/sweeps")) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stillhouse"));
        let command = command.arg("sweep").arg(&path).arg("--dry-run").current_dir(support::repository());
        let finished = support::Finished::from(support::output(command));
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.lines().count() > 1, "{}: {}", path.display(), finished.stdout);
    }
}
