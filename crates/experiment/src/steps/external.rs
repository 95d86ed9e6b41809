//! The stage that reads the predictions of external teachers: they are checked row by row once, and kept where any row is
//! found.
//!
//! N examples of a source, C classes, L classes of one teacher.

use crate::config::ExternalTeacherConfig;
use crate::error::{ExperimentError, Result, file_error, store_error};
use crate::external::External;
use crate::external::{ExternalTeacher, Predictions};
use crate::planning::Work;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use stillhouse_core::ExampleView;
use stillhouse_data::{SealedTest, Source};
use stillhouse_ensemble::TeacherScope;
use stillhouse_targets::{Layout, SoftTargets, TargetsInfo, TargetsWriter};

/// Raise this when predictions are read in another way.
const CODE_VERSION: u32 = 8;
const PREDICTIONS: &str = "predictions.safetensors";

/// Reads the predictions of all external teachers, or finds predictions that were read before.
pub(crate) fn read_external_teachers(session: &Session<'_>, test: &SealedTest) -> Result<Vec<External>> {
    let sources: BTreeMap<Source, usize> =
        [session.data.train.source(), session.data.valid.source(), test.source()].into_iter().collect();
    let configs = session.config.external_teachers.iter().enumerate();
    configs.map(|(idx, config)| read_one(session, idx, config, &sources)).collect()
}

fn read_one(
    session: &Session<'_>,
    idx: usize,
    config: &ExternalTeacherConfig,
    sources: &BTreeMap<Source, usize>,
) -> Result<External> {
    let mut predictions = BTreeMap::new();
    let mut stages = Vec::new();
    let mut scope = TeacherScope::Full;
    for (source, n_examples) in sources {
        let file = open(session, config, *source, *n_examples)?;
        scope = file.scope(session.data.n_classes())?;
        let (stage, stored) = store(session, idx, config, *source, file)?;
        stages.push(stage);
        predictions.extend(stored.map(|stored| (*source, stored)));
    }
    let stage = Stage::new("external_teacher", CODE_VERSION, Some(idx), &(stages, config.weight));
    Ok(External { name: config.name.clone(), stage, scope, weight: config.weight, predictions })
}

/// Opens a file and checks that it has a row for every example of its source.
fn open(
    session: &Session<'_>,
    config: &ExternalTeacherConfig,
    source: Source,
    n_examples: usize,
) -> Result<Predictions> {
    let file = Predictions::open(&ExternalTeacher::of_config(config, path_of(config, source)?), Path::new(""))?;
    if file.n_rows() != n_examples {
        let what = match source {
            Source::Train => "training examples, including the ones that become validation or test examples",
            Source::Valid => "validation examples",
            Source::Test => "test examples",
        };
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

fn path_of(config: &ExternalTeacherConfig, source: Source) -> Result<&PathBuf> {
    let (key, path, split) = match source {
        Source::Train => return Ok(&config.train),
        Source::Valid => ("valid", &config.valid, "validation"),
        Source::Test => ("test", &config.test, "test"),
    };
    path.as_ref().ok_or_else(|| {
        let what = format!("external_teacher \"{}\": {key} is missing", config.name);
        ExperimentError::Usage(format!("{what}; the data has a {split} split of its own, with predictions to be named"))
    })
}

/// The predictions as probabilities in a store, none in a plan, and the stage that reads them.
fn store(
    session: &Session<'_>,
    idx: usize,
    config: &ExternalTeacherConfig,
    source: Source,
    mut file: Predictions,
) -> Result<(Stage, Option<SoftTargets>)> {
    let how = (config.space, &config.classes, config.dustbin, config.dustbin_bias);
    let scope = file.scope(session.data.n_classes())?;
    let inputs = (file.fingerprint()?, how, scope.subset(), source as usize, session.data.n_classes());
    let stage = Stage::new("external", CODE_VERSION, Some(idx), &inputs);
    let n_columns = file.n_columns();
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
        let writer = TargetsWriter::create(&path, info, (0..file.n_rows()).map(key).collect()).map_err(wrong)?;
        for chunk_idx in 0..writer.n_chunks() {
            session.context.check_interrupt()?;
            session.context.progress(&config.name, chunk_idx as u64, writer.n_chunks() as u64);
            let rows = file.read(writer.chunk_rows(chunk_idx).len())?;
            let probs: Vec<f32> = rows.into_iter().map(|prob| prob as f32).collect();
            writer.write_chunk(chunk_idx, &probs).map_err(wrong)?;
        }
        writer.finish().map_err(wrong)
    };
    let load = |folder: &Path| {
        let path = folder.join(PREDICTIONS);
        SoftTargets::open(&path).map(Some).map_err(|error| file_error(&path, "predictions", error))
    };
    let targets = run_stage(session.context, &stage, || Ok((Work::Other, None)), produce, load)?;
    Ok((stage, targets))
}
