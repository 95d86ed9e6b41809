//! What is wrong with a config.

use std::fmt;

/// One thing that is wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, for example `student.training.n_epochs`; empty for the whole config.
    pub key: String,
    /// What was found and what was expected.
    pub message: String,
    /// A remedy, where there is one.
    pub hint: Option<String>,
    /// Whether the key itself is wrong, whatever its value is.
    pub is_key: bool,
}

impl Problem {
    /// A problem without a remedy.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), hint: None, is_key: false }
    }

    /// The problem that an error describes; its line `hint: ...` is the remedy.
    pub fn of_error(key: impl Into<String>, error: impl fmt::Display) -> Self {
        let text = error.to_string();
        match text.split_once("\nhint: ") {
            Some((message, hint)) => Self::new(key, message).hint(hint),
            None => Self::new(key, text),
        }
    }

    /// The same problem with a remedy.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same problem of a table inside a larger config: the table's path comes before the key.
    pub fn within(self, table: &str) -> Self {
        let key = match self.key.as_str() {
            "" => table.to_owned(),
            key => format!("{table}.{key}"),
        };
        Self { key, ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; hint: {hint}"))
    }
}

/// Several problems in one line.
pub fn in_words(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}
