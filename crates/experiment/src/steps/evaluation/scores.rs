//! Scores of every model on one split: enough for every number of the report, a few bytes for each example.
//!
//! C classes.

use super::cost_curve::CostCurve;
use super::out_of_scope::Confidences;
use crate::error::Result;
use crate::networks::artifacts::Specialist;
use crate::networks::artifacts::{Clustered, Trained};
use crate::networks::ensemble::{Ensemble, softened};
use crate::networks::member::Member;
use crate::networks::predictions::{Predictions, distinct};
use crate::networks::teacher::{Complete, Teacher};
use crate::networks::teachers::Teachers;
use crate::report::{CalibrationReport, ModelReport, OutOfScopeRow, PortfolioPoint};
use crate::role::Role;
use crate::session::Session;
use crate::steps::calibration::Temperatures;
use crate::steps::ship::{Ship, Shipped};
use crate::steps::student::Students;
use std::ops::Range;
use stillhouse_core::{ClassId, Temperature};
use stillhouse_data::Split;
use stillhouse_ensemble::ConditionalTop1;
use stillhouse_train::Metrics;
use stillhouse_train::{PredictionRecord, records};

/// Scores of all models.
pub(super) struct SplitScores<'a> {
    session: &'a Session<'a>,
    split: &'a Split,
    complete: &'a Complete<'a>,
    specialists: &'a [Specialist],
    /// In the order of the complete ones.
    pub models: Vec<ModelScores<'a>>,
    /// Of each specialist on the examples of its own classes, its predictions restricted to them and renormalised.
    pub own: Vec<Vec<PredictionRecord>>,
    pub cost_curve: CostCurve<'a>,
}

/// Scores of a model that predicts every class.
pub(super) struct ModelScores<'a> {
    /// For every example.
    pub records: Vec<PredictionRecord>,
    /// On the examples of each specialist's classes, with the prediction restricted to them.
    pub conditional: ConditionalTop1<'a>,
    /// To compare with out-of-scope examples.
    pub confidences: Option<Confidences>,
    /// With the temperature that the model ships with, for every example.
    pub as_shipped: Option<(Temperature, Vec<PredictionRecord>)>,
}

impl<'a> SplitScores<'a> {
    /// No example yet.
    pub fn new(
        session: &'a Session<'a>,
        models: &'a Models<'a>,
        complete: &'a Complete<'a>,
        split: &'a Split,
        wants_confidences: bool,
    ) -> Result<Self> {
        let (teachers, temperatures) = (models.teachers, models.temperatures);
        let specialists = &teachers.specialists.specialists[..];
        let subsets = || specialists.iter().map(|specialist| &specialist.subset);
        let scores = |(role, _): &(Role, Teacher<'_>)| ModelScores {
            records: Vec::with_capacity(split.len()),
            conditional: ConditionalTop1::new(session.data.n_classes(), subsets()),
            confidences: wants_confidences.then(|| Confidences::new(temperatures.of(*role))),
            as_shipped: temperatures.of(*role).map(|temperature| (temperature, Vec::with_capacity(split.len()))),
        };
        Ok(Self {
            session,
            split,
            complete,
            specialists,
            models: complete.iter().map(scores).collect(),
            own: vec![Vec::new(); specialists.len()],
            cost_curve: CostCurve::new(session, teachers, split)?,
        })
    }

    /// Takes the predictions of the next rows.
    pub fn add(&mut self, rows: &Range<usize>, predictions: &Predictions<'_, '_>) -> Result<()> {
        for ((_, teacher), scores) in self.complete.iter().zip(&mut self.models) {
            self.session.context.check_interrupt()?;
            let probs = teacher.apply(predictions)?;
            for (row, probs) in rows.clone().zip(probs.chunks_exact(self.session.data.n_classes())) {
                let label = self.split.label(row);
                scores.records.push(PredictionRecord::new(probs, label));
                scores.conditional.push(probs, label);
                if let Some(confidences) = &mut scores.confidences {
                    confidences.push(probs);
                }
            }
            if let Some((temperature, as_shipped)) = &mut scores.as_shipped {
                let n_classes = self.session.data.n_classes();
                let softened = softened(&probs, n_classes, *temperature);
                as_shipped.extend(records(&softened, &self.split.labels()[rows.clone()], n_classes));
            }
        }
        for (specialist, own) in self.specialists.iter().zip(&mut self.own) {
            let probs = predictions.of(Member::Network(&specialist.trained));
            let outputs = probs.chunks_exact(specialist.trained.model.n_outputs());
            let rows = rows.clone().zip(outputs);
            own.extend(rows.filter_map(|(row, probs)| restricted(specialist, probs, self.split.label(row))));
        }
        self.cost_curve.add(rows, predictions)
    }
}

