//! What each model of a run is for, and all that follows from it: its names, the words for it, its place and its colour.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A model that a run trains or merges. The order is that of tables and charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// the small network that is shipped, trained on the merged soft targets
    Student,
    /// the student with fewer bits in its weights, within the limits of `[ship]`
    Shipped,
    /// the shipped network's twin: of the same form, from scratch, with as many epochs in all
    TwinOfShipped,
    /// the student's twin on the generalist's soft targets
    TwinOnGeneralist,
    /// the student's twin on the soft targets of the plain ensemble
    TwinOnPlainEnsemble,
    /// the student's twin on hard labels
    TwinOnLabels,
    /// generalists and specialists, merged
    MergedEnsemble,
    /// generalists that cost no less than the merged ensemble: their mean
    PlainEnsemble,
    /// the network that knows every class
    Generalist,
    /// the network for the cluster with this number
    Specialist(usize),
}

/// The group of a model in `report.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    /// the network that knows every class
    Generalist,
    /// a network for one cluster
    Specialist,
    /// several networks together: a teacher, never shipped
    Ensemble,
    /// the small network that is shipped
    Student,
    /// a student's twin, trained on something else for comparison
    #[default]
    Baseline,
}

/// The table of a config that a network is trained by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// `[generalist]`
    Generalist,
    /// `[specialists]`
    Specialists,
    /// `[student]`
    Student,
    /// `[ship]`
    Ship,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generalist => "generalist",
            Self::Specialists => "specialists",
            Self::Student => "student",
            Self::Ship => "ship",
        })
    }
}

/// What is fixed for a role.
struct Facts {
    /// in `report.json`, in stages and in seeds; a specialist's number comes behind it
    name: &'static str,
    /// in tables and charts
    title: &'static str,
    /// inside a sentence
    phrase: &'static str,
    /// the CSS class of its colour
    colour: &'static str,
    group: ModelRole,
    /// the model that a reader compares it with first
    reference: Option<Role>,
}

impl Role {
    /// All that predict every class, in their order.
    pub const COMPLETE: [Self; 9] = [
        Self::Student,
        Self::Shipped,
        Self::TwinOfShipped,
        Self::TwinOnGeneralist,
        Self::TwinOnPlainEnsemble,
        Self::TwinOnLabels,
        Self::MergedEnsemble,
        Self::PlainEnsemble,
        Self::Generalist,
    ];

    const fn facts(self) -> Facts {
        match self {
            Self::Student => Facts {
                name: "student",
                title: "Student",
                phrase: "the student",
                colour: "m-student",
                group: ModelRole::Student,
                reference: Some(Self::TwinOnLabels),
            },
            Self::Shipped => Facts {
                name: "shipped",
                title: "Shipped student",
                phrase: "the shipped student",
                colour: "m-shipped",
                group: ModelRole::Student,
                reference: Some(Self::Student),
            },
            Self::TwinOfShipped => Facts {
                name: "shipped_twin",
                title: "Twin: shipped form",
                phrase: "its twin from scratch",
                colour: "m-shipped-twin",
                group: ModelRole::Baseline,
                reference: Some(Self::Student),
            },
            Self::TwinOnGeneralist => Facts {
                name: "student_generalist",
                title: "Twin: generalist’s targets",
                phrase: "its twin on the generalist’s targets",
                colour: "m-student-generalist",
                group: ModelRole::Baseline,
                reference: Some(Self::TwinOnLabels),
            },
            Self::TwinOnPlainEnsemble => Facts {
                name: "student_generalist_ensemble",
                title: "Twin: equal-cost targets",
                phrase: "its twin on the equal-cost generalists’ targets",
                colour: "m-student-ensemble",
                group: ModelRole::Baseline,
                reference: Some(Self::TwinOnLabels),
            },
            Self::TwinOnLabels => Facts {
                name: "student_hard",
                title: "Twin: hard labels",
                phrase: "its hard-label twin",
                colour: "m-hard",
                group: ModelRole::Baseline,
                reference: None,
            },
            Self::MergedEnsemble => Facts {
                name: "ensemble",
                title: "Merged ensemble",
                phrase: "the merged ensemble",
                colour: "m-ensemble",
                group: ModelRole::Ensemble,
                reference: Some(Self::Generalist),
            },
            Self::PlainEnsemble => Facts {
                name: "generalist_ensemble",
                title: "Equal-cost generalists",
                phrase: "an equally expensive ensemble of generalists",
                colour: "m-generalist-ensemble",
                group: ModelRole::Ensemble,
                reference: Some(Self::Generalist),
            },
            Self::Generalist => Facts {
                name: "generalist",
                title: "Generalist",
                phrase: "the generalist",
                colour: "m-generalist",
                group: ModelRole::Generalist,
                reference: None,
            },
            Self::Specialist(_) => Facts {
                name: "specialist",
                title: "Specialist",
                phrase: "specialist",
                colour: OTHER_COLOUR,
                group: ModelRole::Specialist,
                reference: None,
            },
        }
    }

