//! The one place where a label becomes a class.
//!
//! Labels that cannot be told apart are one class, and so are `1` and `1.0` where all labels are numbers, and `True` and
//! `true` where all are true or false. A name is changed only where spellings are joined, or where whole numbers
//! are written as `1.0`; a note says so. Labels that look the same in letters of different alphabets are refused.
//!
//! Classes are in the order of numbers where all names are whole numbers, and in that of Unicode otherwise.

use super::notes::{self, Joined};
use super::spelling::{Lookalikes, Spelled, decimal, is_bool, is_missing, key, shown, skeleton, whole};
use crate::LoadContext;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use stillhouse_core::ClassId;

/// The classes of a dataset, and which labels mean them.
#[derive(Debug)]
pub struct ClassNames {
    names: Vec<String>,
    of_spelling: HashMap<String, ClassId>,
    /// By what labels are compared by; a key of two classes is not in it.
    of_key: HashMap<String, ClassId>,
    compares: Compares,
}

/// What labels are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compares {
    Looks,
    Numbers,
    Bools,
}

/// The spellings of each class by their key, in the order of their first ones.
type Groups<'a> = Vec<(String, Vec<Spelled<'a>>)>;

impl Compares {
    /// Groups of labels that cannot be told apart.
    fn grouped<'a>(self, labels: &[Spelled<'a>]) -> Result<Groups<'a>, Lookalikes> {
        let (mut groups, mut of_key): (Groups<'a>, HashMap<String, usize>) = (Vec::new(), HashMap::new());
        let mut of_look: HashMap<String, (usize, usize)> = HashMap::new();
        for (number, spelled) in labels.iter().enumerate() {
            let key = self.key(spelled.label);
            let group = *of_key.entry(key.clone()).or_insert(groups.len());
            let (alike, first) = *of_look.entry(skeleton(&key)).or_insert((group, number));
            if alike != group {
                return Err(Lookalikes(first, number));
            }
            if group == groups.len() {
                groups.push((key, Vec::new()));
            }
            groups[group].1.push(*spelled);
        }
        Ok(groups)
    }

    /// Missing values do not hinder: they are what makes whole numbers `1.0` in many programs.
    fn of<'a>(labels: impl Iterator<Item = &'a str> + Clone) -> Self {
        let present = labels.map(key).filter(|label| !is_missing(label));
        let all = |is_one: fn(&str) -> bool| {
            let mut present = present.clone().peekable();
            present.peek().is_some() && present.all(|label| is_one(&label))
        };
        if all(|label| decimal(label).is_some()) {
            Self::Numbers
        } else if all(is_bool) {
            Self::Bools
        } else {
            Self::Looks
        }
    }

    fn key(self, label: &str) -> String {
        let key = key(label);
        match self {
            Self::Looks => key.into_owned(),
            Self::Numbers => decimal(&key).map(Cow::into_owned).unwrap_or_else(|| key.clone().into_owned()),
            Self::Bools if is_bool(&key) => key.to_ascii_lowercase(),
            Self::Bools => key.into_owned(),
        }
    }
}

impl ClassNames {
    /// The classes of the training labels, each spelling given once. `path` says in notes where they are from.
    ///
    /// # Errors
    /// Labels with letters of different alphabets that look the same.
    pub(crate) fn of_labels<'a>(
        labels: &[Spelled<'a>],
        path: &Path,
        context: &LoadContext<'_>,
    ) -> Result<Self, Lookalikes> {
        let compares = Compares::of(labels.iter().map(|spelled| spelled.label));
        let groups = compares.grouped(labels)?;
        let takes_keys = compares == Compares::Numbers && groups.iter().all(|(key, _)| whole(key).is_some());
        let named = |(key, spellings): (String, Vec<Spelled<'a>>)| match spellings[..] {
            [only] if !takes_keys => (only.label.to_owned(), spellings),
            _ => (key, spellings),
        };
        let joined: Vec<_> = groups.into_iter().map(named).collect();
        notes::tell_missing(labels, path, context);
        notes::tell_quoted(labels, path, context);
        let sorted = sorted(joined.iter().map(|(name, _)| name));
        Ok(Self::joined(sorted, compares, &joined, path, context))
    }

