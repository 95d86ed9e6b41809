//! What is kept of all predictions on one split: enough for every number of the report, a few bytes for each example.
//!
//! C classes.

use super::answers::{Answers, Voices};
use super::evaluation::Models;
use super::out_of_scope::Confidences;
use super::portfolio::Portfolio;
use super::{Member, Specialist, Teacher, Workshop};
use crate::error::Result;
use crate::role::Role;
use std::ops::Range;
use stillhouse_core::ClassId;
use stillhouse_data::Split;
use stillhouse_ensemble::ConditionalTop1;
use stillhouse_train::PredictionRecord;

/// Everything that predicts every class.
pub(super) type Complete<'a> = [(Role, Teacher<'a>)];

/// Counts over the predictions of all models.
pub(super) struct Tally<'a> {
    shop: &'a Workshop<'a>,
    split: &'a Split,
    complete: &'a Complete<'a>,
    specialists: &'a [Specialist],
    /// In the order of the complete ones.
    pub seen: Vec<Seen<'a>>,
    /// Of each specialist on the examples of its own classes, its predictions restricted to them and renormalised.
    pub own: Vec<Vec<PredictionRecord>>,
    pub portfolio: Portfolio<'a>,
}

/// What is kept of one that predicts every class.
pub(super) struct Seen<'a> {
    /// For every example.
    pub records: Vec<PredictionRecord>,
    /// On the examples of each specialist's classes, with the prediction restricted to them.
    pub conditional: ConditionalTop1<'a>,
    /// If examples of no class are to be told from these.
    pub confidences: Option<Confidences>,
}

impl<'a> Tally<'a> {
    /// Nothing seen yet.
    pub fn new(
        shop: &'a Workshop<'a>,
        models: &Models<'a>,
        complete: &'a Complete<'a>,
        split: &'a Split,
        wants_confidences: bool,
    ) -> Result<Self> {
        let specialists = &models.specialists.specialists[..];
        let subsets = || specialists.iter().map(|specialist| &specialist.subset);
        let seen = || Seen {
            records: Vec::with_capacity(split.len()),
            conditional: ConditionalTop1::new(shop.n_classes(), subsets()),
            confidences: wants_confidences.then(Confidences::default),
        };
        Ok(Self {
            shop,
            split,
            complete,
            specialists,
            seen: complete.iter().map(|_| seen()).collect(),
            own: vec![Vec::new(); specialists.len()],
            portfolio: Portfolio::new(shop, models, split)?,
        })
    }

    /// Takes what all voices say about the next rows.
    pub fn add(&mut self, rows: &Range<usize>, answers: &Answers<'_, '_>) -> Result<()> {
        for ((_, teacher), seen) in self.complete.iter().zip(&mut self.seen) {
            self.shop.context.check_interrupt()?;
            let probs = answers.by(teacher)?;
            for (row, probs) in rows.clone().zip(probs.chunks_exact(self.shop.n_classes())) {
                let label = self.split.label(row);
                seen.records.push(PredictionRecord::new(probs, label));
                seen.conditional.push(probs, label);
                if let Some(confidences) = &mut seen.confidences {
                    confidences.push(probs);
                }
            }
        }
        for (specialist, own) in self.specialists.iter().zip(&mut self.own) {
            let probs = answers.of(Member::Network(&specialist.trained));
            let outputs = probs.chunks_exact(specialist.trained.model.n_outputs());
            let rows = rows.clone().zip(outputs);
            own.extend(rows.filter_map(|(row, probs)| restricted(specialist, probs, self.split.label(row))));
        }
        self.portfolio.add(rows, answers)
    }
}

/// The record of a specialist's prediction for an example of its own classes; none for others.
fn restricted(specialist: &Specialist, probs: &[f32], label: ClassId) -> Option<PredictionRecord> {
    let local = specialist.subset.local(label)?;
    let inside: f32 = specialist.own_probs(probs).sum();
    let own: Vec<f32> = specialist.own_probs(probs).map(|prob| prob / inside.max(f32::MIN_POSITIVE)).collect();
    Some(PredictionRecord::new(&own, ClassId(local.index() as u32)))
}

/// All that a tally of these models hears.
pub(super) fn voices<'a>(complete: &Complete<'a>, specialists: &'a [Specialist]) -> Voices<'a> {
    let of_complete = complete.iter().flat_map(|(_, teacher)| teacher.members());
    Voices::new(of_complete.chain(specialists.iter().map(|specialist| Member::Network(&specialist.trained))))
}
