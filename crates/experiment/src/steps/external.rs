//! The stage that reads the predictions of external teachers: they are checked row by row once, and kept where any row is
//! found. Before anything is trained, they are held against the labels (`external/fit.rs`).
//!
//! N examples of a source, C classes, L classes of one teacher.

use crate::config::ExternalTeacherConfig;
use crate::error::{ExperimentError, Result, store_error, unusable_store};
use crate::external::{Answers, External, ExternalTeacher, Misfit, MisfitKind, Order, Predictions, Told};
use crate::files::{read_json, write_json};
use crate::planning::Work;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stillhouse_core::{ExampleView, Temperature};
use stillhouse_data::{SealedTest, Source};
use stillhouse_ensemble::TeacherScope;
use stillhouse_targets::{Layout, SoftTargets, TargetsInfo, TargetsWriter};

/// Raise this when predictions are read in another way.
const CODE_VERSION: u32 = 8;
const PREDICTIONS: &str = "predictions.safetensors";
/// What was noted while they were read; stages of earlier versions lack it.
const TOLD: &str = "told.json";
/// The stage that notes on external teachers are of.
const EXTERNAL: &str = "external";
/// Rows whose predictions are in memory at once.
const ROWS_AT_ONCE: usize = 4096;
/// Columns that a note lists.
const MAX_LISTED: usize = 6;

/// Reads the predictions of all external teachers, or finds predictions that were read before.
pub(crate) fn read_external_teachers(session: &Session<'_>, test: &SealedTest) -> Result<Vec<External>> {
    let own = [session.data.train.source(), session.data.valid.source(), test.source()];
    let mut sources: BTreeMap<Source, Vec<(Rows, usize)>> =
        own.into_iter().map(|(source, n_examples)| (source, vec![(Rows::Own(source), n_examples)])).collect();
    // in the order in which they were put behind the examples of their source
    let n_transfer = session.data.transfer.as_ref().map_or(0, |transfer| transfer.n_read);
    let further =
        [(Source::Train, Rows::Transfer, n_transfer), (test.source().0, Rows::OutOfScope, test.n_out_of_scope_read())];
    for (source, rows, n_examples) in further.into_iter().filter(|(.., n_examples)| *n_examples > 0) {
        sources.entry(source).or_default().push((rows, n_examples));
    }
    let configs = session.config.external_teachers.iter().enumerate();
    configs.map(|(idx, config)| read_one(session, idx, config, &sources)).collect()
}

/// Rows of a source whose predictions are in one file.
#[derive(Clone, Copy)]
enum Rows {
    /// The source's own examples.
    Own(Source),
    /// Those of `[student.transfer]`.
    Transfer,
    /// Those of `evaluation.out_of_scope`.
    OutOfScope,
}

impl Rows {
    /// What messages call the examples.
    fn describe(self) -> &'static str {
        match self {
            Self::Own(Source::Train) => "training examples, including the ones that become validation or test examples",
            Self::Own(Source::Valid) => "validation examples",
            Self::Own(Source::Test) => "test examples",
            Self::Transfer => "examples without labels of [student.transfer]",
            Self::OutOfScope => "examples of no class of evaluation.out_of_scope",
        }
    }
}

fn read_one(
    session: &Session<'_>,
    idx: usize,
    config: &ExternalTeacherConfig,
    sources: &BTreeMap<Source, Vec<(Rows, usize)>>,
) -> Result<External> {
    let mut predictions = BTreeMap::new();
    let mut stages = Vec::new();
    let mut scope = TeacherScope::Full;
    let mut is_doubted = false;
    for (source, parts) in sources {
        let files = parts.iter().map(|(rows, n_examples)| open(session, config, *rows, *n_examples));
        let files = files.collect::<Result<Vec<_>>>()?;
        scope = files[0].scope(session.data.n_classes())?;
        let path = files[0].path().to_owned();
        let (stage, stored) = store(session, idx, config, *source, files)?;
        stages.push(stage);
        let Some((stored, mut told)) = stored else { continue };
        told.doubts.extend(misfit(session, &scope, *source, (&stored, parts[0].1))?);
        is_doubted |= !told.doubts.is_empty();
        for text in told.doubts.into_iter().chain(told.notes) {
            let text = format!("external teacher \"{}\": {}: {text}.", config.name, path.display());
            session.context.warn(EXTERNAL, text);
        }
        predictions.insert(*source, stored);
    }
    let stage = Stage::new("external_teacher", CODE_VERSION, Some(idx), &(stages, config.weight));
    Ok(External { name: config.name.clone(), stage, scope, weight: config.weight, predictions, is_doubted })
}

