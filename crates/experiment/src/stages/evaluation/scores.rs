//! Scores of every model on one split: enough for every number of the report, a few bytes for each example.
//!
//! C classes.

use super::cost_curve::CostCurve;
use super::out_of_scope::Confidences;
use crate::error::Result;
use crate::networks::artifacts::Specialist;
use crate::networks::member::Member;
use crate::networks::predictions::{Predictions, distinct};
use crate::networks::teacher::Complete;
use crate::networks::teachers::Teachers;
use crate::session::Session;
use std::ops::Range;
use stillhouse_core::ClassId;
use stillhouse_data::Split;
use stillhouse_ensemble::ConditionalTop1;
use stillhouse_train::PredictionRecord;

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

/// Scores that only the test split needs.
#[derive(Clone, Copy, Default)]
pub(super) struct Wants {
    /// The confidence in every example, to compare with out-of-scope examples.
    pub confidences: bool,
    /// The merge without each of its specialists.
    pub leave_one_out: bool,
}

/// Scores of a model that predicts every class.
pub(super) struct ModelScores<'a> {
    /// For every example.
    pub records: Vec<PredictionRecord>,
    /// On the examples of each specialist's classes, with the prediction restricted to them.
    pub conditional: ConditionalTop1<'a>,
    /// To compare with out-of-scope examples.
    pub confidences: Option<Confidences>,
}

impl<'a> SplitScores<'a> {
    /// No example yet.
    pub fn new(
        session: &'a Session<'a>,
        teachers: &'a Teachers,
        complete: &'a Complete<'a>,
        split: &'a Split,
        wants: Wants,
    ) -> Result<Self> {
        let specialists = &teachers.specialists.specialists[..];
        let subsets = || specialists.iter().map(|specialist| &specialist.subset);
        let scores = || ModelScores {
            records: Vec::with_capacity(split.len()),
            conditional: ConditionalTop1::new(session.data.n_classes(), subsets()),
            confidences: wants.confidences.then(Confidences::default),
        };
        Ok(Self {
            session,
            split,
            complete,
            specialists,
            models: complete.iter().map(|_| scores()).collect(),
            own: vec![Vec::new(); specialists.len()],
            cost_curve: CostCurve::new(session, teachers, split, wants.leave_one_out)?,
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
