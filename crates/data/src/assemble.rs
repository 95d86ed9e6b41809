//! From what a reader found to a dataset: splits, normalisation, fingerprint.

use crate::augment::{AugmentConfig, TextAugmentConfig};
use crate::carve::{Carved, carve};
use crate::dataset::{Dataset, OutOfScope, SealedTest, Transfer};
use crate::digest::{RowDigest, channel_statistics, deviation};
use crate::readers::table;
use crate::split::{Pool, Reading, Split};
use crate::store::{FeatureStore, Store};
use crate::texts::TextStore;
use crate::windows::{self, WindowsConfig};
use crate::{DataError, LoadContext, UnlabelledConfig};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use stillhouse_core::{ClassId, ExampleId, InputShape, InputSpec, Problem};

/// Part of the training examples that becomes the test split of a source without one.
pub(crate) const CARVED_TEST_FRACTION: f64 = 0.1;
/// Examples of one source are named `source * ID_STRIDE + row`, which JSON's numbers still hold exactly.
const ID_STRIDE: u64 = 1 << 40;

/// One of the sources that a dataset is read from. Splits that are carved from the training examples have no source of
/// their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The training examples.
    Train,
    /// A validation split of its own.
    Valid,
    /// A test split of its own.
    Test,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// Where an example stands: its source and its row there.
    pub fn of(example: ExampleId) -> (Self, usize) {
        let source = Self::ALL[(example.0 / ID_STRIDE) as usize];
        (source, (example.0 % ID_STRIDE) as usize)
    }

    /// The example in a row of this source.
    pub fn example(self, row: usize) -> ExampleId {
        ExampleId(self.first_id() + row as u64)
    }

    fn first_id(self) -> u64 {
        self as u64 * ID_STRIDE
    }
}

/// Examples of one source with all that is needed to hash and normalise them.
pub(crate) struct Part {
    pub(crate) store: Store,
    pub(crate) classes: Vec<ClassId>,
    /// Of the first rows; of all rows unless the images are drawn. Empty for features and texts.
    pub(crate) digests: Vec<RowDigest>,
}

/// What a reader found.
pub(crate) struct Found {
    pub(crate) name: String,
    /// The file or folder that messages name.
    pub(crate) path: PathBuf,
    pub(crate) labels: Vec<String>,
    pub(crate) train: Part,
    pub(crate) valid: Option<Part>,
    pub(crate) test: Option<Part>,
    pub(crate) provenance: Vec<(String, String)>,
    /// What changes examples without showing in the digests.
    pub(crate) salt: String,
    /// How texts are cut into examples, once they are split.
    pub(crate) windows: Option<WindowsConfig>,
}

impl Found {
    /// The part that a split's examples lie in: that of the training examples for one that is carved from them.
    fn part(&self, split: Source) -> &Part {
        match split {
            Source::Train => None,
            Source::Valid => self.valid.as_ref(),
            Source::Test => self.test.as_ref(),
        }
        .unwrap_or(&self.train)
    }

    fn part_mut(&mut self, split: Source) -> &mut Part {
        match split {
            Source::Train => None,
            Source::Valid => self.valid.as_mut(),
            Source::Test => self.test.as_mut(),
        }
        .unwrap_or(&mut self.train)
    }
}

/// What makes the views of training examples.
#[derive(Clone, Debug)]
pub(crate) enum Views {
    Images(AugmentConfig),
    Texts(TextAugmentConfig),
}

impl Views {
    /// Whether every view of an example is the example itself.
    pub(crate) fn is_none(&self) -> bool {
        match self {
            Self::Images(augment) => augment.is_none(),
            Self::Texts(augment) => augment.is_none(),
        }
    }
}

