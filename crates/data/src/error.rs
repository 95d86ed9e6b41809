//! What can be wrong with data, said so that the reader of the message knows what to do next.

use std::borrow::Cow;
use std::error::Error;
use std::path::Path;
use stillhouse_core::{Problem, in_words};

/// A dataset that could not be loaded or an example that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The user asked to stop; nothing is wrong with the data.
    #[error("interrupted while reading data")]
    Interrupted,
    /// Settings that are out of range or contradict each other.
    #[error("{}", in_words(.0))]
    Config(Vec<Problem>),
    /// Files that are absent or damaged, content that is not what it has to be, a hub that does not deliver.
    #[error("{message}")]
    Failed {
        /// where, what was found, what was expected, and what to do about it; it names the cause
        message: String,
        /// the system's or another library's answer
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl DataError {
    /// Whether the user asked to stop, so that the program ends with its own exit code.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted)
    }

    /// Whether the fault lies in the config rather than in the data.
    pub fn is_config(&self) -> bool {
        matches!(self, Self::Config(_))
    }

    /// Whether the machine has to be helped and not the data: a full disk, missing permissions, no more file handles.
    pub fn is_of_the_machine(&self) -> bool {
        use std::io::ErrorKind as Kind;
        let Self::Failed { source: Some(source), .. } = self else { return false };
        let is_of_the_data = |error: &std::io::Error| {
            matches!(
                error.kind(),
                Kind::NotFound
                    | Kind::NotADirectory
                    | Kind::IsADirectory
                    | Kind::InvalidData
                    | Kind::InvalidInput
                    | Kind::UnexpectedEof
            )
        };
        source.downcast_ref::<std::io::Error>().is_some_and(|error| !is_of_the_data(error))
    }

    /// Content that is not what it has to be.
    pub(crate) fn invalid(path: &Path, found: impl AsRef<str>, expected: impl AsRef<str>) -> Self {
        let (found, expected) = (without_middle(found.as_ref()), without_middle(expected.as_ref()));
        Self::Failed { message: format!("{}: found {found}, expected {expected}", path.display()), source: None }
    }

    /// The same error with a remedy.
    pub(crate) fn hint(mut self, hint: impl AsRef<str>) -> Self {
        if let Self::Failed { message, .. } = &mut self {
            message.push_str("\nhint: ");
            message.push_str(hint.as_ref());
        }
        self
    }

    /// A file or folder that cannot be opened, listed or read; `action` is what was tried, for example `read`.
    pub(crate) fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Failed {
            message: format!("cannot {action} {}: {source}", path.display()),
            source: Some(Box::new(source)),
        }
    }
}

/// A text of a message. A label or a cell that it quotes can be as long as a file, so the middle of a long one is left out.
fn without_middle(text: &str) -> Cow<'_, str> {
    const SHOWN_AT_EACH_END: usize = 500;
    let Some((head, _)) = text.char_indices().nth(SHOWN_AT_EACH_END) else { return Cow::Borrowed(text) };
    let Some((tail, _)) = text.char_indices().rev().nth(SHOWN_AT_EACH_END - 1) else { return Cow::Borrowed(text) };
    if tail <= head { Cow::Borrowed(text) } else { Cow::Owned(format!("{} ... {}", &text[..head], &text[tail..])) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_a_megabyte_is_shortened_and_the_rest_of_the_message_stays() {
        let found = format!("label `{}` in line 7", "\u{e9}".repeat(1_000_000));
        let text = DataError::invalid(Path::new("x.csv"), found, "a class").hint("look").to_string();
        assert!(
            text.starts_with("x.csv: found label `\u{e9}")
                && text.ends_with("` in line 7, expected a class\nhint: look")
        );
        assert!(text.chars().count() < 1200, "{}", text.len());
        let whole = "\u{e9}".repeat(1000);
        assert_eq!(without_middle(&whole), whole);
    }
}
