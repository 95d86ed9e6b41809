//! Names of models in a report in words. A report of another program may have names that are no [`Role`] of this one.

use super::contract::{OutOfScopeReport, OutOfScopeRow};
use crate::role::{OTHER_COLOUR, Role};

/// How a model is called in a table.
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

/// Whether a model is one that the student learns from or could learn from.
pub(crate) fn is_teacher(name: &str) -> bool {
    Role::of_name(name).is_some_and(Role::is_teacher)
}

/// The rows of the table of examples of no class, in the order of [`rank`].
pub(crate) fn out_of_scope_rows(table: &OutOfScopeReport) -> Vec<&OutOfScopeRow> {
    let mut rows: Vec<_> = table.rows.iter().collect();
    rows.sort_by_key(|row| rank(&row.model));
    rows
}