    /// The same for names that have an order, which is kept; the first of several spellings is the name.
    ///
    /// # Errors
    /// As [`ClassNames::of_labels`].
    pub(crate) fn in_order(labels: &[Spelled<'_>], path: &Path, context: &LoadContext<'_>) -> Result<Self, Lookalikes> {
        let compares = Compares::of(labels.iter().map(|spelled| spelled.label));
        let groups = compares.grouped(labels)?.into_iter();
        let joined: Vec<_> = groups.map(|(_, spellings)| (spellings[0].label.to_owned(), spellings)).collect();
        let names = joined.iter().map(|(name, _)| name.clone()).collect();
        Ok(Self::joined(names, compares, &joined, path, context))
    }

    /// Classes of such names, each with its spellings.
    fn joined(
        names: Vec<String>,
        compares: Compares,
        groups: &[(String, Vec<Spelled<'_>>)],
        path: &Path,
        context: &LoadContext<'_>,
    ) -> Self {
        let mut classes = Self::given(names);
        classes.compares = compares;
        classes.of_key = classes.unique_keys();
        for (name, spellings) in groups {
            let class = classes.of_spelling[name];
            classes.of_spelling.extend(spellings.iter().map(|spelled| (spelled.label.to_owned(), class)));
        }
        let is_joined = |(name, spellings): &&(String, Vec<Spelled<'_>>)| spellings.iter().any(|s| s.label != name);
        let joined: Vec<Joined<'_>> =
            groups.iter().filter(is_joined).map(|(class, spellings)| Joined { class, spellings }).collect();
        notes::tell_joined(&joined, path, context);
        classes
    }

    /// Classes with names that were given in their order.
    pub fn given(names: Vec<String>) -> Self {
        let of_spelling = names.iter().cloned().zip((0..).map(ClassId)).collect();
        let compares = Compares::of(names.iter().map(String::as_str));
        let mut classes = Self { names, of_spelling, of_key: HashMap::new(), compares };
        classes.of_key = classes.unique_keys();
        classes
    }

    fn unique_keys(&self) -> HashMap<String, ClassId> {
        let mut found: HashMap<String, Option<ClassId>> = HashMap::new();
        for (name, class) in self.names.iter().zip((0..).map(ClassId)) {
            found.entry(self.compares.key(name)).and_modify(|class| *class = None).or_insert(Some(class));
        }
        found.into_iter().filter_map(|(key, class)| Some((key, class?))).collect()
    }

    /// The names of the classes.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The class of a label, as it is spelt or as it looks.
    pub fn class(&self, label: &str) -> Option<ClassId> {
        self.of_spelling.get(label).or_else(|| self.of_key.get(&self.compares.key(label))).copied()
    }

    /// Notes the labels of a split that are spelt in another way than those of the training split.
    pub(crate) fn tell_others(&self, labels: &[Spelled<'_>], path: &Path, context: &LoadContext<'_>) {
        let is_other = |spelled: &&Spelled<'_>| !self.of_spelling.contains_key(spelled.label);
        let found = labels.iter().filter(is_other).filter_map(|spelled| Some((self.class(spelled.label)?, spelled)));
        let joined: Vec<Joined<'_>> = found
            .map(|(class, spelled)| Joined {
                class: &self.names[class.index()],
                spellings: std::slice::from_ref(spelled),
            })
            .collect();
        notes::tell_joined(&joined, path, context);
    }

    /// A class whose name differs from a label in its capital letters or in letters that look like others.
    fn looking_like(&self, label: &str) -> Option<&str> {
        let look = |name: &str| skeleton(&self.compares.key(name)).to_lowercase();
        let wanted = look(label);
        self.names.iter().map(String::as_str).find(|name| look(name) == wanted)
    }
}

/// What a label that no class has should have been.
pub(crate) fn expected_name(classes: &ClassNames, label: &str) -> String {
    match classes.looking_like(label) {
        Some(near) => format!(
            "one of the classes of the training split, such as `{}`, which differs in capital letters or in letters of another alphabet",
            shown(near)
        ),
        None => "one of the classes of the training split".to_owned(),
    }
}

/// Names in order: of numbers, where all are whole ones, or of letters.
fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let distinct: BTreeSet<&String> = names.collect();
    let mut sorted: Vec<String> = distinct.into_iter().cloned().collect();
    let numbers: Option<Vec<i64>> = sorted.iter().map(|name| name.parse().ok()).collect();
    if numbers.is_some() {
        sorted.sort_by_key(|name| name.parse::<i64>().expect("all were numbers a line before"));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataProgress;
    use std::sync::Mutex;
    use stillhouse_core::Seed;

    /// Keeps notes.
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl DataProgress for Notes {
        fn note(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    fn classes_of(labels: &[&str]) -> (ClassNames, Vec<String>) {
        let notes = Notes::default();
        let spelled: Vec<Spelled<'_>> = labels.iter().map(|label| Spelled { label, n_rows: 2 }).collect();
        let classes = ClassNames::of_labels(&spelled, Path::new("a.csv"), &LoadContext::new(Seed(0), &notes)).unwrap();
        (classes, notes.0.into_inner().unwrap())
    }

    #[test]
    fn labels_that_need_nothing_keep_their_names_and_order() {
        let same: [(&[&str], &[&str]); 8] = [
            (&["pear", "apple"], &["apple", "pear"]),
            (&["10", "9", "100"], &["9", "10", "100"]),
            (&["01", "1", "2"], &["01", "1", "2"]),
            (&["0.5", "1.0", "10.0", "2.0"], &["0.5", "1.0", "10.0", "2.0"]),
            (&["1.0", "a"], &["1.0", "a"]),
            (&["False", "True"], &["False", "True"]),
            (&["caf\u{65}\u{301}", "été"], &["caf\u{65}\u{301}", "été"]),
            (&["A", "a"], &["A", "a"]),
        ];
        for (labels, names) in same {
            let (classes, notes) = classes_of(labels);
            assert_eq!(
                (classes.names(), notes),
                (&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..], Vec::new())
            );
        }
    }

    #[test]
    fn spellings_of_one_label_are_one_class_and_noted() {
        let cases: [(&[&str], &[&str], &[&str]); 6] = [
            (&["1", "1.0", "0.0", "10"], &["0", "1", "10"], &["`1.0` (2 rows)", "`0.0` (2 rows)"]),
            (&["1.0", "10.0", "2.0"], &["1", "2", "10"], &["`1.0` (2 rows) is `1`", "6 rows"]),
            (&["caf\u{e9}", "cafe\u{301}", "x"], &["café", "x"], &["`caf\\u{e9}` (2 rows)", "`cafe\\u{301}` (2 rows)"]),
            (&["\"a\"", "a", "b"], &["a", "b"], &["`\"a\"` (2 rows)"]),
            (&["True", "true", "FALSE"], &["FALSE", "true"], &["`True` (2 rows)"]),
            (&["1.0", "nan", "1"], &["1", "nan"], &["`1.0`", "`nan` (2 rows)", "a value is missing"]),
        ];
        for (labels, names, parts) in cases {
            let (classes, notes) = classes_of(labels);
            assert_eq!(classes.names(), names);
            assert!(labels.iter().all(|label| classes.class(label).is_some()), "{labels:?}");
            let notes = notes.join("\n");
            assert!(parts.iter().all(|part| notes.contains(part)), "{notes}");
        }
    }

    #[test]
    fn other_splits_may_spell_a_class_in_another_way() {
        let (classes, _) = classes_of(&["1", "2"]);
        assert_eq!(classes.class("2.0"), Some(ClassId(1)));
        assert_eq!(classes.class("3"), None);
        let (classes, _) = classes_of(&["Check", "move"]);
        assert_eq!((classes.class("check"), classes.looking_like("check")), (None, Some("Check")));
        let given = ClassNames::given(vec!["a".to_owned(), "a\u{200b}".to_owned(), "b".to_owned()]);
        assert_eq!(
            ["a", "a\u{200b}", "a\u{a0}", "b\u{a0}"].map(|label| given.class(label)),
            [Some(ClassId(0)), Some(ClassId(1)), None, Some(ClassId(2))]
        );
    }

    #[test]
    fn letters_of_another_alphabet_are_refused_where_they_look_the_same() {
        let refused = |labels: &[&str]| {
            let spelled: Vec<Spelled<'_>> = labels.iter().map(|label| Spelled { label, n_rows: 2 }).collect();
            let of_labels = ClassNames::of_labels(&spelled, Path::new("a.csv"), &LoadContext::quiet(Seed(0)));
            let in_order = ClassNames::in_order(&spelled, Path::new("a.csv"), &LoadContext::quiet(Seed(0)));
            let found = of_labels.err();
            assert_eq!(found, in_order.err());
            found
        };
        assert_eq!(refused(&["x", "card", "c\u{430}rd"]), Some(Lookalikes(1, 2)));
        assert_eq!(refused(&["x²", "x2", "\u{421}", "ж"]), None);
        let error = Lookalikes(1, 2).error(
            Path::new("a.csv"),
            |index| ["x", "card", "c\u{430}rd"][index],
            |index| format!("row {index}"),
        );
        let text = error.to_string();
        assert!(text.contains("`card` in row 1 and `c\\u{430}rd` in row 2"), "{text}");
        assert_eq!(classes_of(&["card"]).0.looking_like("\u{ff43}ard"), Some("card"));
    }

    #[test]
    fn names_with_an_order_keep_it_and_their_first_spelling() {
        let spelled: Vec<Spelled<'_>> =
            ["10", "café", "9", "cafe\u{301}"].iter().map(|label| Spelled { label, n_rows: 1 }).collect();
        let classes = ClassNames::in_order(&spelled, Path::new("a"), &LoadContext::quiet(Seed(0))).unwrap();
        assert_eq!(classes.names(), ["10", "café", "9"]);
        assert_eq!(classes.class("cafe\u{301}"), Some(ClassId(1)));
    }

    #[test]
    fn labels_that_all_stand_in_quotation_marks_are_noted() {
        let (classes, notes) = classes_of(&["\"a\"", "\"b\""]);
        assert_eq!(classes.names(), ["\"a\"", "\"b\""]);
        assert!(notes[0].contains("quotes = true"), "{notes:?}");
    }
}
