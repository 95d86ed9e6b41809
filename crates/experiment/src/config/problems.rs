//! All problems of a config at once.

use super::origin::{Line, Origin, Place};
use std::fmt;
use stillhouse_core::Problem;

/// All problems of a config.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems {
    /// File or other source of the config.
    pub source_name: String,
    /// At least one.
    pub problems: Vec<PlacedProblem>,
}

/// A problem, and where its key comes from if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedProblem {
    /// What is wrong.
    pub problem: Problem,
    /// The line of the file, or the `--set`.
    pub place: Option<Place>,
}

impl ConfigProblems {
    /// Finds where the keys of problems come from.
    pub(super) fn of(source_name: String, origin: &Origin, problems: Vec<Problem>) -> Self {
        let placed = |problem: Problem| PlacedProblem { place: origin.place(&problem), problem };
        Self { source_name, problems: problems.into_iter().map(placed).collect() }
    }

    /// A single problem of the whole source.
    pub(super) fn whole(source_name: &str, problem: Problem) -> Self {
        Self { source_name: source_name.to_owned(), problems: vec![PlacedProblem { problem, place: None }] }
    }

    /// A file that is not TOML.
    pub(super) fn not_toml(source_name: &str, text: &str, error: &toml::de::Error) -> Self {
        let problem = Problem::new("", format!("not valid TOML: {}", error.message()));
        let place = error.span().map(|span| Place::Line(Line::of(text, span)));
        Self { source_name: source_name.to_owned(), problems: vec![PlacedProblem { problem, place }] }
    }
}

/// Columns of a line of the file, with its number.
const WIDTH: usize = 80;

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.problems.len();
        write!(f, "{}: {n} problem{} in the config", self.source_name, if n == 1 { "" } else { "s" })?;
        for PlacedProblem { problem, place } in &self.problems {
            let separator = if problem.key.is_empty() { "" } else { ": " };
            write!(f, "\n  {}{separator}{}", problem.key, problem.message)?;
            match place {
                Some(Place::Line(line)) => {
                    write!(f, "\n    at {}:{}:{}", self.source_name, line.number, line.column)?;
                    write!(f, "\n{}", line.in_words("    ", WIDTH))?;
                }
                Some(Place::Set(text)) => write!(f, "\n    from --set {text}")?,
                Some(Place::Sweep(text)) => write!(f, "\n    from [sweep], {text}")?,
                None => {}
            }
            if let Some(hint) = &problem.hint {
                write!(f, "\n    hint: {hint}")?;
            }
        }
        Ok(())
    }
}
