//! Files with the names of classes for `idx` files: one name per line, or the mapping that EMNIST comes with.

use crate::labels::{distinct_names, read_lines};
use crate::{DataError, LoadContext};
use std::collections::BTreeSet;
use std::path::Path;

/// Names in the order of the labels.
#[derive(Debug, PartialEq)]
pub(super) struct IdxNames {
    pub(super) names: Vec<String>,
    /// The label of the first name, where the file says it.
    pub(super) first: Option<i64>,
}

/// Reads a file of names.
///
/// # Errors
/// An empty line before the end, two equal names, a mapping with a gap.
pub(super) fn read_idx_names(path: &Path, context: &LoadContext<'_>) -> Result<IdxNames, DataError> {
    let lines = read_lines(path)?;
    let Some(mapping) = mapping(&lines) else {
        return Ok(IdxNames { names: distinct_names(path, lines)?, first: None });
    };
    let first = mapping[0].0;
    if let Some((expected, (found, _))) = (first..).zip(&mapping).find(|(expected, (found, _))| expected != found) {
        let found = format!("number {found} in a mapping of numbers to code points");
        return Err(DataError::invalid(path, found, format!("{expected}, since the numbers are those of the classes")));
    }
    let names: Vec<String> = mapping.into_iter().map(|(_, name)| name).collect();
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        return Err(DataError::invalid(path, "two classes with the same code points", "other ones for each class"));
    }
    context.note(format!("{}: read as numbers and code points: {first} is `{}`", path.display(), names[0]));
    Ok(IdxNames { names, first: Some(first) })
}

/// The lines of a mapping: a class's number, and the characters of its code points. Nothing where a line is no such thing.
fn mapping(lines: &[String]) -> Option<Vec<(i64, String)>> {
    let line = |line: &String| -> Option<(i64, String)> {
        let mut words = line.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let letters: Option<String> = words
            .map(|word| word.parse().ok().and_then(char::from_u32).filter(|letter| !letter.is_control()))
            .collect();
        letters.filter(|letters| !letters.is_empty()).map(|letters| (number, letters))
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stillhouse_core::Seed;

    fn read(content: &str) -> Result<IdxNames, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.txt");
        std::fs::write(&path, content).unwrap();
        read_idx_names(&path, &LoadContext::quiet(Seed(0))).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mapping_gives_characters_and_the_first_number() {
        let found = read("0 48\r\n1 49\r\n\r\n").unwrap();
        assert_eq!(found, IdxNames { names: vec!["0".into(), "1".into()], first: Some(0) });
        let found = read("1 65 97\n2 66 98\n").unwrap();
        assert_eq!(found, IdxNames { names: vec!["Aa".into(), "Bb".into()], first: Some(1) });
        assert!(read("0 48\n2 50\n").unwrap_err().contains("number 2"));
        assert!(read("0 48\n1 48\n").unwrap_err().contains("two classes"));
    }

    #[test]
    fn other_files_are_names() {
        for content in ["ant\nbee\n", "0\n1\n", "1 ant\n2 bee\n", "0 48\nbee\n"] {
            let names = content.lines().map(str::to_owned).collect();
            assert_eq!(read(content).unwrap(), IdxNames { names, first: None });
        }
    }
}
