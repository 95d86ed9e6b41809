//! Lists and counts in messages.

/// Names for a message, not more than fit into a line.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const MAX_NAMED: usize = 4;
    let named: Vec<String> = names.iter().take(MAX_NAMED).map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len().saturating_sub(MAX_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
