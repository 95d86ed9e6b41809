//! Class numbers of the dataset and of one specialist, and [`ClassSubset`], which converts between them.

use crate::CoreError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A class of the dataset, `0..n_classes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(pub u32);

impl ClassId {
    /// The class of an example without a label.
    pub const UNKNOWN: Self = Self(u32::MAX);

    /// Position in a row of predictions over all classes.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A class as one specialist numbers it, `0..subset.len()`. Only [`ClassSubset`] converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalClass(u32);

impl LocalClass {
    /// Position in a row of the specialist's predictions.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of classes, the special set `S_m` of the paper's section 5, with its own dense numbering.
///
/// Members are kept in ascending order, so that equal sets are equal values whatever order they were listed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSubset", into = "RawSubset")]
pub struct ClassSubset {
    n_classes: usize,
    members: Vec<ClassId>,
}

impl ClassSubset {
    /// A subset of a dataset's `n_classes` classes.
    ///
    /// # Errors
    /// An empty list, a class outside the dataset, or one that is listed twice.
    pub fn new(n_classes: usize, classes: impl IntoIterator<Item = ClassId>) -> Result<Self, CoreError> {
        let mut members: Vec<ClassId> = classes.into_iter().collect();
        members.sort_unstable();
        if let Some(&class) = members.last().filter(|class| class.index() >= n_classes) {
            return Err(CoreError(format!("class {class} is outside the dataset's 0..{n_classes}")));
        }
        if let Some(pair) = members.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CoreError(format!("class {} is listed twice", pair[0])));
        }
        if members.is_empty() {
            return Err(CoreError("a class subset needs at least one class".into()));
        }
        Ok(Self { n_classes, members })
    }

    /// Number of classes of the dataset that this is a subset of.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Number of classes in the subset, `L`.
    #[allow(clippy::len_without_is_empty)] // never empty by construction
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The members in ascending order; position is the local number.
    pub fn members(&self) -> &[ClassId] {
        &self.members
    }

    /// Whether the class belongs to the subset.
    pub fn contains(&self, class: ClassId) -> bool {
        self.local(class).is_some()
    }

    /// The specialist's own number of a class, if the class is one of its own.
    pub fn local(&self, class: ClassId) -> Option<LocalClass> {
        self.members.binary_search(&class).ok().map(|position| LocalClass(position as u32))
    }

    /// The dataset's number of a specialist's class.
    ///
    /// # Panics
    /// If the local class comes from a larger subset: a bug in this program, not bad input.
    pub fn global(&self, local: LocalClass) -> ClassId {
        self.members[local.index()]
    }

    /// All classes that are not members, in ascending order: the classes of the dustbin.
    pub fn complement(&self) -> impl Iterator<Item = ClassId> + '_ {
        (0..self.n_classes as u32).map(ClassId).filter(|class| !self.contains(*class))
    }

    /// Whether every class of the dataset is a member, so that a dustbin would have no class.
    pub fn is_everything(&self) -> bool {
        self.members.len() == self.n_classes
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSubset {
    n_classes: usize,
    members: Vec<ClassId>,
}

impl TryFrom<RawSubset> for ClassSubset {
    type Error = CoreError;

    fn try_from(raw: RawSubset) -> Result<Self, CoreError> {
        Self::new(raw.n_classes, raw.members)
    }
}

impl From<ClassSubset> for RawSubset {
    fn from(subset: ClassSubset) -> Self {
        Self { n_classes: subset.n_classes, members: subset.members }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn subset(n_classes: usize, classes: &[u32]) -> Result<ClassSubset, CoreError> {
        ClassSubset::new(n_classes, classes.iter().copied().map(ClassId))
    }

    #[test]
    fn refuses_what_is_not_a_set_of_classes() {
        let error = |classes| subset(5, classes).unwrap_err().to_string();
        assert_eq!(error(&[]), "a class subset needs at least one class");
        assert_eq!(error(&[1, 5]), "class 5 is outside the dataset's 0..5");
        assert_eq!(error(&[3, 1, 3]), "class 3 is listed twice");
    }

    #[test]
    fn order_of_listing_does_not_matter() {
        assert_eq!(subset(9, &[7, 2, 4]), subset(9, &[2, 4, 7]));
    }

    #[test]
    fn json_is_checked_on_the_way_in() {
        let text = r#"{"n_classes": 3, "members": [0, 3]}"#;
        assert!(serde_json::from_str::<ClassSubset>(text).unwrap_err().to_string().contains("outside"));
    }

    proptest! {
        #[test]
        fn local_and_global_are_inverse(classes in prop::collection::btree_set(0u32..40, 1..40)) {
            let subset = ClassSubset::new(40, classes.iter().copied().map(ClassId)).unwrap();
            for class in (0..40).map(ClassId) {
                prop_assert_eq!(subset.local(class).map(|local| subset.global(local)), subset.contains(class).then_some(class));
            }
            prop_assert_eq!(subset.complement().count() + subset.len(), 40);
        }
    }
}
