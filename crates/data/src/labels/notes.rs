//! Notes about labels: what was joined, and what may be no label.

use super::spelling::{Spelled, escaped, is_missing, is_quoted, shown};
use crate::LoadContext;
use crate::words::counted;
use std::path::Path;

/// Classes that a note names; the rest is counted.
const MAX_NAMED: usize = 5;

/// A class and labels that are not spelt as its name is.
pub(crate) struct Joined<'a> {
    pub(crate) class: &'a str,
    pub(crate) spellings: &'a [Spelled<'a>],
}

/// Tells which spellings were read as which class.
pub(crate) fn tell_joined(joined: &[Joined<'_>], path: &Path, context: &LoadContext<'_>) {
    if joined.is_empty() {
        return;
    }
    let other = |joined: &Joined<'_>| {
        let spellings = joined.spellings.iter().filter(|spelled| spelled.label != joined.class);
        spellings.map(|spelled| spelled.n_rows).sum::<usize>()
    };
    let n_rows: usize = joined.iter().map(other).sum();
    let named: Vec<String> = joined.iter().take(MAX_NAMED).map(one_class).collect();
    let rest = joined.len().saturating_sub(MAX_NAMED);
    let rest = if rest > 0 { format!("; and so for {rest} more") } else { String::new() };
    context.note(format!(
        "{}: the labels of {} are not spelt as their class is: {}{rest}",
        path.display(),
        counted(n_rows, "row"),
        named.join("; "),
    ));
}

fn one_class(joined: &Joined<'_>) -> String {
    let spelling = |spelled: &Spelled<'_>| format!("`{}` ({})", escaped(spelled.label), counted(spelled.n_rows, "row"));
    let spellings: Vec<String> = joined.spellings.iter().map(spelling).collect();
    let verb = if spellings.len() > 1 { "are" } else { "is" };
    format!("{} {verb} `{}`", spellings.join(" and "), shown(joined.class))
}

/// Names classes that are hardly meant as such.
pub(crate) fn tell_missing(labels: &[Spelled<'_>], path: &Path, context: &LoadContext<'_>) {
    for Spelled { label, n_rows } in labels.iter().filter(|spelled| is_missing(spelled.label)) {
        context.note(format!(
            "{}: `{label}` ({}) is a class, and other programs write it where a value is missing; \
             remove such rows if they have no label",
            path.display(),
            counted(*n_rows, "row"),
        ));
    }
}

/// Tells of quotation marks that became a part of all names.
pub(crate) fn tell_quoted(labels: &[Spelled<'_>], path: &Path, context: &LoadContext<'_>) {
    if labels.iter().all(|spelled| is_quoted(spelled.label)) {
        let Some(first) = labels.first() else { return };
        context.note(format!(
            "{}: the quotation marks around all labels, as in `{}`, are a part of their names; in a table, quotes = true \
             takes them off",
            path.display(),
            shown(first.label),
        ));
    }
}
