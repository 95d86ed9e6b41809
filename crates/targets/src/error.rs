//! What soft targets and their files can have wrong with them.

use std::path::PathBuf;
use stillhouse_core::ExampleView;

/// Why soft targets cannot be built, written, read or used.
#[derive(Debug, thiserror::Error)]
pub enum TargetsError {
    /// A row that is not a distribution.
    #[error("{}: class {class} has probability {value}, expected 0 to 1", name(.key))]
    NotAProbability {
        /// the row's example and view
        key: ExampleView,
        /// the class
        class: usize,
        /// what stands there
        value: f32,
    },
    /// A row that does not sum to 1.
    #[error("{}: probabilities sum to {sum}, expected 1\nhint: targets are probabilities, not logits", name(.key))]
    Sum {
        /// the row's example and view
        key: ExampleView,
        /// its sum
        sum: f64,
    },
    /// Two rows for one example and view.
    #[error("{} has two rows", name(.key))]
    Duplicate {
        /// the example and view
        key: ExampleView,
    },
    /// A row out of order.
    #[error("{} stands after a later one, expected ascending examples and views", name(.key))]
    Order {
        /// the example and view
        key: ExampleView,
    },
    /// A sparse layout that keeps no class, or more than there are.
    #[error("a sparse store keeps {k} classes of a row, expected 1 to {n_classes}")]
    Kept {
        /// what was asked for
        k: usize,
        /// number of classes
        n_classes: usize,
    },
    /// An example or view that the targets do not hold.
    #[error("no soft target for {}\nhint: the targets were made for other examples or views", name(.key))]
    Missing {
        /// the example and view asked for
        key: ExampleView,
    },
    /// Targets without classes or rows.
    #[error("soft targets need at least one class and one row, found {n_classes} and {n_rows}")]
    Empty {
        /// classes
        n_classes: usize,
        /// rows
        n_rows: usize,
    },
    /// Targets of another dataset.
    #[error("soft targets were made for the dataset {found}, expected {expected}\nhint: make them again for this data")]
    Dataset {
        /// fingerprint that the targets carry
        found: String,
        /// fingerprint of the dataset at hand
        expected: String,
    },
    /// Targets over other classes.
    #[error("soft targets have class {class} = {found:?}, expected {expected:?}")]
    Labels {
        /// the first class that differs
        class: usize,
        /// the targets' name of it, if they have so many
        found: Option<String>,
        /// the dataset's name of it, if it has so many
        expected: Option<String>,
    },
    /// A file that is not one of soft targets.
    #[error("{}: {what}: found {found}, expected {expected}", path.display())]
    Format {
        /// the file
        path: PathBuf,
        /// what part of it
        what: &'static str,
        /// what stands there
        found: String,
        /// what should
        expected: String,
    },
    /// A temperature whose tail masses a sparse store does not hold.
    #[error(
        "soft targets at T = {temperature}, found T = {declared}\nhint: declare the temperature and make them again"
    )]
    Undeclared {
        /// the temperature that was asked for
        temperature: f64,
        /// those that were declared
        declared: String,
    },
    /// A sparse store where all classes are needed.
    #[error("{}: keeps some classes of a row only, expected all\nhint: make the targets again with a dense layout", path.display())]
    NotDense {
        /// the file
        path: PathBuf,
    },
    /// Another writer is at work.
    #[error("{}: is being written by another program", path.display())]
    Busy {
        /// the unfinished file
        path: PathBuf,
    },
    /// A store whose chunks are not all there.
    #[error("{}: {n_missing} of {n_chunks} chunks are missing", path.display())]
    Unfinished {
        /// the file
        path: PathBuf,
        /// chunks without content
        n_missing: usize,
        /// all chunks
        n_chunks: usize,
    },
    /// A file that does not match its own checksum.
    #[error("{}: {part}: checksum {found}, expected {expected}\nhint: the file is damaged, make the targets again", path.display())]
    Checksum {
        /// the file
        path: PathBuf,
        /// what differs: the rows, or the description
        part: String,
        /// checksum of its content
        found: String,
        /// checksum that it carries
        expected: String,
    },
    /// The operating system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// the file
        path: PathBuf,
        /// the reason
        source: std::io::Error,
    },
}

fn name(key: &ExampleView) -> String {
    match key.view {
        Some(view) => format!("example {}, view {}", key.example.0, view.0),
        None => format!("example {}", key.example.0),
    }
}