    /// The name of its kind, without a specialist's number.
    pub const fn kind(self) -> &'static str {
        self.facts().name
    }

    /// A specialist's number.
    pub const fn index(self) -> Option<usize> {
        match self {
            Self::Specialist(index) => Some(index),
            _ => None,
        }
    }

    /// Its name in `report.json`.
    pub fn name(self) -> String {
        self.with_index(self.facts().name, '_').into_owned()
    }

    /// The role with this name in `report.json`; none for a name of another program.
    pub fn of_name(name: &str) -> Option<Self> {
        let known = Self::COMPLETE.into_iter().find(|role| role.kind() == name);
        known.or_else(|| Some(Self::Specialist(name.strip_prefix("specialist_")?.parse().ok()?)))
    }

    /// How it is called in tables and charts.
    pub fn title(self) -> Cow<'static, str> {
        self.with_index(self.facts().title, ' ')
    }

    /// How it is called inside a sentence.
    pub fn phrase(self) -> Cow<'static, str> {
        self.with_index(self.facts().phrase, ' ')
    }

    /// The CSS class of its colour.
    pub const fn colour(self) -> &'static str {
        self.facts().colour
    }

    /// The model that a reader compares it with first.
    pub const fn reference(self) -> Option<Self> {
        self.facts().reference
    }

    /// The group that `report.json` puts it into.
    pub const fn group(self) -> ModelRole {
        self.facts().group
    }

    /// Whether the student learns from it or could.
    pub fn is_teacher(self) -> bool {
        matches!(self, Self::Generalist | Self::MergedEnsemble | Self::PlainEnsemble)
    }

    /// The table of the config that it is trained by.
    pub const fn section(self) -> Section {
        match self {
            Self::Generalist | Self::PlainEnsemble => Section::Generalist,
            Self::Specialist(_) | Self::MergedEnsemble => Section::Specialists,
            Self::Student | Self::TwinOnGeneralist | Self::TwinOnPlainEnsemble | Self::TwinOnLabels => Section::Student,
            Self::Shipped | Self::TwinOfShipped => Section::Ship,
        }
    }

    fn with_index(self, word: &'static str, separator: char) -> Cow<'static, str> {
        self.index().map_or(Cow::Borrowed(word), |index| Cow::Owned(format!("{word}{separator}{index}")))
    }
}

/// The CSS class of models without a colour of their own.
const OTHER_COLOUR: &str = "m-other";

/// How a model is called in a table. A report of another program may have names that are no [`Role`] of this one.
pub(crate) fn title(name: &str) -> String {
    Role::of_name(name).map_or(name.to_owned(), |role| role.title().into_owned())
}

/// How a model is called inside a sentence.
pub(crate) fn phrase(name: &str) -> String {
    Role::of_name(name).map_or(name.to_owned(), |role| role.phrase().into_owned())
}

/// CSS class of a model's colour.
pub(crate) fn colour(name: &str) -> &'static str {
    Role::of_name(name).map_or(OTHER_COLOUR, Role::colour)
}

/// What tables and charts sort models by; unknown ones come last.
pub(crate) fn rank(name: &str) -> (bool, Option<Role>) {
    let role = Role::of_name(name);
    (role.is_none(), role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_roles() {
        for role in Role::COMPLETE.into_iter().chain([Role::Specialist(0), Role::Specialist(12)]) {
            assert_eq!(Role::of_name(&role.name()), Some(role));
        }
        assert_eq!(Role::Specialist(12).name(), "specialist_12");
        assert_eq!(Role::of_name("specialist_x"), None);
        assert_eq!(Role::of_name("teacher"), None);
    }

    #[test]
    fn tables_show_roles_in_their_order() {
        assert!(Role::COMPLETE.is_sorted());
        assert!(Role::Generalist < Role::Specialist(0) && Role::Specialist(2) < Role::Specialist(10));
    }

    #[test]
    fn students_are_compared_with_a_student_and_teachers_with_a_teacher() {
        for role in Role::COMPLETE {
            assert!(role.reference().is_none_or(|reference| reference.is_teacher() == role.is_teacher()));
        }
    }
}
