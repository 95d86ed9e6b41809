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

const SHAPES: [Shape; 5] = [Shape::Circle, Shape::Square, Shape::Diamond, Shape::Triangle, Shape::Funnel];

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
        Self { shape: SHAPES[nth % SHAPES.len()], is_filled: (nth / SHAPES.len()).is_multiple_of(2) }
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
    }
}
