//! Tables inside the program, so that a first run needs no file: paths that begin with `builtin:`.
//!
//! `builtin:languages/...` is the Universal Declaration of Human Rights in 200 languages, divided by article as somebody
//! would meet it who has labels for a few texts: `train.tsv` (every fourth article), `unlabelled.tsv` (the other articles,
//! without the test articles) and `test.tsv` (articles that are in neither).

use crate::DataError;
use flate2::read::MultiGzDecoder;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// Rows of language, code, article, text; see `builtin/README.md`.
const LANGUAGES: &[u8] = include_bytes!("../../../builtin/languages.tsv.gz");
/// Column of the article, counted from 0.
const ARTICLE: usize = 2;
/// Articles that no model is trained on.
const TEST_ARTICLES: [u32; 6] = [5, 10, 15, 20, 25, 30];

const PREFIX: &str = "builtin:";
const TRAIN: &str = "builtin:languages/train.tsv";
const UNLABELLED: &str = "builtin:languages/unlabelled.tsv";
const TEST: &str = "builtin:languages/test.tsv";

/// Which articles a table holds.
type Chooses = fn(u32) -> bool;

fn is_test(article: u32) -> bool {
    TEST_ARTICLES.contains(&article)
}

fn is_labelled(article: u32) -> bool {
    article % 4 == 3 && !is_test(article)
}

fn is_unlabelled(article: u32) -> bool {
    !is_labelled(article) && !is_test(article)
}

/// Whether a path names a table inside the program.
pub fn is_builtin(path: &Path) -> bool {
    path.to_str().is_some_and(|name| name.starts_with(PREFIX))
}

/// The name of a path's data set, if the path is inside the program.
pub(crate) fn dataset_name(path: &Path) -> Option<&str> {
    path.to_str()?.strip_prefix(PREFIX)?.split('/').next()
}

/// Opens a table inside the program; `None` for a path that is a file's.
///
/// # Errors
/// A name that no table has.
pub(crate) fn open(path: &Path) -> Result<Option<Box<dyn BufRead>>, DataError> {
    let Some(name) = path.to_str().filter(|_| is_builtin(path)) else { return Ok(None) };
    let chooses: Chooses = match name {
        TRAIN => is_labelled,
        UNLABELLED => is_unlabelled,
        TEST => is_test,
        _ => {
            let expected = format!("{TRAIN}, {UNLABELLED} or {TEST}");
            return Err(DataError::invalid(path, "no table of this name in the program", expected));
        }
    };
    let mut whole = String::new();
    let read = BufReader::new(MultiGzDecoder::new(LANGUAGES)).read_to_string(&mut whole);
    read.map_err(DataError::io(path, "read"))?;
    let article = |line: &str| line.split('\t').nth(ARTICLE).and_then(|cell| cell.parse().ok());
    let mut chosen = String::with_capacity(whole.len());
    for (number, line) in whole.split_inclusive('\n').enumerate() {
        if number == 0 || article(line).is_some_and(chooses) {
            chosen.push_str(line);
        }
    }
    Ok(Some(Box::new(Cursor::new(chosen))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn rows(name: &str) -> Vec<(String, u32)> {
        let lines = open(Path::new(name)).unwrap().expect("inside the program").lines().map(Result::unwrap);
        let row = |line: String| {
            let cells: Vec<&str> = line.split('\t').collect();
            assert_eq!(cells.len(), 4, "{line}");
            (cells[0].to_owned(), cells[ARTICLE].parse().unwrap())
        };
        lines.skip(1).map(row).collect()
    }

    #[test]
    fn every_row_is_in_exactly_one_table() {
        let (train, unlabelled, test) = (rows(TRAIN), rows(UNLABELLED), rows(TEST));
        assert_eq!(train.len() + unlabelled.len() + test.len(), 14690);
        let articles = |rows: &[(String, u32)]| rows.iter().map(|row| row.1).collect::<BTreeSet<u32>>();
        assert_eq!(articles(&train), BTreeSet::from([3, 7, 11, 19, 23, 27]));
        assert_eq!(articles(&test), BTreeSet::from(TEST_ARTICLES));
        assert_eq!(articles(&train).len() + articles(&unlabelled).len() + articles(&test).len(), 31);
        let languages = |rows: &[(String, u32)]| rows.iter().map(|row| row.0.clone()).collect::<BTreeSet<String>>();
        assert_eq!(languages(&train).len(), 200, "every language is in the training texts");
        assert!(languages(&test).is_subset(&languages(&train)));
    }

    #[test]
    fn a_wrong_name_is_told_with_the_right_ones() {
        let error = open(Path::new("builtin:languages/valid.tsv")).err().unwrap().to_string();
        assert!(error.contains(TRAIN) && error.contains("builtin:languages/valid.tsv"), "{error}");
        assert!(open(Path::new("languages/train.tsv")).unwrap().is_none());
    }
}
