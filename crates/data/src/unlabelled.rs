//! Examples without a label: training examples whose labels are held back, examples that a student learns from its teachers'
//! predictions, and examples of no class, which show whether a model's confidence is lower on them. Those that are read from
//! elsewhere are stored behind the labelled ones of their part.

use crate::carve::sample;
use crate::found::Found;
use crate::source::Source;
use crate::store::Store;
use crate::{DataError, LoadContext};
use std::collections::HashSet;
use std::path::PathBuf;
use stillhouse_core::ClassId;

/// What examples without labels are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A student learns from them.
    Transfer,
    /// The evaluation asks how sure models are of them.
    OutOfScope,
}

impl Purpose {
    /// What messages call such examples: `texts without labels`.
    pub(crate) fn describe(self, noun: &str) -> String {
        match self {
            Self::Transfer => format!("{noun}s without labels"),
            Self::OutOfScope => format!("{noun}s of no class"),
        }
    }

    /// The source that they are put behind.
    pub(crate) fn source(self) -> Source {
        match self {
            Self::Transfer => Source::Train,
            Self::OutOfScope => Source::Test,
        }
    }
}

/// Examples without a label, as they were read: whole, where examples are cut out of wholes.
pub(crate) struct Unlabelled {
    pub(crate) store: Store,
    pub(crate) path: PathBuf,
    /// So many of them are used at most.
    pub(crate) max_examples: Option<usize>,
    /// What was read and what was changed, for the provenance.
    pub(crate) notes: Vec<(String, String)>,
}

/// Rows without a label in a part.
pub(crate) struct UnlabelledRows {
    pub(crate) rows: Vec<u32>,
    /// Examples that were put behind those of the part, whether or not they are used.
    pub(crate) n_read: usize,
    pub(crate) fingerprint: String,
}

impl UnlabelledRows {
    /// Both of two lists of rows.
    pub(crate) fn joined(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(first), Some(second)) => Some(Self {
                rows: [first.rows, second.rows].concat(),
                n_read: first.n_read + second.n_read,
                fingerprint: format!("{}+{}", first.fingerprint, second.fingerprint),
            }),
            (first, second) => first.or(second),
        }
    }
}

/// Notes how many of the examples are equal to one of these rows of a split's part, where the content of both is known.
pub(crate) fn note_duplicates(found: &mut Found, split: Source, rows: &[u32], extra: &Store, what: &str) {
    let of_extra: Vec<u32> = (0..extra.n_wholes() as u32).collect();
    let of_split = found.part(split).store.modality();
    let (Some(of_split), Some(of_extra)) = (of_split.contents(rows), extra.modality().contents(&of_extra)) else {
        return;
    };
    let of_split: HashSet<&[u8]> = of_split.into_iter().collect();
    let n_duplicates = of_extra.into_iter().filter(|content| of_split.contains(content)).count();
    if n_duplicates > 0 {
        found.provenance.push((what.to_owned(), n_duplicates.to_string()));
    }
}

/// Puts examples behind those of the part that a split comes from, so that they change no other example. Where they are too many,
/// a seeded sample of their rows is used.
///
/// # Errors
/// More examples than can be numbered.
pub(crate) fn append(
    found: &mut Found,
    purpose: Purpose,
    extra: Unlabelled,
    context: &LoadContext<'_>,
) -> Result<UnlabelledRows, DataError> {
    let source = purpose.source();
    let Unlabelled { store, path, max_examples, .. } = extra;
    let part = found.part_mut(source);
    let store = part.store.cut_alike(store, source == Source::Train);
    let mut hasher = blake3::Hasher::new();
    store.modality().hash_into(&mut hasher);
    let n_before = part.classes.len();
    let (n_extra, n_all) = (store.n_examples(), n_before + store.n_examples());
    // of images that are drawn, only the first are hashed
    hasher.update(&(n_extra as u64).to_le_bytes());
    if n_all > u32::MAX as usize {
        let text = format!("{n_all} examples, unlabelled ones included");
        return Err(DataError::invalid(&path, text, format!("at most {}", u32::MAX)));
    }
    part.store.append(n_before, store);
    part.classes.reserve_exact(n_extra);
    part.classes.resize(n_all, ClassId::UNKNOWN);
    let mut rows: Vec<u32> = (n_before as u32..n_all as u32).collect();
    if let Some(max_examples) = max_examples.filter(|max| *max < n_extra) {
        rows = sample(rows, max_examples, context.seed.derive("examples without labels", source as u64));
        rows.iter().for_each(|row| {
            hasher.update(&row.to_le_bytes());
        });
        let what = purpose.describe(part.store.modality().noun());
        found.provenance.push((format!("{what} that are used"), format!("{max_examples} of {n_extra}, seeded")));
    }
    Ok(UnlabelledRows { rows, n_read: n_extra, fingerprint: hasher.finalize().to_hex().to_string() })
}
