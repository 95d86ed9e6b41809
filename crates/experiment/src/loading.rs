//! Loads the data of an experiment, fetches what else the config names from the hub, and opens the session in which the
//! pipeline runs.

use crate::config::{DataFacts, Experiment};
use crate::context::RunContext;
use crate::error::Result;
use crate::load_progress::{DATA, LoadProgress};
use crate::networks::memory;
use crate::networks::network::folder_error;
use crate::observer::RunEvent;
use crate::pretrained::fetch_pretrained;
use crate::report::DatasetReport;
use crate::session::Session;
use crate::steps::external::read_external_teachers;
use crate::student_examples::StudentExamples;
use std::sync::Arc;
use std::time::Instant;
use stillhouse_core::Seed;
use stillhouse_data::{Dataset, LoadContext, SealedTest, UnlabelledConfigs};
use stillhouse_train::Device;

/// Loads the data of an experiment, with its progress shown as the stage `data`.
pub(crate) fn load_data(experiment: &Experiment, context: &RunContext<'_>) -> Result<Dataset> {
    let config = experiment.config();
    let start = Instant::now();
    context.event(&RunEvent::StageStarted { stage: DATA.into() });
    let progress = LoadProgress::new(context);
    let memory_limit_bytes = memory_for_examples();
    let seed = Seed(config.seed).derive(DATA, 0);
    let unlabelled = UnlabelledConfigs {
        transfer: config.student.transfer.as_ref(),
        out_of_scope: config.evaluation.out_of_scope.as_ref(),
    };
    let wanted = LoadContext { memory_limit_bytes, ..LoadContext::new(seed, &progress) };
    let dataset = config.data.load_with(&unlabelled, &wanted)?;
    context.note(DATA, dataset.describe());
    context.event(&RunEvent::StageFinished { stage: DATA.into(), elapsed_s: start.elapsed().as_secs_f64() });
    Ok(dataset)
}

/// Loads the data, and fetches from the hub what else the config names.
pub(crate) fn load(experiment: &Experiment, context: &RunContext<'_>) -> Result<(Experiment, Dataset)> {
    let mut dataset = load_data(experiment, context)?;
    let (experiment, commits) = fetch_pretrained(experiment, context)?;
    dataset.provenance.extend(commits);
    for note in experiment.notes() {
        context.warn(DATA, format!("{note}."));
    }
    if let Some(text) = experiment.config().unused_merge() {
        context.warn(DATA, format!("{text}."));
    }
    let Some(config) = experiment.config().without_specialists(dataset.labels.len()) else {
        return Ok((experiment, dataset));
    };
    context.warn(DATA, "The data has two classes, of which there is nothing to cluster: no specialists are trained.");
    Ok((experiment.with_config(config), dataset))
}

/// Separates what every stage may see from the test split, which only the evaluation may, and reads the predictions of
/// external teachers.
pub(crate) fn open_session<'a>(
    experiment: &'a Experiment,
    dataset: Dataset,
    device: Device,
    context: &'a RunContext<'a>,
) -> Result<(Session<'a>, SealedTest)> {
    let (data, test) = dataset.into_training();
    let config = experiment.config();
    let student = StudentExamples::new(&config.student, &data, Seed(config.seed));
    let mut session = Session {
        config,
        data: Arc::new(data),
        student: Arc::new(student),
        external: Arc::new([]),
        context,
        device,
        seed: Seed(config.seed),
        tokenizers: Arc::default(),
    };
    session.external = read_external_teachers(&session, &test)?.into();
    // told now, not when the first of them is reached
    check_fit(experiment, &session)?;
    for needs in memory::needs_of_config(&session) {
        memory::n_workers(&session, &needs)?;
    }
    Ok((session, test))
}

/// Refuses a config whose sizes do not fit the data.
fn check_fit(experiment: &Experiment, session: &Session<'_>) -> Result<()> {
    let facts = DataFacts {
        input: Some(&session.data.input.shape),
        labels: Some(&session.data.labels),
        has_validation: !session.data.valid.is_empty(),
    };
    for (_, model) in session.config.models() {
        model.resolved().map_err(folder_error)?;
    }
    let problems = session.config.misfits(facts).map_err(|(_, error)| folder_error(*error))?;
    if problems.is_empty() { Ok(()) } else { Err(experiment.problems(problems).into()) }
}

/// What a report says of a dataset.
pub(crate) fn summarise(dataset: &Dataset) -> DatasetReport {
    DatasetReport {
        name: dataset.name.clone(),
        n_classes: dataset.labels.len() as u64,
        n_train: dataset.train.len() as u64,
        n_valid: dataset.valid.len() as u64,
        n_test: dataset.test.len() as u64,
        fingerprint: dataset.fingerprint.clone(),
        out_of_scope_fingerprint: dataset.test.out_of_scope_fingerprint().map(str::to_owned),
    }
}

/// Decoded examples stay in memory up to this fraction of what is free; beyond it they are decoded on demand.
const EXAMPLES_SHARE_OF_MEMORY: u64 = 2;

/// Bytes of decoded examples that may stay in memory.
pub(crate) fn memory_for_examples() -> Option<u64> {
    memory::available_bytes().map(|available| available / EXAMPLES_SHARE_OF_MEMORY)
}
