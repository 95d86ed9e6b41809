//! Rules for texts that are empty or too long.

use super::augment::TextAugmentConfig;
use super::store::MAX_TEXT_BYTES;
use super::windows::WindowsConfig;
use crate::labels::is_missing;
use crate::{DataError, LoadContext};
use std::path::Path;
use stillhouse_core::Problem;

/// Longer texts are rare, and their ends rarely say what their beginnings do not.
const MAX_CHARACTERS: usize = 10_000;

/// Characters kept of a text, by what the config says.
pub(crate) fn max_characters(limit: Option<usize>, windows: Option<&WindowsConfig>) -> Option<usize> {
    limit.or(windows.is_none().then_some(MAX_CHARACTERS))
}

/// Views that move windows, of texts that are not cut into windows.
pub(crate) fn shift_problem(windows: Option<&WindowsConfig>, augment: &TextAugmentConfig) -> Option<Problem> {
    let (TextAugmentConfig::Text(views), None) = (augment, windows) else { return None };
    let text = "moves the windows of a text; set windows too, or augment.window instead";
    (views.shift > 0).then(|| Problem::new("augment.shift", text))
}

/// The rules of one table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextRules {
    /// Characters that are kept of a longer text.
    pub(crate) max_characters: Option<usize>,
    /// Whether rows without a text are left out; they are an error otherwise.
    pub(crate) skip_empty: bool,
}

/// How often the rules changed something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) n_skipped: usize,
    pub(crate) n_shortened: usize,
    /// Texts that are what other programs write for a missing value.
    pub(crate) n_missing: usize,
}

impl TextRules {
    /// The part of a text that is kept; nothing for one that is to be skipped. `place` says where it is.
    ///
    /// # Errors
    /// An empty text that is not to be skipped, or one that is too long for any memory.
    pub(crate) fn apply<'t>(
        &self,
        text: &'t str,
        path: &Path,
        place: impl Fn() -> String,
        changes: &mut Changes,
    ) -> Result<Option<&'t str>, DataError> {
        if text.trim().is_empty() {
            if !self.skip_empty {
                return Err(DataError::invalid(path, format!("an empty text in {}", place()), "a text in every row")
                    .hint("remove the row, or skip_empty = true leaves such rows out"));
            }
            changes.n_skipped += 1;
            return Ok(None);
        }
        changes.n_missing += usize::from(is_missing(text.trim()));
        let end = self.max_characters.and_then(|limit| text.char_indices().nth(limit));
        let kept = end.map_or(text, |(end, _)| &text[..end]);
        changes.n_shortened += usize::from(kept.len() < text.len());
        if kept.len() > MAX_TEXT_BYTES {
            let found = format!("a text of {} bytes in {}", kept.len(), place());
            return Err(DataError::invalid(path, found, format!("at most {MAX_TEXT_BYTES}")));
        }
        Ok(Some(kept))
    }
}

/// Notes what the rules have changed in a split: what was left out for the user, all of it for the provenance.
pub(crate) fn note_changes(
    split: &str,
    changes: Changes,
    path: &Path,
    context: &LoadContext<'_>,
    provenance: &mut Vec<(String, String)>,
) {
    let path = path.display();
    if changes.n_skipped > 0 {
        context.note(format!("{path}: {split} rows without a text, which are left out: {}", changes.n_skipped));
    }
    if changes.n_shortened > 0 {
        context.note(format!(
            "{path}: {split} texts that are longer than max_characters and are cut there: {}",
            changes.n_shortened
        ));
    }
    if changes.n_missing > 0 {
        context.note(format!(
            "{path}: {split} texts that are a word for a missing value, such as nan or null, and are read as texts: {}",
            changes.n_missing
        ));
    }
    let notes = [(changes.n_skipped, "left out, being empty"), (changes.n_shortened, "shortened")];
    for (n_texts, what) in notes.into_iter().filter(|(n_texts, _)| *n_texts > 0) {
        provenance.push((format!("{split} texts {what}"), n_texts.to_string()));
    }
}