/// How predictions do not fit the labels of the training and validation examples among a source's rows; nothing where they do. The
/// test split's labels stay sealed.
fn misfit(
    session: &Session<'_>,
    scope: &TeacherScope,
    source: Source,
    (predictions, n_rows): (&SoftTargets, usize),
) -> Result<Option<String>> {
    let data = &session.data;
    let members: Vec<u32> = match scope.subset() {
        Some(subset) => subset.members().iter().map(|class| class.0).collect(),
        None => (0..data.n_classes() as u32).collect(),
    };
    let mut labels = vec![None; n_rows];
    for split in [&data.train, &data.valid] {
        for row in 0..split.len() {
            let (of, place) = Source::of(split.example_id(row));
            if of == source {
                labels[place] = members.binary_search(&split.label(row).0).ok().map(|class| class as u32);
            }
        }
    }
    if labels.iter().all(Option::is_none) {
        return Ok(None);
    }
    let (mut said, mut confidence, mut n_known) = (Vec::with_capacity(n_rows), 0.0, 0);
    for first in (0..n_rows).step_by(ROWS_AT_ONCE) {
        session.context.check_interrupt()?;
        let rows = first..n_rows.min(first + ROWS_AT_ONCE);
        let keys: Vec<ExampleView> =
            rows.clone().map(|row| ExampleView { example: source.example(row), view: None }).collect();
        let probs = predictions.dense_batch(&keys, Temperature::ONE);
        let probs = probs.map_err(|error| unusable_store(&error))?;
        for (row, probs) in rows.zip(probs.chunks_exact(predictions.n_classes())) {
            let own = &probs[..members.len()];
            let best = (0..own.len()).fold(0, |best, class| if own[class] > own[best] { class } else { best });
            said.push(best as u32);
            if labels[row].is_some() {
                confidence += f64::from(own[best]) / f64::from(own.iter().sum::<f32>()).max(f64::MIN_POSITIVE);
                n_known += 1;
            }
        }
    }
    let misfit = Answers { labels, said, n_classes: members.len() }.misfit();
    let name = |class: u32| &data.labels[members[class as usize] as usize][..];
    Ok(misfit.map(|misfit| misfit_text(&misfit, confidence / f64::from(n_known), &name)))
}

fn misfit_text<'a>(misfit: &Misfit, confidence: f64, name: &dyn Fn(u32) -> &'a str) -> String {
    let Misfit { n_rows, n_right, kind } = misfit;
    let agree = format!("its predictions agree with {n_right} of {n_rows} known labels");
    match kind {
        MisfitKind::Chance { n_expected } => {
            let chance = format!("{agree}, no better than chance ({n_expected:.0} for shuffled rows)");
            let is_sure = confidence * (*n_rows as f64) > *n_right as f64 + 3.0 * (*n_rows as f64).sqrt();
            match is_sure {
                true => format!(
                    "{chance}, although they are given a mean probability of {confidence:.2}: its rows are hardly in the order \
                     of the examples"
                ),
                false => format!(
                    "{chance}: its rows are in another order than the examples, or it has learned nothing of them"
                ),
            }
        }
        MisfitKind::Rows { order, n_right } => {
            let how = match order {
                Order::Backwards => "read from the last row to the first".to_owned(),
                Order::Moved(n) => {
                    let rows = if n.unsigned_abs() == 1 { "row" } else { "rows" };
                    let to = if *n > 0 { "down" } else { "up" };
                    format!("with every example's row looked up {} {rows} further {to}", n.unsigned_abs())
                }
            };
            format!(
                "{agree}, no better than shuffled rows, and {how} with {n_right}: its rows are in another order than \
                 the examples"
            )
        }
        MisfitKind::Columns { moved, n_right } => {
            let one = |(class, column): &(u32, u32)| format!("\"{}\" in that of \"{}\"", name(*class), name(*column));
            let listed: Vec<String> = moved.iter().take(MAX_LISTED).map(one).collect();
            let more = if moved.len() > MAX_LISTED { ", ..." } else { "" };
            format!(
                "{agree}, and with {n_right} if columns and classes are matched one to one (sign test on the half of the \
                 rows that they were not matched on): its columns are in another order than the classes; class {}{more}",
                listed.join(", ")
            )
        }
    }
}

/// Opens a file and checks that it has a row for every example.
fn open(session: &Session<'_>, config: &ExternalTeacherConfig, rows: Rows, n_examples: usize) -> Result<Predictions> {
    let file = Predictions::open(&ExternalTeacher::of_config(config, path_of(config, rows)?), Path::new(""))?;
    if file.n_rows() != n_examples {
        let what = rows.describe();
        return Err(
            file.error(&format!("found {} rows, expected {n_examples}, one for each of the {what}", file.n_rows()))
        );
    }
    let (n_classes, is_all) = file.n_classes();
    match is_all && n_classes != session.data.n_classes() {
        true => Err(file
            .error(&format!("found {n_classes} columns, expected {}, one for each class", session.data.n_classes()))),
        false => Ok(file),
    }
}

