//! Where a row came from, for messages.

use std::path::{Path, PathBuf};

/// Files whose rows follow one another.
pub(crate) struct Places {
    noun: &'static str,
    first_number: usize,
    /// Each file with its first row.
    files: Vec<(PathBuf, usize)>,
}

impl Places {
    /// Rows that messages call `noun` and count from `first_number`.
    pub(crate) fn new(noun: &'static str, first_number: usize) -> Self {
        Self { noun, first_number, files: Vec::new() }
    }

    /// Rows of a single file.
    pub(crate) fn of_file(path: &Path, noun: &'static str, first_number: usize) -> Self {
        let mut places = Self::new(noun, first_number);
        places.begin_file(path, 0);
        places
    }

    /// Rows from `first_row` on come from this file.
    pub(crate) fn begin_file(&mut self, path: &Path, first_row: usize) {
        self.files.push((path.to_owned(), first_row));
    }

    /// The file of a row, and the row's name inside the file, such as `row 7`.
    pub(crate) fn find(&self, row: usize) -> (&Path, String) {
        let index = self.files.partition_point(|(_, first)| *first <= row);
        let (path, first) = &self.files[index.checked_sub(1).expect("rows belong to a file that was begun")];
        (path, format!("{} {}", self.noun, row - first + self.first_number))
    }
}
