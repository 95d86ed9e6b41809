//! The error of this crate.

use std::path::PathBuf;
use stillhouse_core::ExampleView;

/// Why soft targets cannot be built, written, read or used.
#[derive(Debug, thiserror::Error)]
pub enum TargetsError {
    /// An example or view that the targets do not hold.
    #[error("no soft target for {}\nhint: the targets were made for other examples or views", name(.key))]
    Missing {
        /// the example and view asked for
        key: ExampleView,
    },
    /// A file that the operating system refuses to open, read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// the file
        path: PathBuf,
        /// the reason
        source: std::io::Error,
    },
    /// Rows, keys, layouts or files that are not what they should be: where, what was found, what was expected.
    #[error("{0}")]
    Invalid(String),
}

/// The words for an example and its view in messages.
pub(crate) fn name(key: &ExampleView) -> String {
    match key.view {
        Some(view) => format!("example {}, view {}", key.example.0, view.0),
        None => format!("example {}", key.example.0),
    }
}
