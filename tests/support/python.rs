//! Somebody else's program.

use std::process::Command;

/// A Python that has these modules, with commas between them: that of `STILLHOUSE_PYTHON`, or the first in the `PATH`.
pub fn python_with(modules: &str) -> Option<String> {
    let candidates = [std::env::var("STILLHOUSE_PYTHON").ok(), Some("python3".into()), Some("python".into())];
    let has_modules = |python: &String| {
        let run = Command::new(python).args(["-c", &format!("import {modules}")]).output();
        run.is_ok_and(|run| run.status.success())
    };
    candidates.into_iter().flatten().find(has_modules)
}