/// Splits, measures and hashes what was found.
pub(crate) fn assemble(
    mut found: Found,
    valid_fraction: f64,
    views: Views,
    context: &LoadContext,
) -> Result<Dataset, DataError> {
    check_sizes(&found)?;
    let mut rows = Rows::decide(&found, valid_fraction, context);
    rows.check(&found)?;
    rows.explain(&mut found, valid_fraction);
    if let Some(config) = &found.windows.clone() {
        let Found { train, valid, test, path, .. } = &mut found;
        windows::cut(config, windows::Parts { train, valid: valid.as_mut(), test: test.as_mut() }, &mut rows, path)?;
    }
    let input = measure(&found.train, &rows.train);
    let fingerprint = fingerprint(&found, &rows, &views, context);
    let transfer = append_transfer(&mut found, &rows, context)?;
    let out_of_scope = append_out_of_scope(&mut found, &rows, transfer.as_ref(), context)?;
    let n_classes = found.labels.len();
    let reading = Arc::new(Reading { input: input.clone(), views, seed: context.seed });
    let pool = |part: Part, source: Source| {
        Arc::new(Pool { store: part.store, classes: part.classes, first_id: source.first_id() })
    };
    let train = pool(found.train, Source::Train);
    let transfer = transfer.map(|Unlabelled { rows: unlabelled, fingerprint }| Transfer {
        n_unlabelled: unlabelled.len(),
        split: Split::new(train.clone(), reading.clone(), &[&rows.train[..], &unlabelled].concat(), n_classes),
        fingerprint,
    });
    let valid = found.valid.map_or_else(|| train.clone(), |part| pool(part, Source::Valid));
    let test = found.test.map_or_else(|| train.clone(), |part| pool(part, Source::Test));
    let out_of_scope = out_of_scope.map(|Unlabelled { rows, fingerprint }| OutOfScope {
        split: Split::new(test.clone(), reading.clone(), &rows, n_classes),
        fingerprint,
    });
    Ok(Dataset {
        name: found.name,
        labels: found.labels,
        input,
        valid: Split::new(valid, reading.clone(), &rows.valid, n_classes),
        test: SealedTest::new(Split::new(test, reading.clone(), &rows.test, n_classes), out_of_scope),
        train: Split::new(train, reading, &rows.train, n_classes),
        transfer,
        fingerprint,
        provenance: found.provenance,
    })
}

/// Rows without a label, which follow the others of their part.
struct Unlabelled {
    rows: Vec<u32>,
    fingerprint: String,
}

/// Puts the texts for a transfer behind the training texts.
fn append_transfer(found: &mut Found, rows: &Rows, context: &LoadContext) -> Result<Option<Unlabelled>, DataError> {
    let Some(config) = context.transfer else { return Ok(None) };
    let texts = read_unlabelled(found, "transfer", "texts without labels", config, context)?;
    for (split, rows, name) in [(Source::Valid, &rows.valid, "validation"), (Source::Test, &rows.test, "test")] {
        explain_twins(found, split, rows, &texts, &format!("texts without labels that are {name} texts"));
    }
    append(found, Source::Train, texts, config).map(Some)
}

/// Puts the texts of no class behind the test texts.
fn append_out_of_scope(
    found: &mut Found,
    rows: &Rows,
    transfer: Option<&Unlabelled>,
    context: &LoadContext,
) -> Result<Option<Unlabelled>, DataError> {
    let Some(config) = context.out_of_scope else { return Ok(None) };
    let texts = read_unlabelled(found, "out of scope", "texts of no class", config, context)?;
    let splits = [(Source::Train, &rows.train), (Source::Valid, &rows.valid), (Source::Test, &rows.test)];
    for ((split, rows), name) in splits.into_iter().zip(["training", "validation", "test"]) {
        explain_twins(found, split, rows, &texts, &format!("texts of no class that are {name} texts"));
    }
    if let Some(transfer) = transfer {
        explain_twins(found, Source::Train, &transfer.rows, &texts, "texts of no class that are texts without labels");
    }
    append(found, Source::Test, texts, config).map(Some)
}

