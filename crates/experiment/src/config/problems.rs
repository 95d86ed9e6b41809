//! What is wrong with a config: every problem at once, each with the key's path.

use std::fmt;

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Path of the key, for example `student.training.n_epochs`; empty for the whole file.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
    /// A remedy, where there is one.
    pub hint: Option<String>,
}

impl ConfigProblem {
    /// A problem at a key path; a remedy may stand behind the sentence, after `hint: `.
    pub(crate) fn new((path, text): (String, String)) -> Self {
        let cut = ["\nhint: ", "; hint: "].into_iter().find_map(|mark| text.split_once(mark));
        let (message, hint) = match cut {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (text, None),
        };
        Self { path, message, hint }
    }
}

/// All problems of a config.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems {
    /// File or other source of the config.
    pub source_name: String,
    /// At least one.
    pub problems: Vec<ConfigProblem>,
}

impl ConfigProblems {
    /// A single problem of the whole file.
    pub(crate) fn whole(source_name: &str, message: impl Into<String>) -> Self {
        let problem = ConfigProblem { path: String::new(), message: message.into(), hint: None };
        Self { source_name: source_name.to_owned(), problems: vec![problem] }
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.problems.len();
        write!(f, "{}: {n} problem{} in the config", self.source_name, if n == 1 { "" } else { "s" })?;
        for problem in &self.problems {
            let separator = if problem.path.is_empty() { "" } else { ": " };
            write!(f, "\n  {}{separator}{}", problem.path, problem.message)?;
            if let Some(hint) = &problem.hint {
                write!(f, "\n    hint: {hint}")?;
            }
        }
        Ok(())
    }
}
