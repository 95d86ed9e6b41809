//! From what a reader found to a dataset: splits, normalisation, fingerprint.

use crate::carve::{Carved, carve};
use crate::dataset::{Dataset, OutOfScope, SealedTest, Transfer};
use crate::found::{Found, Part};
use crate::scarce::tell_scarce;
use crate::source::Source;
use crate::split::{Pool, Reading, Split};
use crate::unlabelled::{Purpose, Unlabelled, UnlabelledRows, append, note_duplicates};
use crate::{DataError, LoadContext};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use stillhouse_core::ClassId;

/// Part of the training examples that becomes the test split of a source without one.
const CARVED_TEST_FRACTION: f64 = 0.1;

/// Splits, measures and hashes what was found, with examples for a transfer and of no class.
///
/// # Errors
/// Fewer than two classes, a split without an example, more examples than can be numbered.
pub(crate) fn assemble(
    mut found: Found,
    [transfer, out_of_scope]: [Option<Unlabelled>; 2],
    context: &LoadContext<'_>,
) -> Result<Dataset, DataError> {
    check_sizes(&found)?;
    let mut rows = Rows::decide(&found, context);
    rows.check(&found)?;
    rows.explain(&mut found);
    tell_scarce(&found, [&rows.train, &rows.valid, &rows.test], context);
    rows.cut(&mut found)?;
    let input = found.train.store.modality().measure(&rows.train);
    let fingerprint = fingerprint(&found, &rows, context);
    let held_back = rows.hold_back(&mut found, &fingerprint);
    let n_own = Source::ALL.map(|source| found.part(source).classes.len());
    let append = |extra| append_unlabelled(&mut found, &rows, Purpose::Transfer, None, extra, context);
    let transfer = UnlabelledRows::joined(held_back, transfer.map(append).transpose()?);
    let append = |extra| append_unlabelled(&mut found, &rows, Purpose::OutOfScope, transfer.as_ref(), extra, context);
    let out_of_scope = out_of_scope.map(append).transpose()?;

    let n_classes = found.labels.len();
    let reading = Arc::new(Reading { input: input.clone(), seed: context.seed });
    let pool = |Part { mut store, classes }: Part, source: Source| {
        store.modality_mut().finish();
        Arc::new(Pool { store, classes, n_own: n_own[source as usize], source })
    };
    let train = pool(found.train, Source::Train);
    let valid = found.valid.map_or_else(|| train.clone(), |part| pool(part, Source::Valid));
    let test = found.test.map_or_else(|| train.clone(), |part| pool(part, Source::Test));
    let split = |pool: &Arc<Pool>, rows: &[u32]| Split::new(pool.clone(), reading.clone(), rows, n_classes);
    let transfer = transfer.map(|UnlabelledRows { rows: unlabelled, n_read, fingerprint }| Transfer {
        n_unlabelled: unlabelled.len(),
        n_read,
        split: split(&train, &[&rows.train[..], &unlabelled].concat()),
        fingerprint,
    });
    let out_of_scope = out_of_scope.map(|UnlabelledRows { rows, n_read, fingerprint }| OutOfScope {
        split: split(&test, &rows),
        n_read,
        fingerprint,
    });
    Ok(Dataset {
        name: found.name,
        labels: found.labels,
        input,
        train: split(&train, &rows.train),
        valid: split(&valid, &rows.valid),
        test: SealedTest::new(split(&test, &rows.test), out_of_scope),
        transfer,
        fingerprint,
        provenance: found.provenance,
    })
}

