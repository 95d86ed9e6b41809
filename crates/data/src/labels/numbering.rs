//! Columns of labels, numbers or names, to classes.

use super::classes::{ClassNames, expected_name};
use super::spelling::{EXPECTED, Spelled, flaw, key, shown, whole};
use super::{LabelColumn, RawLabels};
use crate::places::Places;
use crate::{DataError, LoadContext};
use std::collections::{BTreeSet, HashMap};
use stillhouse_core::ClassId;

/// The classes of a dataset and how its labels name them.
pub(crate) struct Numbering(Spelling);

enum Spelling {
    /// `first` is the label that means class 0.
    Numbers {
        names: Vec<String>,
        first: i64,
    },
    Names(ClassNames),
}

impl Numbering {
    /// The classes of the training labels. Without names, numbers must run from 0 or 1 without a gap, so
    /// that a damaged label does not become a class of its own; distinct names are sorted. With names, numbers count them from
    /// 0 on, or from 1 on where they run from 1 to the number of names. What was joined or looks odd is noted.
    ///
    /// # Errors
    /// Labels or names that cannot be the name of a class; numbers with a gap.
    pub(crate) fn new(
        train: &LabelColumn,
        names: Option<Vec<String>>,
        context: &LoadContext<'_>,
    ) -> Result<Self, DataError> {
        let is_named = names.is_some();
        let numbering = match (&train.labels, names) {
            (RawLabels::Numbers(numbers), Some(names)) => {
                Self(Spelling::Numbers { first: first_of_named(numbers, names.len()), names })
            }
            // whoever measures some examples may have none of some class
            (RawLabels::Numbers(numbers), None) if context.is_measured => {
                let distinct: BTreeSet<i64> = numbers.iter().copied().collect();
                let names = distinct.iter().map(i64::to_string).collect();
                Self(Spelling::Names(ClassNames::given(names)))
            }
            (RawLabels::Numbers(numbers), None) => Self::from_numbers(numbers, &train.places)?,
            (RawLabels::Names(_), Some(names)) => Self(Spelling::Names(ClassNames::given(names))),
            (RawLabels::Names(labels), None) => {
                check_spellings(labels, &train.places)?;
                let (path, counted) = (train.places.find(0).0, counted(labels));
                let place = |index: usize| {
                    let row = labels.iter().position(|label| label == counted[index].label).unwrap_or(0);
                    let (file, place) = train.places.find(row);
                    if file == path { place } else { format!("{place} of {}", file.display()) }
                };
                let classes = ClassNames::of_labels(&counted, path, context);
                let classes = classes.map_err(|alike| alike.error(path, |index| counted[index].label, place));
                Self(Spelling::Names(classes?))
            }
        };
        let path = train.places.find(0).0;
        if let Some(found) = numbering.names().iter().find_map(|name| flaw(name)) {
            return Err(DataError::invalid(path, format!("as the name of a class, {found}"), EXPECTED));
        }
        if is_named {
            numbering.tell_first(train, context);
            numbering.tell_unused(train, context)?;
        }
        Ok(numbering)
    }

    /// Classes with these names, the first of which is the label `first`. Names without a training example are noted.
    ///
    /// # Errors
    /// A training label that no class has.
    pub(crate) fn from_first(
        train: &LabelColumn,
        names: Vec<String>,
        first: i64,
        context: &LoadContext<'_>,
    ) -> Result<Self, DataError> {
        let numbering = Self(Spelling::Numbers { first, names });
        numbering.tell_unused(train, context)?;
        Ok(numbering)
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
        Ok(Self(Spelling::Numbers { names: distinct.iter().map(i64::to_string).collect(), first }))
    }

    /// The names of the classes.
    pub(crate) fn names(&self) -> &[String] {
        match &self.0 {
            Spelling::Numbers { names, .. } => names,
            Spelling::Names(classes) => classes.names(),
        }
    }

    /// The classes of some labels. Numbers may be written as names and the reverse.
    ///
    /// # Errors
    /// The place of a label that no class has.
    pub(crate) fn classes(&self, column: &LabelColumn, context: &LoadContext<'_>) -> Result<Vec<ClassId>, DataError> {
        if let (RawLabels::Names(labels), Spelling::Names(classes)) = (&column.labels, &self.0) {
            classes.tell_others(&counted(labels), column.places.find(0).0, context);
        }
        self.look_up(column)
    }

