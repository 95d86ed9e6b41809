//! Marks of models in charts, tables and legends.

use crate::role::Role;
use serde::Serialize;

/// A mark that is told apart by shape as well as by colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Mark {
    shape: Shape,
    /// else only its outline is drawn
    is_filled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Circle,
    Square,
    Diamond,
    Triangle,
    /// on its tip
    Funnel,
}

/// Of series without a role. Circles and diamonds, which students have, come last: ways to a student and students share a chart.
const OF_SERIES: [(Shape, bool); 8] = [
    (Shape::Square, true),
    (Shape::Triangle, true),
    (Shape::Funnel, true),
    (Shape::Square, false),
    (Shape::Triangle, false),
    (Shape::Funnel, false),
    (Shape::Circle, true),
    (Shape::Diamond, true),
];

impl Mark {
    pub(crate) const DOT: Self = Self { shape: Shape::Circle, is_filled: true };
    pub(crate) const RING: Self = Self { shape: Shape::Circle, is_filled: false };

    /// The mark of a model. A twin has the outline of what it is a twin of, or of the teacher that it learned from.
    pub(crate) fn of_model(name: &str) -> Self {
        Role::of_name(name).map_or(Self { shape: Shape::Square, is_filled: false }, Self::of_role)
    }

    /// The mark of a role.
    pub(crate) fn of_role(role: Role) -> Self {
        let (shape, is_filled) = match role {
            Role::Student => (Shape::Circle, true),
            Role::TwinOnLabels => (Shape::Circle, false),
            Role::Shipped => (Shape::Diamond, true),
            Role::TwinOfShipped => (Shape::Diamond, false),
            Role::Generalist => (Shape::Triangle, true),
            Role::TwinOnGeneralist => (Shape::Triangle, false),
            Role::PlainEnsemble => (Shape::Funnel, true),
            Role::TwinOnPlainEnsemble => (Shape::Funnel, false),
            Role::MergedEnsemble => (Shape::Square, true),
            Role::Specialist(_) => (Shape::Square, false),
        };
        Self { shape, is_filled }
    }

    /// The mark of the nth of some series without a role.
    pub(crate) fn of_series(nth: usize) -> Self {
        let (shape, is_filled) = OF_SERIES[nth % OF_SERIES.len()];
        Self { shape, is_filled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::N_COLOURS;
    use std::collections::HashSet;

    #[test]
    fn every_model_and_every_series_has_a_mark_of_its_own() {
        let models: HashSet<Mark> = Role::COMPLETE.into_iter().map(Mark::of_role).collect();
        assert_eq!(models.len(), Role::COMPLETE.len());
        assert_eq!((0..N_COLOURS).map(Mark::of_series).collect::<HashSet<_>>().len(), N_COLOURS);
        let students = [Role::Student, Role::TwinOnLabels, Role::Shipped, Role::TwinOfShipped].map(Mark::of_role);
        assert!((0..5).all(|way| !students.contains(&Mark::of_series(way))), "five ways to a student");
    }
}
