//! The whole method, in the order of the paper (Hinton, Vinyals and Dean 2015, arXiv:1503.02531).
//!
//! data -> generalist -> class clustering -> specialists -> merge -> soft targets -> student -> evaluation

use crate::config::{Baseline, DataFacts, Experiment};
use crate::context::RunContext;
use crate::error::Result;
use crate::memory;
use crate::report::DatasetReport;
use crate::role::Role;
use crate::stages::planning::folder_error;
use crate::stages::{
    Ensemble, Evaluated, Member, Models, Teacher, Tokenizers, Trained, Wanted, Workshop, check_merged,
    check_specialists, cluster_classes, evaluate, make_tokenizers, read_external_teachers, store_soft_targets,
    train_generalist_ensemble, train_generalists, train_specialists, train_students,
};
use std::sync::Arc;
use stillhouse_core::Seed;
use stillhouse_data::{Dataset, SealedTest};
use stillhouse_train::Device;

/// What a run hands on: the student to ship and the numbers to report.
pub(crate) struct Outcome {
    pub student: Trained,
    pub evaluated: Evaluated,
}

/// Runs an experiment on a dataset. Every step is a stage that is read back if it was done before.
pub(crate) fn run_pipeline(
    experiment: &Experiment,
    dataset: Dataset,
    device: Device,
    context: &RunContext<'_>,
) -> Result<Outcome> {
    let summary = summarise(&dataset);
    let (shop, test) = open_workshop(experiment, dataset, device, context)?;
    let config = shop.config;

    // Models of tokens need tokenizers, which are trained on the training split.
    make_tokenizers(&shop)?;

    // The generalist, and which classes it confuses on examples that it did not fit (sec. 5.1, 5.2).
    let generalists = train_generalists(&shop)?;
    let clustered = cluster_classes(&shop, &generalists)?;

    // One specialist for each cluster of confusable classes, side by side (sec. 5.1), and which of them help.
    let specialists = train_specialists(&shop, &generalists, clustered.as_ref())?;
    let specialists = check_specialists(&shop, &generalists, specialists)?;

    // The control: generalists for the same compute.
    let wants = |baseline| config.evaluation.wants(baseline);
    let ensemble_members = match wants(Baseline::GeneralistEnsemble) {
        true => train_generalist_ensemble(&shop, &generalists, clustered.as_ref(), &specialists.specialists)?,
        false => Vec::new(),
    };

    // Their predictions for every example that the student learns from, merged (sec. 5.3, eq. 5) and stored once.
    let generalist = shop.generalist_beside(&generalists, 0);
    let ensemble = Ensemble::new(&shop, &generalists, &specialists)?;
    check_merged(&shop, generalist, &ensemble)?;
    let mut students = vec![Role::Student];
    let mut wanted = vec![Wanted { store: "soft_targets", teacher: Teacher::Merged(&ensemble) }];
    if wants(Baseline::StudentGeneralist) {
        students.push(Role::TwinOnGeneralist);
        wanted.push(Wanted { store: "soft_targets_generalist", teacher: Teacher::Single(generalist) });
    }
    if wants(Baseline::StudentGeneralistEnsemble) && !ensemble_members.is_empty() {
        let members = generalists.iter().chain(&ensemble_members).map(Member::Network).collect();
        students.push(Role::TwinOnPlainEnsemble);
        wanted.push(Wanted { store: "soft_targets_ensemble", teacher: Teacher::Mean(members) });
    }
    let stored = store_soft_targets(&shop, &wanted)?;

    // The step that the paper leaves open (sec. 8): back into one small net. Its twins learn from other targets.
    let merged_targets = stored[0].targets.clone();
    let students = train_students(&shop, students.into_iter().zip(stored).collect())?;

    // The test split is read here, and only here.
    let models = Models {
        generalists: &generalists,
        generalist,
        specialists: &specialists,
        ensemble: &ensemble,
        students: &students,
        ensemble_members: &ensemble_members,
    };
    let evaluated = evaluate(&shop, experiment.name(), summary, clustered.as_ref(), &models, &merged_targets, test)?;
    Ok(Outcome { student: students.student, evaluated })
}

/// Sorts a dataset into what every stage may see and the test split, which only the evaluation may; and reads what
/// external teachers said about it.
pub(crate) fn open_workshop<'a>(
    experiment: &'a Experiment,
    dataset: Dataset,
    device: Device,
    context: &'a RunContext<'a>,
) -> Result<(Workshop<'a>, SealedTest)> {
    let Dataset { labels, input, train, valid, test, transfer, fingerprint, .. } = dataset;
    let config = experiment.config();
    let (seed, augmented) = (Seed(config.seed), config.data.is_augmented());
    let (external, tokenizers) = (Vec::new(), Arc::new(Tokenizers::default()));
    let mut shop = Workshop {
        config,
        context,
        device,
        seed,
        labels,
        input,
        train,
        valid,
        transfer,
        external,
        fingerprint,
        augmented,
        tokenizers,
    };
    shop.external = read_external_teachers(&shop, &test)?;
    // told now, not when the first of them is reached
    check_fit(experiment, &shop)?;
    for needs in memory::needs_of_config(&shop) {
        context.memory().n_workers(&shop, &needs)?;
    }
    Ok((shop, test))
}

/// Refuses a config whose sizes do not fit the data.
fn check_fit(experiment: &Experiment, shop: &Workshop<'_>) -> Result<()> {
    let facts = DataFacts {
        input: Some(&shop.input.shape),
        labels: Some(&shop.labels),
        has_validation: !shop.valid.is_empty(),
    };
    for (_, model) in shop.config.models() {
        model.resolved().map_err(folder_error)?;
    }
    let problems = shop.config.misfits(facts).map_err(|(_, error)| folder_error(*error))?;
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