    fn look_up(&self, column: &LabelColumn) -> Result<Vec<ClassId>, DataError> {
        let places = &column.places;
        match (&column.labels, &self.0) {
            (RawLabels::Numbers(numbers), Spelling::Numbers { .. }) => {
                map_labels(numbers, |number| self.numbered(*number), places, &|_| self.expected())
            }
            (RawLabels::Names(labels), Spelling::Names(classes)) => {
                map_labels(labels, |label| classes.class(label), places, &|label| expected_name(classes, label))
            }
            (RawLabels::Numbers(numbers), Spelling::Names(classes)) => {
                let labels: Vec<String> = numbers.iter().map(i64::to_string).collect();
                map_labels(&labels, |label| classes.class(label), places, &|label| expected_name(classes, label))
            }
            (RawLabels::Names(labels), Spelling::Numbers { .. }) => {
                let class = |label: &String| whole(&key(label)).and_then(|number| self.numbered(number));
                map_labels(labels, class, places, &|_| self.expected())
            }
        }
    }

    fn numbered(&self, number: i64) -> Option<ClassId> {
        let Spelling::Numbers { names, first } = &self.0 else { return None };
        let class = number.checked_sub(*first)?;
        (0..names.len() as i64).contains(&class).then_some(ClassId(class as u32))
    }

    fn expected(&self) -> String {
        let Spelling::Numbers { names, first } = &self.0 else { return "the name of a class".to_owned() };
        format!("a label in {first}..={}", first + names.len() as i64 - 1)
    }

    /// Notes numbers that were read from 1 on.
    fn tell_first(&self, train: &LabelColumn, context: &LoadContext<'_>) {
        let path = train.places.find(0).0.display();
        if let Spelling::Numbers { names, first: 1 } = &self.0 {
            let n_classes = names.len();
            context.note(format!(
                "{path}: labels run from 1 to {n_classes}, so 1 is the first name, `{}`",
                shown(&names[0])
            ));
        }
    }

    /// Notes names that no training example has.
    fn tell_unused(&self, train: &LabelColumn, context: &LoadContext<'_>) -> Result<(), DataError> {
        const MAX_NAMED: usize = 5;
        let path = train.places.find(0).0.display();
        let used: BTreeSet<ClassId> = self.look_up(train)?.into_iter().collect();
        let names = self.names();
        let unused: Vec<&str> = names
            .iter()
            .zip((0..).map(ClassId))
            .filter(|(_, class)| !used.contains(class))
            .map(|(name, _)| &name[..])
            .collect();
        if !unused.is_empty() {
            let named: Vec<String> = unused.iter().take(MAX_NAMED).map(|name| format!("`{}`", shown(name))).collect();
            let rest = unused.len().saturating_sub(MAX_NAMED);
            let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            let (n, n_all) = (unused.len(), names.len());
            context.note(format!(
                "{path}: {n} of {n_all} class names have no training example: {}{rest}",
                named.join(", ")
            ));
        }
        Ok(())
    }
}

/// Labels that count names from 1 on have the number of names among them, and no 0.
fn first_of_named(numbers: &[i64], n_names: usize) -> i64 {
    let range = numbers.iter().min().zip(numbers.iter().max());
    i64::from(range.is_some_and(|(&least, &most)| least >= 1 && most == n_names as i64))
}

/// Each distinct label with its number of rows, in the order of their first rows.
fn counted(labels: &[String]) -> Vec<Spelled<'_>> {
    let (mut spelled, mut place_of) = (Vec::new(), HashMap::new());
    for label in labels {
        let place = *place_of.entry(label.as_str()).or_insert_with(|| {
            spelled.push(Spelled { label, n_rows: 0 });
            spelled.len() - 1
        });
        spelled[place].n_rows += 1;
    }
    spelled
}

fn check_spellings(labels: &[String], places: &Places) -> Result<(), DataError> {
    let flawed = labels.iter().enumerate().find_map(|(row, label)| Some((row, flaw(label)?)));
    match flawed {
        Some((row, found)) => {
            let (path, place) = places.find(row);
            Err(DataError::invalid(path, format!("{found} in {place}"), EXPECTED))
        }
        None => Ok(()),
    }
}

