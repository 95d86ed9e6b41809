//! Which parquet files of a folder or repository belong to which split.

use crate::readers::split_name::SplitName;
use std::collections::BTreeSet;

/// Files by split, each list sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParquetFiles {
    pub(crate) train: Vec<String>,
    pub(crate) valid: Vec<String>,
    pub(crate) test: Vec<String>,
}

/// Why the splits of the files cannot be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) found: String,
    pub(crate) expected: String,
    pub(crate) hint: Option<String>,
}

/// Chooses the parquet files of one subset. A file's split is the word `train`, `test` or `validation` (and their
/// usual short forms) in its name or, failing that, in the folders above it, the nearest first. If no name has the word for
/// a split, all files are training files; files of other splits (`extra`, say) are left alone.
pub(crate) fn choose(files: &[String], subset: Option<&str>) -> Result<ParquetFiles, Refusal> {
    let in_subset = |file: &&String| subset.is_none_or(|subset| folders(file).any(|folder| folder == subset));
    let mut tables: Vec<&String> = files.iter().filter(|file| file.ends_with(".parquet")).filter(in_subset).collect();
    tables.sort();
    if tables.is_empty() {
        let place = subset.map(|subset| format!(" in a folder `{subset}`")).unwrap_or_default();
        return Err(Refusal {
            found: format!("no parquet file{place}"),
            expected: "parquet files with `train` or `test` in their names".to_owned(),
            hint: subset.map(|_| format!("subsets that are there: {:?}", subsets(files.iter()))),
        });
    }
    let named = |wanted: SplitName| -> Vec<String> {
        tables.iter().filter(|file| split_of(file) == Some(wanted)).map(|file| (*file).clone()).collect()
    };
    let mut chosen =
        ParquetFiles { train: named(SplitName::Train), valid: named(SplitName::Valid), test: named(SplitName::Test) };
    if chosen == ParquetFiles::default() {
        chosen.train = tables.into_iter().cloned().collect();
    }
    check(chosen)
}

fn check(chosen: ParquetFiles) -> Result<ParquetFiles, Refusal> {
    if chosen.train.is_empty() {
        return Err(Refusal {
            found: "no training file among the parquet files".to_owned(),
            expected: "a file with `train` in its name".to_owned(),
            hint: None,
        });
    }
    let found = subsets(chosen.train.iter().chain(&chosen.valid).chain(&chosen.test));
    if found.len() > 1 {
        return Err(Refusal {
            found: format!("parquet files of several subsets: {found:?}"),
            expected: "the name of one of them".to_owned(),
            hint: Some("choose with the key `subset`".to_owned()),
        });
    }
    Ok(chosen)
}

/// Folders of the files, without folders that only name a split.
fn subsets<'a>(files: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let subset = |file: &String| {
        folders(file).filter(|folder| SplitName::in_text(folder).is_none()).collect::<Vec<_>>().join("/")
    };
    files.filter(|file| file.ends_with(".parquet")).map(subset).collect()
}

fn folders(file: &str) -> impl DoubleEndedIterator<Item = &str> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.split('/').filter(|part| !part.is_empty())
}

fn split_of(file: &str) -> Option<SplitName> {
    let name = file.rsplit('/').next().unwrap_or(file);
    SplitName::in_text(name.trim_end_matches(".parquet")).or_else(|| folders(file).rev().find_map(SplitName::in_text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_and_folders_tell_the_split() {
        let all = files(&["c/test-00000-of-00001.parquet", "c/train-1.parquet", "c/train-0.parquet", "README.md"]);
        let chosen = choose(&all, None).unwrap();
        assert_eq!(chosen.train, ["c/train-0.parquet", "c/train-1.parquet"]);
        assert_eq!(chosen.test, ["c/test-00000-of-00001.parquet"]);
        let chosen = choose(&files(&["default/train/0000.parquet", "default/validation/0000.parquet"]), None).unwrap();
        assert_eq!(chosen.valid, ["default/validation/0000.parquet"]);
        assert_eq!(choose(&files(&["data-0.parquet"]), None).unwrap().train, ["data-0.parquet"]);
    }

    #[test]
    fn several_subsets_need_a_choice() {
        let all = files(&["a/train.parquet", "b/train.parquet", "b/test.parquet"]);
        assert!(choose(&all, None).unwrap_err().found.contains("\"a\", \"b\""));
        assert_eq!(choose(&all, Some("b")).unwrap().test, ["b/test.parquet"]);
        assert!(choose(&all, Some("c")).unwrap_err().hint.unwrap().contains("\"a\""));
        assert!(choose(&files(&["test.parquet"]), None).is_err());
    }
}
