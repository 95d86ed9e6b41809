//! From the labels of a source, numbers or names, to classes `0..n_classes`.

use crate::DataError;
use crate::places::Places;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use stillhouse_core::ClassId;

/// Labels as a source spells them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RawLabels {
    Numbers(Vec<i64>),
    Names(Vec<String>),
}

impl RawLabels {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Names(names) => names.len(),
        }
    }
}

/// Labels with the places that they were read from.
pub(crate) struct LabelColumn {
    pub(crate) labels: RawLabels,
    pub(crate) places: Places,
}

/// The classes of a dataset and how its labels name them.
pub(crate) struct Numbering {
    names: Vec<String>,
    spelling: Spelling,
}

enum Spelling {
    /// The label that means class 0.
    Numbers {
        first: i64,
    },
    Names(HashMap<String, ClassId>),
}

impl Numbering {
    /// The classes of the training labels. Without names, numbers must run from 0 or 1 without a gap, so
    /// that a damaged label does not become a class of its own; distinct names are sorted.
    pub(crate) fn new(train: &LabelColumn, names: Option<Vec<String>>) -> Result<Self, DataError> {
        match (&train.labels, names) {
            (RawLabels::Numbers(numbers), Some(names)) => {
                let first = first_of_named(numbers, names.len());
                Ok(Self { names, spelling: Spelling::Numbers { first } })
            }
            (RawLabels::Numbers(numbers), None) => Self::from_numbers(numbers, &train.places),
            (RawLabels::Names(_), Some(names)) => Ok(Self::from_names(names)),
            (RawLabels::Names(labels), None) => {
                let distinct: BTreeSet<&String> = labels.iter().collect();
                Ok(Self::from_names(distinct.into_iter().cloned().collect()))
            }
        }
    }

    /// Classes with these names, the first of which is the label `first`.
    pub(crate) fn from_first(names: Vec<String>, first: i64) -> Self {
        Self { names, spelling: Spelling::Numbers { first } }
    }

    fn from_names(names: Vec<String>) -> Self {
        let classes = names.iter().enumerate().map(|(class, name)| (name.clone(), ClassId(class as u32))).collect();
        Self { names, spelling: Spelling::Names(classes) }
    }

    fn from_numbers(numbers: &[i64], places: &Places) -> Result<Self, DataError> {
        let distinct: BTreeSet<i64> = numbers.iter().copied().collect();
        let first = distinct.first().copied().filter(|first| *first == 1).unwrap_or(0);
        let gap = distinct.iter().zip(first..).find(|(found, expected)| *found != expected);
        if let Some((&found, expected)) = gap {
            let row = numbers.iter().position(|&number| number == found).expect("the label was taken from the list");
            let (path, place) = places.find(row);
            return Err(DataError::invalid(
                path,
                format!("label {found} in {place}"),
                format!("labels from {first} on without a gap, but no training example has label {expected}"),
            ));
        }
        Ok(Self { names: distinct.iter().map(i64::to_string).collect(), spelling: Spelling::Numbers { first } })
    }

    /// The names of the classes.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The classes of some labels.
    pub(crate) fn classes(&self, column: &LabelColumn) -> Result<Vec<ClassId>, DataError> {
        match (&column.labels, &self.spelling) {
            (RawLabels::Numbers(numbers), Spelling::Numbers { first }) => {
                let class = |number: &i64| number.checked_sub(*first).and_then(|class| self.in_range(class));
                map_labels(numbers, class, &column.places, || self.expected_range(*first))
            }
            (RawLabels::Names(names), Spelling::Names(classes)) => {
                let expected = || "one of the classes of the training split".to_owned();
                map_labels(names, |name| classes.get(name).copied(), &column.places, expected)
            }
            (RawLabels::Numbers(_), Spelling::Names(_)) => Err(mixed(column, "numbers", "names")),
            (RawLabels::Names(_), Spelling::Numbers { .. }) => Err(mixed(column, "names", "numbers")),
        }
    }

    fn in_range(&self, class: i64) -> Option<ClassId> {
        (0..self.names.len() as i64).contains(&class).then_some(ClassId(class as u32))
    }

    fn expected_range(&self, first: i64) -> String {
        format!("a label in {first}..={}", first + self.names.len() as i64 - 1)
    }
}

/// Labels that count names from 1 on have the number of names among them, and no 0.
fn first_of_named(numbers: &[i64], n_names: usize) -> i64 {
    let range = numbers.iter().min().zip(numbers.iter().max());
    i64::from(range.is_some_and(|(&least, &most)| least >= 1 && most == n_names as i64))
}