fn path_of(config: &ExternalTeacherConfig, rows: Rows) -> Result<&PathBuf> {
    let (key, path, why) = match rows {
        Rows::Own(Source::Train) => return Ok(&config.train),
        Rows::Own(Source::Valid) => ("valid", &config.valid, "the data has a validation split of its own"),
        Rows::Own(Source::Test) => ("test", &config.test, "the data has a test split of its own"),
        Rows::Transfer => ("transfer", &config.transfer, "[student.transfer] has examples without labels"),
        Rows::OutOfScope => ("out_of_scope", &config.out_of_scope, "evaluation.out_of_scope has examples of no class"),
    };
    path.as_ref().ok_or_else(|| {
        let what = format!("external_teacher \"{}\": {key} is missing", config.name);
        ExperimentError::Usage(format!("{what}; {why}, with predictions to be named"))
    })
}

/// The predictions of some files, one after the other, as probabilities in a store, none in a plan, and the stage that reads
/// them.
fn store(
    session: &Session<'_>,
    idx: usize,
    config: &ExternalTeacherConfig,
    source: Source,
    mut files: Vec<Predictions>,
) -> Result<(Stage, Option<(SoftTargets, Told)>)> {
    let how = (config.space, &config.classes, config.dustbin, config.dustbin_bias);
    let scope = files[0].scope(session.data.n_classes())?;
    let fingerprints = files.iter().map(Predictions::fingerprint).collect::<Result<Vec<_>>>()?.join(" ");
    // keys of teachers without a named tensor are those of earlier versions
    let fingerprint = config.tensor.iter().fold(fingerprints, |hash, tensor| format!("{hash} {tensor}"));
    let inputs = (fingerprint, how, scope.subset(), source as usize, session.data.n_classes());
    let stage = Stage::new("external", CODE_VERSION, Some(idx), &inputs);
    let n_columns = files[0].n_columns();
    let n_rows: usize = files.iter().map(Predictions::n_rows).sum();
    let produce = |folder: &Path| {
        let path = folder.join(PREDICTIONS);
        let wrong = |error| store_error(&path, &error);
        let info = TargetsInfo {
            layout: Layout::Dense {},
            dataset: session.data.fingerprint.clone(),
            teachers: Vec::new(),
            transform: "none".into(),
            labels: (0..n_columns).map(|column| format!("output {column}")).collect(),
        };
        let key = |row: usize| ExampleView { example: source.example(row), view: None };
        let writer = TargetsWriter::create(&path, info, (0..n_rows).map(key).collect()).map_err(wrong)?;
        for chunk_idx in 0..writer.n_chunks() {
            session.context.check_interrupt()?;
            session.context.progress(&config.name, chunk_idx as u64, writer.n_chunks() as u64);
            let probs = read_rows(&mut files, writer.chunk_rows(chunk_idx).len())?;
            writer.write_chunk(chunk_idx, &probs).map_err(wrong)?;
        }
        writer.finish().map_err(wrong)?;
        let mut told = Told::default();
        for (nth, file) in files.iter().enumerate() {
            // messages name the first file
            let named = |text: String| if nth == 0 { text } else { format!("{}: {text}", file.path().display()) };
            let of_file = file.told();
            told.doubts.extend(of_file.doubts.into_iter().map(named));
            told.notes.extend(of_file.notes.into_iter().map(named));
        }
        write_json(&folder.join(TOLD), &told)
    };
    let load = |folder: &Path| {
        let path = folder.join(PREDICTIONS);
        let stored = SoftTargets::open(&path).map_err(|error| unusable_store(&error))?;
        let path = folder.join(TOLD);
        let told = if path.is_file() { read_json(&path)? } else { Told::default() };
        Ok(Some((stored, told)))
    };
    let targets = run_stage(session.context, &stage, || Ok((Work::Other, None)), produce, load)?;
    Ok((stage, targets))
}

/// The next rows of several files, one after the other.
fn read_rows(files: &mut [Predictions], n_rows: usize) -> Result<Vec<f32>> {
    let (mut probs, mut n_left) = (Vec::new(), n_rows);
    for file in files {
        let n_of_file = n_left.min(file.n_rows() - file.n_read());
        probs.extend(file.read(n_of_file)?.into_iter().map(|prob| prob as f32));
        n_left -= n_of_file;
    }
    Ok(probs)
}
