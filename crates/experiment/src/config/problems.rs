//! All problems of a config at once.

use std::fmt;
use stillhouse_core::Problem;

/// All problems of a config.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems {
    /// File or other source of the config.
    pub source_name: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl ConfigProblems {
    /// A single problem of the whole file.
    pub(crate) fn whole(source_name: &str, message: impl Into<String>) -> Self {
        Self { source_name: source_name.to_owned(), problems: vec![Problem::new("", message)] }
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.problems.len();
        write!(f, "{}: {n} problem{} in the config", self.source_name, if n == 1 { "" } else { "s" })?;
        for problem in &self.problems {
            let separator = if problem.key.is_empty() { "" } else { ": " };
            write!(f, "\n  {}{separator}{}", problem.key, problem.message)?;
            if let Some(hint) = &problem.hint {
                write!(f, "\n    hint: {hint}")?;
            }
        }
        Ok(())
    }
}