fn map_labels<T: std::fmt::Display>(
    labels: &[T],
    class: impl Fn(&T) -> Option<ClassId>,
    places: &Places,
    expected: impl Fn() -> String,
) -> Result<Vec<ClassId>, DataError> {
    let refused = |row: usize| {
        let (path, place) = places.find(row);
        DataError::invalid(path, format!("label `{}` in {place}", labels[row]), expected())
    };
    labels.iter().enumerate().map(|(row, label)| class(label).ok_or_else(|| refused(row))).collect()
}

fn mixed(column: &LabelColumn, found: &str, expected: &str) -> DataError {
    let (path, _) = column.places.find(0);
    DataError::invalid(path, format!("labels that are {found}"), format!("{expected}, as in the training split"))
}

/// Reads class names, one per line; line `i` names class `i`.
pub(crate) fn read_names(path: &Path) -> Result<Vec<String>, DataError> {
    let lines = read_lines(path)?;
    let mut seen = HashMap::new();
    for (row, name) in lines.iter().enumerate() {
        if let Some(earlier) = seen.insert(name.as_str(), row) {
            let found = format!("class name `{name}` in lines {} and {}", earlier + 1, row + 1);
            return Err(DataError::invalid(path, found, "a different name for each class"));
        }
    }
    Ok(lines)
}

/// Reads labels, one per line: numbers if every line is one, names otherwise.
pub(crate) fn read_text_labels(path: &Path) -> Result<LabelColumn, DataError> {
    let lines = read_lines(path)?;
    let numbers: Option<Vec<i64>> = lines.iter().map(|line| line.parse().ok()).collect();
    let labels = numbers.map_or(RawLabels::Names(lines), RawLabels::Numbers);
    Ok(LabelColumn { labels, places: Places::of_file(path, "line", 1) })
}

fn read_lines(path: &Path) -> Result<Vec<String>, DataError> {
    let text = std::fs::read_to_string(path).map_err(DataError::io(path, "read"))?;
    let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    match lines.iter().position(String::is_empty) {
        Some(row) => Err(DataError::invalid(path, format!("an empty line {}", row + 1), "one label in each line")),
        None if lines.is_empty() => Err(DataError::invalid(path, "no line", "one label in each line")),
        None => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(labels: RawLabels) -> LabelColumn {
        LabelColumn { labels, places: Places::of_file(Path::new("labels"), "row", 0) }
    }

    #[test]
    fn numbers_may_begin_at_one() {
        let train = column(RawLabels::Numbers(vec![2, 1, 3, 1]));
        let numbering = Numbering::new(&train, None).unwrap();
        assert_eq!(numbering.names(), ["1", "2", "3"]);
        assert_eq!(numbering.classes(&train).unwrap(), [1, 0, 2, 0].map(ClassId));
    }

    #[test]
    fn a_damaged_number_does_not_become_a_class() {
        for numbers in [vec![0, 1, 2, 200], vec![0, -1, 1], vec![2, 3]] {
            let text = Numbering::new(&column(RawLabels::Numbers(numbers)), None).err().unwrap().to_string();
            assert!(text.contains("without a gap"), "{text}");
        }
    }

    #[test]
    fn the_range_is_that_of_the_training_split_or_of_the_names() {
        let numbering = Numbering::new(&column(RawLabels::Numbers(vec![0, 1])), None).unwrap();
        let text = numbering.classes(&column(RawLabels::Numbers(vec![1, 2]))).unwrap_err().to_string();
        assert_eq!(text, "labels: found label `2` in row 1, expected a label in 0..=1");
        let names = Some(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        let numbering = Numbering::new(&column(RawLabels::Numbers(vec![0, 1])), names).unwrap();
        assert!(numbering.classes(&column(RawLabels::Numbers(vec![2]))).is_ok());
        assert!(numbering.classes(&column(RawLabels::Numbers(vec![-1]))).is_err());
    }

    #[test]
    fn names_are_sorted_and_unknown_ones_refused() {
        let names = |list: &[&str]| column(RawLabels::Names(list.iter().map(|name| (*name).to_owned()).collect()));
        let numbering = Numbering::new(&names(&["pear", "apple", "pear"]), None).unwrap();
        assert_eq!(numbering.names(), ["apple", "pear"]);
        assert!(numbering.classes(&names(&["fig"])).unwrap_err().to_string().contains("`fig` in row 0"));
        assert!(numbering.classes(&column(RawLabels::Numbers(vec![0]))).unwrap_err().to_string().contains("numbers"));
    }
}
