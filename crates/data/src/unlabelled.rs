//! Examples without a label: training examples whose labels are held back, texts that a student learns from its teachers'
//! predictions, and texts of no class, which show whether a model's confidence is lower on them. Texts are stored behind the
//! labelled ones of their part.

use crate::DataError;
use crate::found::Found;
use crate::source::Source;
use crate::texts::TextStore;
use std::collections::HashSet;
use std::path::PathBuf;
use stillhouse_core::ClassId;

/// Texts without a label, as they were read.
pub(crate) struct UnlabelledTexts {
    pub(crate) texts: TextStore,
    pub(crate) path: PathBuf,
    /// What was read and what was changed, for the provenance.
    pub(crate) notes: Vec<(String, String)>,
}

/// Both kinds of texts without a label.
#[derive(Default)]
pub(crate) struct Unlabelled {
    /// Texts for a student.
    pub(crate) transfer: Option<UnlabelledTexts>,
    /// Texts of no class.
    pub(crate) out_of_scope: Option<UnlabelledTexts>,
}

/// Rows without a label in a part.
pub(crate) struct UnlabelledRows {
    pub(crate) rows: Vec<u32>,
    pub(crate) fingerprint: String,
}

impl UnlabelledRows {
    /// Both of two lists of rows.
    pub(crate) fn joined(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(first), Some(second)) => Some(Self {
                rows: [first.rows, second.rows].concat(),
                fingerprint: format!("{}+{}", first.fingerprint, second.fingerprint),
            }),
            (first, second) => first.or(second),
        }
    }
}

/// Notes how many of the `texts` are texts of these rows of a split's part.
pub(crate) fn note_duplicates(found: &mut Found, split: Source, rows: &[u32], texts: &TextStore, what: &str) {
    let Some(of_split) = found.part(split).store.texts() else { return };
    let of_split: HashSet<&str> = rows.iter().map(|&row| of_split.whole_text(row as usize)).collect();
    let n_duplicates = (0..texts.n_texts()).filter(|&text| of_split.contains(texts.text(text))).count();
    if n_duplicates > 0 {
        found.provenance.push((what.to_owned(), n_duplicates.to_string()));
    }
}

/// Puts texts behind those of the part that a split comes from, so that they change no other example.
///
/// # Errors
/// More examples than can be numbered.
pub(crate) fn append(found: &mut Found, split: Source, extra: UnlabelledTexts) -> Result<UnlabelledRows, DataError> {
    let part = found.part_mut(split);
    let examples = part.store.texts_mut().expect("texts without labels are read only for data of texts");
    let texts = examples.cut_alike(extra.texts, split == Source::Train);
    let mut hasher = blake3::Hasher::new();
    texts.hash_into(&mut hasher);
    let (n_before, n_all) = (examples.texts.len(), examples.texts.len() + texts.len());
    if n_all > u32::MAX as usize {
        let text = format!("{n_all} examples, unlabelled ones included");
        return Err(DataError::invalid(&extra.path, text, format!("at most {}", u32::MAX)));
    }
    examples.texts.append(texts);
    part.classes.reserve_exact(n_all - n_before);
    part.classes.resize(n_all, ClassId::UNKNOWN);
    let rows = (n_before as u32..n_all as u32).collect();
    Ok(UnlabelledRows { rows, fingerprint: hasher.finalize().to_hex().to_string() })
}