/// Puts examples for a transfer behind the training examples, or examples of no class behind the test examples; `transfer` are
/// the rows that are without labels already.
fn append_unlabelled(
    found: &mut Found,
    rows: &Rows,
    purpose: Purpose,
    transfer: Option<&UnlabelledRows>,
    extra: Unlabelled,
    context: &LoadContext<'_>,
) -> Result<UnlabelledRows, DataError> {
    found.provenance.extend(extra.notes.iter().cloned());
    let noun = extra.store.modality().noun();
    let what = purpose.describe(noun);
    let splits = [
        (Source::Train, &rows.train, "training"),
        (Source::Valid, &rows.valid, "validation"),
        (Source::Test, &rows.test, "test"),
    ];
    // a student may well see its training examples twice
    let n_passed_over = usize::from(purpose == Purpose::Transfer);
    for (split, rows, name) in splits.into_iter().skip(n_passed_over) {
        note_duplicates(found, split, rows, &extra.store, &format!("{what} that are {name} {noun}s"));
    }
    if let Some(transfer) = transfer {
        let what = format!("{what} that are {}", Purpose::Transfer.describe(noun));
        note_duplicates(found, Source::Train, &transfer.rows, &extra.store, &what);
    }
    append(found, purpose, extra, context)
}

/// Rows of each split inside its own part.
struct Rows {
    train: Vec<u32>,
    /// Training examples whose labels are held back.
    unlabelled: Vec<u32>,
    valid: Vec<u32>,
    test: Vec<u32>,
}

impl Rows {
    fn decide(found: &Found, context: &LoadContext<'_>) -> Self {
        let take = |rows: Vec<u32>, fraction: f64, name: &str| {
            carve(&rows, &found.train.classes, found.labels.len(), fraction, context.seed.derive(name, 0))
        };
        let all = |part: &Part| (0..part.classes.len() as u32).collect::<Vec<u32>>();
        let (train, test) = match &found.test {
            Some(part) => (all(&found.train), all(part)),
            None => {
                let Carved { kept, taken } = take(all(&found.train), CARVED_TEST_FRACTION, "carved test split");
                (kept, taken)
            }
        };
        let (train, valid) = match &found.valid {
            Some(part) => (train, all(part)),
            None => {
                let Carved { kept, taken } = take(train, found.valid_fraction, "carved validation split");
                (kept, taken)
            }
        };
        let Carved { kept: train, taken: unlabelled } = match found.labelled_fraction {
            Some(fraction) => take(train, 1.0 - fraction, "labels held back"),
            None => Carved { kept: train, taken: Vec::new() },
        };
        Self { train, unlabelled, valid, test }
    }

    /// Takes the labels of examples that are to have none.
    fn hold_back(&self, found: &mut Found, fingerprint: &str) -> Option<UnlabelledRows> {
        if self.unlabelled.is_empty() {
            return None;
        }
        self.unlabelled.iter().for_each(|&row| found.train.classes[row as usize] = ClassId::UNKNOWN);
        let mut hasher = blake3::Hasher::new();
        hasher.update(fingerprint.as_bytes());
        self.unlabelled.iter().for_each(|row| {
            hasher.update(&row.to_le_bytes());
        });
        Some(UnlabelledRows {
            rows: self.unlabelled.clone(),
            n_read: 0,
            fingerprint: hasher.finalize().to_hex().to_string(),
        })
    }

    fn check(&self, found: &Found) -> Result<(), DataError> {
        for (rows, split) in [(&self.train, "training"), (&self.valid, "validation"), (&self.test, "test")] {
            if rows.is_empty() {
                let text = format!("no example for the {split} split");
                return Err(DataError::invalid(&found.path, text, "at least one")
                    .hint("a split is carved from classes with at least two examples: add examples"));
            }
        }
        Ok(())
    }

    fn explain(&self, found: &mut Found) {
        let origin = |own: bool, fraction: f64| {
            if own {
                return "the source's own".to_owned();
            }
            format!("carved from the training examples (stratified, seeded, fraction {fraction})")
        };
        let valid = origin(found.valid.is_some(), found.valid_fraction);
        let test = origin(found.test.is_some(), CARVED_TEST_FRACTION);
        found.provenance.push(("validation split".to_owned(), valid));
        found.provenance.push(("test split".to_owned(), test));
        if !self.unlabelled.is_empty() {
            let (n_held_back, n_all) = (self.unlabelled.len(), self.unlabelled.len() + self.train.len());
            let text = format!("of {n_held_back} of {n_all} training examples (stratified, seeded)");
            found.provenance.push(("labels held back".to_owned(), text));
        }
        if let Some(n_duplicates) = self.n_test_duplicates(found).filter(|n_duplicates| *n_duplicates > 0) {
            let noun = found.train.store.modality().noun();
            let text = format!("{n_duplicates} of {} are identical to a training {noun}", self.test.len());
            found.provenance.push((format!("test {noun}s seen in training"), text));
        }
    }