/// Reads whole texts and notes where they come from.
fn read_unlabelled(
    found: &mut Found,
    split: &str,
    what: &str,
    config: &UnlabelledConfig,
    context: &LoadContext,
) -> Result<TextStore, DataError> {
    if !matches!(found.train.store, Store::Texts(_)) {
        let problem = format!("only data of texts can have {what} beside them");
        return Err(DataError::Config(vec![Problem::new("", problem)]));
    }
    let (texts, changes) = config.read(found.windows.as_ref(), context)?;
    found.provenance.push((what.to_owned(), format!("{} of {}", texts.n_texts(), config.path.display())));
    table::explain(split, changes, &mut found.provenance);
    Ok(texts)
}

/// Notes how many of the `texts` are texts of these rows of a split's part.
fn explain_twins(found: &mut Found, split: Source, rows: &[u32], texts: &TextStore, what: &str) {
    let Store::Texts(of_split) = &found.part(split).store else { return };
    let of_split: HashSet<&str> = rows.iter().map(|&row| of_split.text(of_split.text_of(row as usize))).collect();
    let n_twins = (0..texts.n_texts()).filter(|&text| of_split.contains(texts.text(text))).count();
    if n_twins > 0 {
        found.provenance.push((what.to_owned(), n_twins.to_string()));
    }
}

/// Puts texts behind those of the part that a split comes from, so that they change no other example.
fn append(
    found: &mut Found,
    split: Source,
    texts: TextStore,
    config: &UnlabelledConfig,
) -> Result<Unlabelled, DataError> {
    let texts = match &found.windows {
        Some(windows) if split == Source::Train => windows::cut_all(windows, windows.train_stride, texts),
        Some(windows) => windows::cut_all(windows, windows.test_stride(), texts),
        None => texts,
    };
    let mut hasher = blake3::Hasher::new();
    texts.hash_into(&mut hasher);
    let part = found.part_mut(split);
    let Store::Texts(store) = &mut part.store else {
        unreachable!("a dataset has texts in all of its parts or in none")
    };
    let (n_before, n_all) = (store.len(), store.len() + texts.len());
    if n_all > u32::MAX as usize {
        let text = format!("{n_all} examples with those that have no label");
        return Err(DataError::invalid(&config.path, text, format!("at most {}", u32::MAX)));
    }
    store.append(texts);
    part.classes.reserve_exact(n_all - n_before);
    part.classes.resize(n_all, ClassId::UNKNOWN);
    let rows = (n_before as u32..n_all as u32).collect();
    Ok(Unlabelled { rows, fingerprint: hasher.finalize().to_hex().to_string() })
}

/// Rows of each split inside its own part.
pub(crate) struct Rows {
    pub(crate) train: Vec<u32>,
    pub(crate) valid: Vec<u32>,
    pub(crate) test: Vec<u32>,
}

impl Rows {
    fn decide(found: &Found, valid_fraction: f64, context: &LoadContext) -> Self {
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
                let Carved { kept, taken } = take(train, valid_fraction, "carved validation split");
                (kept, taken)
            }
        };
        Self { train, valid, test }
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

    fn explain(&self, found: &mut Found, valid_fraction: f64) {
        let origin = |own: bool, fraction: f64| match own {
            true => "the source's own".to_owned(),
            false => format!("carved from the training examples (stratified, seeded, fraction {fraction})"),
        };
        let valid = origin(found.valid.is_some(), valid_fraction);
        let test = origin(found.test.is_some(), CARVED_TEST_FRACTION);
        found.provenance.push(("validation split".to_owned(), valid));
        found.provenance.push(("test split".to_owned(), test));
        if let Some(n_twins) = self.n_test_twins(found).filter(|n_twins| *n_twins > 0) {
            let noun = if matches!(found.train.store, Store::Texts(_)) { "text" } else { "image" };
            let text = format!("{n_twins} of {} are identical to a training {noun}", self.test.len());
            found.provenance.push((format!("test {noun}s seen in training"), text));
        }
    }

    /// Test examples with the content of a training example: texts, and images where all have been hashed.
    fn n_test_twins(&self, found: &Found) -> Option<usize> {
        let test = found.test.as_ref().unwrap_or(&found.train);
        if let (Store::Texts(train), Store::Texts(test)) = (&found.train.store, &test.store) {
            let seen: HashSet<&str> = self.train.iter().map(|&row| train.text(row as usize)).collect();
            return Some(self.test.iter().filter(|&&row| seen.contains(test.text(row as usize))).count());
        }
        if found.train.digests.len() < found.train.classes.len() || test.digests.len() < test.classes.len() {
            return None;
        }
        let hash = |part: &Part, row: u32| part.digests[row as usize].hash;
        let train: HashSet<_> = self.train.iter().map(|&row| hash(&found.train, row)).collect();
        Some(self.test.iter().filter(|&&row| train.contains(&hash(test, row))).count())
    }
}

