//! The contract's model names in words.

use super::contract::{OutOfScopeReport, OutOfScopeRow};

/// How a model is called in a table.
pub(crate) fn title(name: &str) -> String {
    match name {
        "generalist" => "Generalist".into(),
        "ensemble" => "Merged ensemble".into(),
        "generalist_ensemble" => "Equal-cost generalists".into(),
        "student" => "Student".into(),
        "student_hard" => "Twin: hard labels".into(),
        "student_generalist" => "Twin: generalist’s targets".into(),
        "student_generalist_ensemble" => "Twin: equal-cost targets".into(),
        other => match specialist_idx(other) {
            Some(index) => format!("Specialist {index}"),
            None => other.to_owned(),
        },
    }
}

/// How a model is called inside a sentence.
pub(crate) fn phrase(name: &str) -> String {
    match name {
        "generalist" => "the generalist".into(),
        "ensemble" => "the merged ensemble".into(),
        "generalist_ensemble" => "an equally expensive ensemble of generalists".into(),
        "student" => "the student".into(),
        "student_hard" => "its hard-label twin".into(),
        "student_generalist" => "its twin on the generalist’s targets".into(),
        "student_generalist_ensemble" => "its twin on the equal-cost generalists’ targets".into(),
        other => title(other),
    }
}

/// The model that a reader holds this one against first.
pub(crate) fn reference(name: &str) -> Option<&'static str> {
    match name {
        "ensemble" | "generalist_ensemble" => Some("generalist"),
        "student" | "student_generalist" | "student_generalist_ensemble" => Some("student_hard"),
        _ => None,
    }
}

/// The number of a specialist, from its name.
pub(crate) fn specialist_idx(name: &str) -> Option<usize> {
    name.strip_prefix("specialist_")?.parse().ok()
}

/// Position of a model in tables and charts: the student first, then its twins, then the teachers.
pub(crate) fn rank(name: &str) -> usize {
    const ORDER: [&str; 7] = [
        "student",
        "student_generalist",
        "student_generalist_ensemble",
        "student_hard",
        "ensemble",
        "generalist_ensemble",
        "generalist",
    ];
    ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len() + specialist_idx(name).unwrap_or(0))
}

/// Whether a model is one that the student learns from or could learn from.
pub(crate) fn is_teacher(name: &str) -> bool {
    matches!(name, "generalist" | "ensemble" | "generalist_ensemble")
}

/// The rows of the table of examples of no class, in the order of [`rank`].
pub(crate) fn out_of_scope_rows(table: &OutOfScopeReport) -> Vec<&OutOfScopeRow> {
    let mut rows: Vec<_> = table.rows.iter().collect();
    rows.sort_by_key(|row| rank(&row.model));
    rows
}