    /// Test examples with the content of a training example, where contents are known.
    fn n_test_duplicates(&self, found: &Found) -> Option<usize> {
        let train = found.train.store.modality().contents(&self.train)?;
        let test = found.part(Source::Test).store.modality().contents(&self.test)?;
        let train: HashSet<&[u8]> = train.into_iter().collect();
        Some(test.into_iter().filter(|content| train.contains(content)).count())
    }

    /// Cuts the wholes of all parts, and makes rows of wholes into rows of the examples that they become.
    fn cut(&mut self, found: &mut Found) -> Result<(), DataError> {
        let mut is_train = vec![false; found.train.classes.len()];
        self.train.iter().chain(&self.unlabelled).for_each(|&row| is_train[row as usize] = true);
        let path = &found.path;
        let Some(of_train) = found.train.cut(&|row| is_train[row], path)? else { return Ok(()) };
        let cut_own = |part: &mut Option<Part>| -> Result<Option<Vec<Range<u32>>>, DataError> {
            part.as_mut().map_or(Ok(None), |part| part.cut(&|_| false, path))
        };
        let of_valid = cut_own(&mut found.valid)?;
        let of_test = cut_own(&mut found.test)?;
        let examples_of = |wholes: &[u32], rows: &[Range<u32>]| -> Vec<u32> {
            wholes.iter().flat_map(|&whole| rows[whole as usize].clone()).collect()
        };
        self.train = examples_of(&self.train, &of_train);
        self.unlabelled = examples_of(&self.unlabelled, &of_train);
        self.valid = examples_of(&self.valid, of_valid.as_ref().unwrap_or(&of_train));
        self.test = examples_of(&self.test, of_test.as_ref().unwrap_or(&of_train));
        Ok(())
    }
}

fn check_sizes(found: &Found) -> Result<(), DataError> {
    if found.labels.len() < 2 {
        let text = format!("{} class(es) in the training examples", found.labels.len());
        return Err(DataError::invalid(&found.path, text, "at least two"));
    }
    match found.parts().find(|part| part.classes.len() > u32::MAX as usize) {
        Some(part) => {
            let text = format!("{} examples in one split", part.classes.len());
            Err(DataError::invalid(&found.path, text, format!("at most {}", u32::MAX)))
        }
        None => Ok(()),
    }
}

/// Hashes all that an example or a label can depend on, each list behind its length.
fn fingerprint(found: &Found, rows: &Rows, context: &LoadContext<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut write = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    write(b"stillhouse data 1");
    write(found.salt.as_bytes());
    write(&(found.labels.len() as u64).to_le_bytes());
    found.labels.iter().for_each(|label| write(label.as_bytes()));
    for part in [Some(&found.train), found.valid.as_ref(), found.test.as_ref()] {
        write(&part.map(hash_part).unwrap_or_default());
    }
    for rows in [&rows.train, &rows.valid, &rows.test] {
        write(&rows.iter().flat_map(|row| row.to_le_bytes()).collect::<Vec<u8>>());
    }
    if let Some(views) = found.train.store.modality().views() {
        write(views.as_bytes());
        write(&context.seed.0.to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn hash_part(part: &Part) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    part.store.modality().hash_into(&mut hasher);
    part.classes.iter().for_each(|class| {
        hasher.update(&class.0.to_le_bytes());
    });
    hasher.finalize().as_bytes().to_vec()
}