/// The record of a specialist's prediction for an example of its own classes; none for others.
fn restricted(specialist: &Specialist, probs: &[f32], label: ClassId) -> Option<PredictionRecord> {
    let local = specialist.subset.local(label)?;
    let inside: f32 = specialist.own_probs(probs).sum();
    let own: Vec<f32> = specialist.own_probs(probs).map(|prob| prob / inside.max(f32::MIN_POSITIVE)).collect();
    Some(PredictionRecord::new(&own, ClassId(local.index() as u32)))
}

/// The members whose predictions the scores of these models are made of.
pub(super) fn members<'a>(complete: &Complete<'a>, specialists: &'a [Specialist]) -> Vec<Member<'a>> {
    let of_complete = complete.iter().flat_map(|(_, teacher)| teacher.members());
    distinct(of_complete.chain(specialists.iter().map(|specialist| Member::Network(&specialist.trained))))
}

/// Everything that was trained.
pub(crate) struct Models<'a> {
    pub teachers: &'a Teachers,
    /// None where one teacher is taken as it is.
    pub ensemble: Option<&'a Ensemble<'a>>,
    pub students: &'a Students,
    pub ship: Option<&'a Ship>,
    pub temperatures: &'a Temperatures,
}

impl<'a> Models<'a> {
    pub fn all_trained(&self) -> Vec<&'a Trained> {
        let Teachers { generalists, specialists, ensemble_members, .. } = self.teachers;
        let specialists = specialists.specialists.iter().map(|specialist| &specialist.trained);
        let students = std::iter::once(&self.students.student).chain(&self.students.twins);
        let shipped = self.shipped().into_iter().flat_map(|shipped| [&shipped.network, &shipped.twin]);
        generalists.iter().chain(specialists).chain(students).chain(shipped).chain(ensemble_members).collect()
    }

    pub fn shipped(&self) -> Option<&'a Shipped> {
        self.ship.and_then(|ship| ship.shipped.as_ref())
    }

    /// The teacher that the student learns from.
    pub fn students_teacher(&self) -> Role {
        self.ensemble.map_or(Role::Generalist, |_| Role::MergedEnsemble)
    }

    /// All models that predict every class.
    pub fn complete(&self, session: &'a Session<'_>) -> Vec<(Role, Teacher<'a>)> {
        let student = |trained: &'a Trained| (trained.role, Teacher::Single(Member::Network(trained)));
        let mut complete = vec![(Role::Generalist, Teacher::Single(self.teachers.generalist(session)))];
        complete.extend(self.ensemble.map(|ensemble| (Role::MergedEnsemble, Teacher::Merged(ensemble))));
        complete.push(student(&self.students.student));
        let shipped = self.shipped().into_iter().flat_map(|shipped| [&shipped.network, &shipped.twin]);
        complete.extend(shipped.chain(&self.students.twins).map(student));
        // the run's generalists alone are merged to their mean: it is told once
        let is_merged_one = self.teachers.ensemble_members.is_empty()
            && self.ensemble.is_some_and(|ensemble| ensemble.is_mean_of_generalists(&session.config.merge));
        let plain = self.teachers.plain_ensemble().filter(|_| !is_merged_one);
        complete.extend(plain.map(|teacher| (Role::PlainEnsemble, teacher)));
        complete
    }
}

pub(super) struct Evaluation<'a> {
    pub session: &'a Session<'a>,
    pub models: &'a Models<'a>,
    pub clustered: Option<&'a Clustered>,
    pub test: &'a Split,
    /// Out-of-scope examples.
    pub out_of_scope: Option<&'a Split>,
}

/// Scores of one model on the test split.
pub(super) struct TestScores {
    pub role: Role,
    pub records: Vec<PredictionRecord>,
    pub correct: Vec<bool>,
    /// On the examples of each specialist's classes, with the prediction restricted to them; none without examples.
    pub conditional_top1: Vec<Option<f64>>,
    pub out_of_scope: Option<OutOfScopeRow>,
    /// Records with the temperature of a network that leaves the run, and what they say of it.
    pub as_shipped: Option<Vec<PredictionRecord>>,
    pub calibration: Option<CalibrationReport>,
    pub report: ModelReport,
}

/// Scores of all models on the test split.
pub(super) struct AllScores {
    /// In the order of the complete models.
    pub on_test: Vec<TestScores>,
    /// Of each specialist, on the test and on the validation examples of its own classes.
    pub own: Vec<[Metrics; 2]>,
    /// What the merge loses in top-1 without each specialist that is merged, and the examples that this was measured on.
    pub leave_one_out: Vec<f64>,
    pub n_left_out: usize,
    pub cost_curve: Vec<PortfolioPoint>,
    /// Test examples whose merge did not meet its solver's tolerance.
    pub n_unmet: usize,
}

pub(super) fn of_role(on_test: &[TestScores], role: Role) -> &TestScores {
    on_test
        .iter()
        .find(|model| model.role == role)
        .expect("generalist, the student's teacher, student and hard twin are always there")
}
