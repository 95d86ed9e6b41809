//! The whole method, in the order of the paper (Hinton, Vinyals and Dean 2015, arXiv:1503.02531).
//!
//! data -> generalist -> class clustering -> specialists -> merge -> soft targets -> student -> evaluation

use crate::config::{Baseline, DataFacts, Experiment};
use crate::context::RunContext;
use crate::error::Result;
use crate::memory;
use crate::report::DatasetReport;
use crate::role::Role;
use crate::stages::{
    CheckedSpecialists, Clustered, Ensemble, Evaluated, Member, Models, Session, Teacher, Trained, Wanted,
    check_merged, check_specialists, cluster_classes, evaluate, folder_error, make_tokenizers, read_external_teachers,
    store_soft_targets, train_generalist_ensemble, train_generalists, train_specialists, train_students,
};
use std::sync::Arc;
use stillhouse_core::Seed;
use stillhouse_data::{Dataset, SealedTest};
use stillhouse_train::Device;

/// The student to ship and the numbers to report.
pub(crate) struct Outcome {
    pub student: Trained,
    /// None in a plan.
    pub evaluated: Option<Evaluated>,
}

/// Runs an experiment on loaded data. Every step is a stage that is read back if it was done before. This list is the only
/// one: `plan` walks it with a context that records the stages, `targets verify` with one that only reads them.
pub(crate) fn run_pipeline(
    session: &Session<'_>,
    run_name: &str,
    dataset: DatasetReport,
    test: SealedTest,
) -> Result<Outcome> {
    // Networks of tokens need tokenizers, which are trained on the training split.
    make_tokenizers(session)?;

    // Generalists, specialists and the control.
    let teachers = train_teachers(session)?;

    // Their predictions for every example that the student learns from, merged (sec. 5.3, eq. 5) and stored once.
    let ensemble = Ensemble::new(session, &teachers.generalists, &teachers.specialists)?;
    check_merged(session, teachers.generalist(session), &ensemble)?;
    let wanted = teachers.of_students(session, &ensemble);
    let stored = store_soft_targets(session, &wanted)?;

    // The step that the paper leaves open (sec. 8): back into one small net. Its twins learn from other targets.
    let merged_targets = stored[0].clone();
    let roles = wanted.iter().map(|wanted| wanted.student);
    let students = train_students(session, roles.zip(stored).collect())?;

    // The test split is read here, and only here.
    let models = Models { teachers: &teachers, ensemble: &ensemble, students: &students };
    let evaluated = evaluate(session, run_name, dataset, &models, &merged_targets, test)?;
    Ok(Outcome { student: students.student, evaluated })
}

/// Everything that is trained before the student.
pub(crate) struct Teachers {
    pub generalists: Vec<Trained>,
    pub clustered: Option<Clustered>,
    pub specialists: CheckedSpecialists,
    /// Members of the plain ensemble beside the generalists; empty without that baseline.
    pub ensemble_members: Vec<Trained>,
}

/// Trains the teachers.
pub(crate) fn train_teachers(session: &Session<'_>) -> Result<Teachers> {
    // The generalist, and which classes it confuses on examples that it did not fit (sec. 5.1, 5.2).
    let generalists = train_generalists(session)?;
    let clustered = cluster_classes(session, &generalists)?;

    // One specialist for each cluster of confusable classes, side by side (sec. 5.1), and which of them help.
    let specialists = train_specialists(session, &generalists, clustered.as_ref())?;
    let specialists = check_specialists(session, &generalists, specialists)?;

    // The control: generalists for the same compute.
    let ensemble_members = match session.config.evaluation.wants(Baseline::GeneralistEnsemble) {
        true => train_generalist_ensemble(session, &generalists, clustered.as_ref(), &specialists.specialists)?,
        false => Vec::new(),
    };
    Ok(Teachers { generalists, clustered, specialists, ensemble_members })
}

impl Teachers {
    /// The first generalist; without one, the first external teacher that knows every class.
    pub fn generalist<'a>(&'a self, session: &'a Session<'_>) -> Member<'a> {
        session.generalist_for(&self.generalists, 0)
    }

    /// The plain ensemble that costs as much as the merged one, if it was asked for.
    pub fn plain_ensemble(&self) -> Option<Teacher<'_>> {
        let members = || self.generalists.iter().chain(&self.ensemble_members);
        (members().count() > 1).then(|| Teacher::Mean(members().map(Member::Network).collect()))
    }

    /// The students on soft targets, each with its teacher: the student to ship first, then its twins.
    pub fn of_students<'a>(&'a self, session: &'a Session<'_>, ensemble: &'a Ensemble<'a>) -> Vec<Wanted<'a>> {
        let wants = |baseline| session.config.evaluation.wants(baseline);
        let mut wanted = vec![Wanted { student: Role::Student, teacher: Teacher::Merged(ensemble) }];
        if wants(Baseline::StudentGeneralist) {
            let teacher = Teacher::Single(self.generalist(session));
            wanted.push(Wanted { student: Role::TwinOnGeneralist, teacher });
        }
        if wants(Baseline::StudentGeneralistEnsemble) && !self.ensemble_members.is_empty() {
            let teacher = self.plain_ensemble().expect("a generalist and these members");
            wanted.push(Wanted { student: Role::TwinOnPlainEnsemble, teacher });
        }
        wanted
    }
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
    let mut session = Session {
        config,
        data: Arc::new(data),
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
        context.memory().n_workers(&session, &needs)?;
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
