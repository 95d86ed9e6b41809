//! What a word of the command line is, by the ending of its name.

use std::path::Path;

/// How a file of texts is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextFile {
    /// A column of rows.
    Table,
    /// A text a line.
    Lines,
}

impl TextFile {
    /// By the ending of the name, where there is such a file. Other words are texts: `README` is one, whatever lies around.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let found = match ending(path)?.as_str() {
            "csv" | "tsv" | "tab" | "jsonl" | "ndjson" | "json" | "parquet" => Self::Table,
            "txt" => Self::Lines,
            _ => return None,
        };
        (path.exists() && !path.is_dir()).then_some(found)
    }
}

/// Whether a word names a matrix; no row of numbers ends so.
pub(super) fn is_matrix(path: &Path) -> bool {
    ending(path).is_some_and(|ending| ["npy", "safetensors"].contains(&ending.as_str()))
}

/// The ending of a name in lower case, that before `.gz` of a gzipped file.
fn ending(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    Some(name.trim_end_matches(".gz").rsplit_once('.')?.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_from_texts_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "x").unwrap();
            TextFile::of(&path)
        };
        for name in ["a.csv", "a.TSV", "a.jsonl.gz", "a.b.parquet"] {
            assert_eq!(kind(name), Some(TextFile::Table), "{name}");
        }
        assert_eq!(kind("a.txt"), Some(TextFile::Lines));
        assert!(["README", "a.md", "csv"].iter().all(|name| kind(name).is_none()));
        assert_eq!(TextFile::of(&folder.path().join("absent.csv")), None);
        assert!(is_matrix(Path::new("a/b.npy.gz")) && !is_matrix(Path::new("0.5,1.npyx")));
    }
}
