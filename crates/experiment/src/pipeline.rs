//! The whole method, in the order of the paper (Hinton, Vinyals and Dean 2015, arXiv:1503.02531).
//!
//! data -> generalist -> class clustering -> specialists -> merge -> soft targets -> student -> evaluation

use crate::config::Baseline;
use crate::error::Result;
use crate::networks::artifacts::Trained;
use crate::networks::teachers::Teachers;
use crate::report::DatasetReport;
use crate::session::Session;
use crate::steps::calibration::{Temperatures, calibrate_students};
use crate::steps::clustering::cluster_classes;
use crate::steps::evaluation::{Evaluated, Models, evaluate};
use crate::steps::generalist::{train_generalist_ensemble, train_generalists};
use crate::steps::merged::check_merged;
use crate::steps::ship::{Ship, ship_student};
use crate::steps::soft_targets::store_soft_targets;
use crate::steps::specialists::train_specialists;
use crate::steps::student::train_students;
use crate::steps::tokenizers::make_tokenizers;
use crate::steps::validation::check_specialists;
use stillhouse_data::SealedTest;

/// The student, what ships of it, and the numbers to report.
pub(crate) struct Outcome {
    pub student: Trained,
    /// None without `[ship]`.
    pub ship: Option<Ship>,
    pub temperatures: Temperatures,
    /// None in a plan.
    pub evaluated: Option<Evaluated>,
}

/// What the evaluation needs.
pub(crate) struct TestData<'a> {
    pub run_name: &'a str,
    pub dataset: DatasetReport,
    pub test: SealedTest,
}

/// Runs an experiment on loaded data. Every step makes stages, which are read back if they were done before. This is the
/// only list of the steps: `plan` walks it with a context that records the stages, and `targets verify` walks
/// [`train_teachers`] with one that only reads them. Without the test data, it ends before the evaluation.
pub(crate) fn run_pipeline(session: &Session<'_>, test_data: Option<TestData<'_>>) -> Result<Outcome> {
    // Networks of tokens need tokenizers, which are trained on the training split.
    make_tokenizers(session)?;

    // Generalists, specialists and the control.
    let teachers = train_teachers(session)?;

    // Their predictions for every example that the student learns from, merged (sec. 5.4, eq. 5) as they are
    // stored. A single teacher is taken as it is.
    let ensemble = teachers.ensemble(session)?;
    check_merged(session, teachers.generalist(session), ensemble.as_ref())?;
    let wanted = teachers.of_students(session, ensemble.as_ref());
    let stored = store_soft_targets(session, &wanted)?;

    // The step that the paper leaves open (sec. 8): back into one small net. Its twins learn from other targets.
    let students_targets = stored[0].clone();
    let roles = wanted.iter().map(|wanted| wanted.student);
    let students = train_students(session, roles.zip(stored).collect())?;

    // The same student in few bytes, within the limits of [ship].
    let ship = ship_student(session, &students, &students_targets)?;

    // How sure it is, fitted to the validation split. No answer changes.
    let temperatures = calibrate_students(session, &students, ship.as_ref())?;

    // The test split is read here, and only here.
    let models = Models {
        teachers: &teachers,
        ensemble: ensemble.as_ref(),
        students: &students,
        ship: ship.as_ref(),
        temperatures: &temperatures,
    };
    let evaluate =
        |TestData { run_name, dataset, test }| evaluate(session, run_name, dataset, &models, &students_targets, test);
    let evaluated = test_data.map_or(Ok(None), evaluate)?;
    Ok(Outcome { student: students.student, ship, temperatures, evaluated })
}

/// Trains the teachers, or reads them back.
pub(crate) fn train_teachers(session: &Session<'_>) -> Result<Teachers> {
    // The generalist, and which classes it confuses on examples that it did not fit (sec. 5.1, 5.3).
    let generalists = train_generalists(session)?;
    let clustered = cluster_classes(session, &generalists)?;

    // One specialist for each cluster of confusable classes, side by side (sec. 5.2), and which of them help.
    let specialists = train_specialists(session, &generalists, clustered.as_ref())?;
    let specialists = check_specialists(session, &generalists, specialists)?;

    // The control: generalists for the same compute.
    let ensemble_members = match session.config.evaluation.wants(Baseline::GeneralistEnsemble) {
        true => train_generalist_ensemble(session, &generalists, clustered.as_ref(), &specialists.specialists)?,
        false => Vec::new(),
    };
    Ok(Teachers { generalists, clustered, specialists, ensemble_members })
}
