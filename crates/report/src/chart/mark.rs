//! Marks of models in charts, tables and legends.

use crate::role::Role;
use serde::Serialize;

/// A mark that is told apart by shape as well as by colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    /// a filled circle
    Dot,
    /// an outlined circle
    Ring,
    /// a filled square
    Square,
}

impl Mark {
    /// Teachers are squares, the student a dot, its twins rings.
    pub(crate) fn of_model(name: &str) -> Self {
        match Role::of_name(name) {
            Some(Role::Student) => Self::Dot,
            Some(role) if role.is_teacher() => Self::Square,
            _ => Self::Ring,
        }
    }

    /// The CSS classes of the mark in text and legends.
    pub(crate) fn classes(self, colour: &str) -> String {
        let shape = match self {
            Self::Dot => "dot",
            Self::Ring => "ring",
            Self::Square => "square",
        };
        format!("{shape} {colour}")
    }
}
