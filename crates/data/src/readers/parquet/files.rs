//! Which parquet files of a folder or repository belong to which split.

use crate::readers::passed_over::is_system_name;
use crate::readers::split_name::{Divided, SplitName, divide};
use crate::words::listed;
use std::collections::BTreeSet;

/// Files by split, each list sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ParquetFiles {
    pub(crate) train: Vec<String>,
    pub(crate) valid: Vec<String>,
    pub(crate) test: Vec<String>,
}

/// The files that are read, and what was guessed or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) files: ParquetFiles,
    pub(crate) notes: Vec<String>,
}

/// Why the splits of the files cannot be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) found: String,
    pub(crate) expected: String,
    pub(crate) hint: Option<String>,
}

/// Chooses the parquet files of one subset. A file's split is the first word for a split (`split_name.rs`) in its name or,
/// failing that, in the folders above it, the nearest first. If no name has such a word, files whose names differ in their numbers
/// alone are training files. Files that are not understood next to others that are get a note and are left alone. Where a model is
/// only to be measured, test files alone suffice.
pub(crate) fn choose(files: &[String], subset: Option<&str>, is_measured: bool) -> Result<Chosen, Refusal> {
    let in_subset = |file: &&String| subset.is_none_or(|subset| folders(file).any(|folder| folder == subset));
    let (mut tables, hidden): (Vec<&String>, Vec<&String>) = files
        .iter()
        .filter(|file| is_table(file))
        .filter(in_subset)
        .partition(|file| !file.split('/').any(|part| part.starts_with('.') || is_system_name(part)));
    tables.sort();
    if tables.is_empty() {
        let place = subset.map(|subset| format!(" in a folder `{subset}`")).unwrap_or_default();
        return Err(Refusal {
            found: format!("no parquet file{place}"),
            expected: "parquet files with `train` or `test` in their names".to_owned(),
            hint: subset.map(|_| format!("subsets that are there: {:?}", subsets(files.iter()))),
        });
    }
    let hidden: Vec<&String> = hidden.into_iter().filter(|file| !file.split('/').any(is_system_name)).collect();
    let mut notes = Vec::new();
    if !hidden.is_empty() {
        notes.push(format!("left out, because the name begins with a dot: {}", listed(&hidden)));
    }
    let mut divided = divide(tables.into_iter().cloned().collect(), |file| parts_of_name(file));
    if is_measured && divided.train.is_empty() {
        let only = if divided.test.is_empty() { &mut divided.valid } else { &mut divided.test };
        divided.train = std::mem::take(only);
    }
    let is_understood = !(divided.train.is_empty() && divided.valid.is_empty() && divided.test.is_empty());
    let files = match is_understood {
        true => understood(divided, &mut notes)?,
        false => all_for_training(divided.others, &mut notes)?,
    };
    check_subsets(&files)?;
    Ok(Chosen { files, notes })
}

/// Files of which some say their split.
fn understood(divided: Divided<String>, notes: &mut Vec<String>) -> Result<ParquetFiles, Refusal> {
    let Divided { train, valid, test, others, eval } = divided;
    if train.is_empty() {
        let hint = format!("the names of these files say no split: {}", listed(&others));
        return Err(Refusal {
            found: format!("no training file among {}", listed(&[&valid[..], &test, &others].concat())),
            expected: "a file with `train` in its name".to_owned(),
            hint: (!others.is_empty()).then_some(hint),
        });
    }
    if let Some(split) = eval {
        let files = if split == SplitName::Valid { &valid } else { &test };
        notes.push(format!("`eval` is taken for the {} split: {}", split.name(), listed(files)));
    }
    if !others.is_empty() {
        notes.push(format!("left out, because the name says no split that is still free: {}", listed(&others)));
    }
    Ok(ParquetFiles { train, valid, test })
}

/// Files of which none says its split.
fn all_for_training(files: Vec<String>, notes: &mut Vec<String>) -> Result<ParquetFiles, Refusal> {
    if !files.windows(2).all(|pair| without_numbers(&pair[0]) == without_numbers(&pair[1])) {
        return Err(Refusal {
            found: format!("parquet files whose names say no split: {}", listed(&files)),
            expected: "`train`, `validation` or `test` in each name".to_owned(),
            hint: Some("rename the files, or move those that are not meant into another folder".to_owned()),
        });
    }
    if files.len() > 1 {
        notes.push(format!(
            "all {} files are training files, since no name says a split: {}",
            files.len(),
            listed(&files)
        ));
    }
    Ok(ParquetFiles { train: files, ..ParquetFiles::default() })
}