fn check_sizes(found: &Found) -> Result<(), DataError> {
    if found.labels.len() < 2 {
        let text = format!("{} class(es) in the training examples", found.labels.len());
        return Err(DataError::invalid(&found.path, text, "at least two"));
    }
    let parts = [Some(&found.train), found.valid.as_ref(), found.test.as_ref()];
    match parts.into_iter().flatten().find(|part| part.classes.len() > u32::MAX as usize) {
        Some(part) => {
            let text = format!("{} examples in one split", part.classes.len());
            Err(DataError::invalid(&found.path, text, format!("at most {}", u32::MAX)))
        }
        None => Ok(()),
    }
}

/// Shape and normalisation, from the training rows.
fn measure(train: &Part, rows: &[u32]) -> InputSpec {
    match &train.store {
        Store::Images(images) => {
            let target = images.target;
            let digests = rows.iter().filter_map(|&row| train.digests.get(row as usize));
            let (mean, std) = channel_statistics(digests, target.channels);
            let shape = InputShape::Image { channels: target.channels, height: target.height, width: target.width };
            InputSpec { shape, mean, std }
        }
        Store::Features(features) => measure_features(features, rows),
        Store::Texts(_) => InputSpec { shape: InputShape::Text {}, mean: Vec::new(), std: Vec::new() },
    }
}

/// Two passes in `f64`, in row order.
fn measure_features(features: &FeatureStore, rows: &[u32]) -> InputSpec {
    let n_features = features.n_features;
    let n_rows = rows.len() as f64;
    let mut mean = vec![0.0f64; n_features];
    for &row in rows {
        mean.iter_mut().zip(features.row(row as usize)).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    mean.iter_mut().for_each(|sum| *sum /= n_rows);
    let mut variance = vec![0.0f64; n_features];
    for &row in rows {
        for ((sum, mean), &value) in variance.iter_mut().zip(&mean).zip(features.row(row as usize)) {
            *sum += (f64::from(value) - mean).powi(2);
        }
    }
    InputSpec {
        shape: InputShape::Features { n_features },
        mean: mean.iter().map(|&mean| mean as f32).collect(),
        std: variance.iter().map(|sum| deviation((sum / n_rows).sqrt()) as f32).collect(),
    }
}

/// Hashes all that an example or a label can depend on, each list behind its length.
fn fingerprint(found: &Found, rows: &Rows, views: &Views, context: &LoadContext) -> String {
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
    if !views.is_none() {
        let described = match views {
            Views::Images(augment) => format!("{augment:?}"),
            Views::Texts(augment) => format!("{augment:?}"),
        };
        write(described.as_bytes());
        write(&context.seed.0.to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

fn hash_part(part: &Part) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    match &part.store {
        Store::Images(images) => {
            hasher.update(format!("{:?}", images.target).as_bytes());
            part.digests.iter().for_each(|digest| {
                hasher.update(&digest.hash);
            });
        }
        Store::Features(features) => {
            hasher.update(&(features.n_features as u64).to_le_bytes());
            for row in features.values.chunks_exact(features.n_features) {
                hasher.update(&row.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
            }
        }
        Store::Texts(texts) => texts.hash_into(&mut hasher),
    }
    part.classes.iter().for_each(|class| {
        hasher.update(&class.0.to_le_bytes());
    });
    hasher.finalize().as_bytes().to_vec()
}