fn map_labels<T: ToString>(
    labels: &[T],
    class: impl Fn(&T) -> Option<ClassId>,
    places: &Places,
    expected: &dyn Fn(&str) -> String,
) -> Result<Vec<ClassId>, DataError> {
    let refused = |row: usize| {
        let (path, place) = places.find(row);
        let label = labels[row].to_string();
        DataError::invalid(path, format!("label `{}` in {place}", shown(&label)), expected(&label))
    };
    labels.iter().enumerate().map(|(row, label)| class(label).ok_or_else(|| refused(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataProgress;
    use std::path::Path;
    use std::sync::Mutex;
    use stillhouse_core::Seed;

    fn quiet() -> LoadContext<'static> {
        LoadContext::quiet(Seed(0))
    }

    fn numbering(train: RawLabels, names: Option<&[&str]>) -> Result<Numbering, DataError> {
        let names = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Numbering::new(&column(train), names, &quiet())
    }

    fn names_of(list: &[&str]) -> RawLabels {
        RawLabels::Names(list.iter().map(|name| (*name).to_owned()).collect())
    }

    fn column(labels: RawLabels) -> LabelColumn {
        LabelColumn { labels, places: Places::of_file(Path::new("labels"), "row", 0) }
    }

    #[test]
    fn numbers_may_begin_at_one() {
        let train = RawLabels::Numbers(vec![2, 1, 3, 1]);
        let numbering = numbering(train.clone(), None).unwrap();
        assert_eq!(numbering.names(), ["1", "2", "3"]);
        assert_eq!(numbering.classes(&column(train), &quiet()).unwrap(), [1, 0, 2, 0].map(ClassId));
    }

    #[test]
    fn a_damaged_number_does_not_become_a_class() {
        for numbers in [vec![0, 1, 2, 200], vec![0, -1, 1], vec![2, 3]] {
            let text = numbering(RawLabels::Numbers(numbers), None).err().unwrap().to_string();
            assert!(text.contains("without a gap"), "{text}");
        }
    }

    #[test]
    fn the_range_is_that_of_the_training_split_or_of_the_names() {
        let zero_and_one = || RawLabels::Numbers(vec![0, 1]);
        let plain = numbering(zero_and_one(), None).unwrap();
        let text = plain.classes(&column(RawLabels::Numbers(vec![1, 2])), &quiet()).unwrap_err().to_string();
        assert_eq!(text, "labels: found label `2` in row 1, expected a label in 0..=1");
        let named = numbering(zero_and_one(), Some(&["a", "b", "c"])).unwrap();
        assert!(named.classes(&column(RawLabels::Numbers(vec![2])), &quiet()).is_ok());
        assert!(named.classes(&column(RawLabels::Numbers(vec![-1])), &quiet()).is_err());
    }

    #[test]
    fn names_may_be_counted_from_one() {
        let classes = |numbers: Vec<i64>| {
            let numbering = numbering(RawLabels::Numbers(numbers.clone()), Some(&["a", "b", "c"]))?;
            numbering.classes(&column(RawLabels::Numbers(numbers)), &quiet())
        };
        assert_eq!(classes(vec![1, 2, 3]).unwrap(), [0, 1, 2].map(ClassId));
        assert_eq!(classes(vec![1, 2]).unwrap(), [1, 2].map(ClassId), "2 may be the last one");
        assert!(classes(vec![0, 3]).unwrap_err().to_string().contains("0..=2"));
    }

    #[test]
    fn names_are_sorted_and_unknown_ones_refused() {
        let plain = numbering(names_of(&["pear", "apple", "pear"]), None).unwrap();
        assert_eq!(plain.names(), ["apple", "pear"]);
        let refused = |labels| plain.classes(&column(labels), &quiet()).unwrap_err().to_string();
        assert!(refused(names_of(&["fig"])).contains("`fig` in row 0"));
        assert!(refused(names_of(&["Pear"])).contains("such as `pear`"));
        assert!(refused(RawLabels::Numbers(vec![0])).contains("label `0` in row 0"));
        assert!(refused(names_of(&["a\u{1b}b"])).contains("`a\\u{1b}b`"));
        for flawed in ["a\nb", &"a".repeat(70_000)] {
            let text = numbering(names_of(&["x", flawed]), None).err().unwrap().to_string();
            assert!(text.contains("in row 1") && text.len() < 200, "{text}");
            assert!(numbering(RawLabels::Numbers(vec![0]), Some(&["x", flawed])).is_err());
        }
    }

    #[test]
    fn numbers_and_names_of_numbers_are_the_same_labels() {
        let numbers = numbering(RawLabels::Numbers(vec![0, 1]), None).unwrap();
        assert_eq!(numbers.classes(&column(names_of(&["1.0", "0"])), &quiet()).unwrap(), [1, 0].map(ClassId));
        let names = numbering(names_of(&["10", "9", "11"]), None).unwrap();
        assert_eq!(names.names(), ["9", "10", "11"], "in the order of numbers");
        assert_eq!(names.classes(&column(RawLabels::Numbers(vec![11])), &quiet()).unwrap(), [ClassId(2)]);
    }

    #[test]
    fn names_without_a_training_example_are_noted() {
        #[derive(Default)]
        struct Notes(Mutex<String>);
        impl DataProgress for Notes {
            fn note(&self, text: &str) {
                self.0.lock().unwrap().push_str(text);
            }
        }
        let notes = Notes::default();
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let train = column(RawLabels::Numbers(vec![0, 0]));
        Numbering::new(&train, Some(names), &LoadContext::new(Seed(0), &notes)).unwrap();
        assert_eq!(notes.0.into_inner().unwrap(), "labels: 2 of 3 class names have no training example: `b`, `c`");
    }
}