/// A file's name without numbers and hashes, which tell the parts of one table apart.
fn without_numbers(file: &str) -> String {
    let is_hash = |word: &str| word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let name = file.rsplit('/').next().unwrap_or(file);
    let words = name.split(['-', '_', '.']).filter(|word| !is_hash(word));
    words.map(|word| word.trim_matches(|c: char| c.is_ascii_digit())).collect()
}

fn check_subsets(chosen: &ParquetFiles) -> Result<(), Refusal> {
    let found = subsets(chosen.train.iter().chain(&chosen.valid).chain(&chosen.test));
    if found.len() > 1 {
        return Err(Refusal {
            found: format!("parquet files of several subsets: {found:?}"),
            expected: "the name of one of them".to_owned(),
            hint: Some("choose with the key `subset`".to_owned()),
        });
    }
    Ok(())
}

/// Folders of the files, without folders that only name a split.
fn subsets<'a>(files: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let subset = |file: &String| {
        folders(file).filter(|folder| SplitName::in_text(folder).is_none()).collect::<Vec<_>>().join("/")
    };
    files.filter(|file| is_table(file)).map(subset).collect()
}

fn folders(file: &str) -> impl DoubleEndedIterator<Item = &str> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.split('/').filter(|part| !part.is_empty())
}

fn is_table(file: &str) -> bool {
    file.to_ascii_lowercase().ends_with(".parquet")
}

/// The file's own name, then the folders above it.
fn parts_of_name(file: &str) -> Vec<String> {
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    std::iter::once(stem).chain(folders(file).rev()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn chosen(names: &[&str]) -> ParquetFiles {
        choose(&files(names), None, false).unwrap().files
    }

    #[test]
    fn names_and_folders_tell_the_split() {
        let found = chosen(&["c/test-00000-of-00001.parquet", "c/train-1.parquet", "c/train-0.parquet", "README.md"]);
        assert_eq!(found.train, ["c/train-0.parquet", "c/train-1.parquet"]);
        assert_eq!(found.test, ["c/test-00000-of-00001.parquet"]);
        let found = chosen(&["default/train/0000.parquet", "default/validation/0000.parquet"]);
        assert_eq!(found.valid, ["default/validation/0000.parquet"]);
        assert_eq!(chosen(&["data-0.parquet"]).train, ["data-0.parquet"]);
        let found = chosen(&["trainset.PARQUET", "testset.parquet"]);
        assert_eq!((found.train.len(), found.test.len()), (1, 1));
        assert_eq!(chosen(&["train-0.parquet", "eval-0.parquet"]).test, ["eval-0.parquet"]);
    }

    #[test]
    fn what_is_not_understood_is_noted_or_refused() {
        let noted =
            choose(&files(&["train.parquet", "extra.parquet", "eval.parquet", ".old.parquet"]), None, false).unwrap();
        assert_eq!(noted.files.train, ["train.parquet"]);
        let notes = noted.notes.join("; ");
        for part in ["`extra.parquet`", "`eval` is taken for the test split", "`.old.parquet`"] {
            assert!(notes.contains(part), "{notes}");
        }
        let found = choose(&files(&["learn.parquet", "check.parquet"]), None, false).unwrap_err().found;
        assert!(found.contains("`check.parquet`, `learn.parquet`"), "{found}");
        let hint = choose(&files(&["test.parquet", "learn.parquet"]), None, false).unwrap_err().hint.unwrap();
        assert!(hint.contains("`learn.parquet`"), "{hint}");
        let parts = ["part-00000-0a1b2c3d.c000.snappy.parquet", "part-00001-4e5f6a7b.c000.snappy.parquet"];
        assert_eq!(chosen(&parts).train.len(), 2);
        let measured = choose(&files(&["test.parquet", "valid.parquet"]), None, true).unwrap().files;
        assert_eq!(measured.train, ["test.parquet"], "what a model is measured on");
        let numbered = choose(&files(&["0000.parquet", "0001.parquet"]), None, false).unwrap();
        assert!(numbered.notes[0].contains("all 2 files are training files"));
        let system =
            choose(&files(&["train.parquet", "._train.parquet", "__MACOSX/train.parquet"]), None, false).unwrap();
        assert_eq!((system.files.train.len(), system.notes.len()), (1, 0));
    }

    #[test]
    fn several_subsets_need_a_choice() {
        let all = files(&["a/train.parquet", "b/train.parquet", "b/test.parquet"]);
        assert!(choose(&all, None, false).unwrap_err().found.contains("\"a\", \"b\""));
        assert_eq!(choose(&all, Some("b"), false).unwrap().files.test, ["b/test.parquet"]);
        assert!(choose(&all, Some("c"), false).unwrap_err().hint.unwrap().contains("\"a\""));
        assert!(choose(&files(&["test.parquet"]), None, false).is_err());
    }
}
