//! The merged ensemble: generalists and chosen specialists as one distribution (paper, sec. 5.4, eq. 5).
//!
//! N rows, C classes, L classes of a specialist.

use crate::config::SpecialistHead;
use crate::error::{ExperimentError, Result};
use crate::external::External;
use crate::networks::artifacts::{CheckedSpecialists, FittedMerge, Specialist, Trained};
use crate::networks::member::Member;
use crate::session::Session;
use crate::stage::Stage;
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use stillhouse_core::Temperature;
use stillhouse_ensemble::{MergeConfig, MergeRule, MergeScratch, MergeStats, Merger, Soften, TeacherScope};
use stillhouse_targets::soften;

/// Generalists, chosen specialists and external teachers, and how they are merged.
pub(crate) struct Ensemble<'a> {
    /// The stage that chose the specialists; none for a trial that stores nothing.
    stage: Option<Stage>,
    generalists: &'a [Trained],
    specialists: Vec<&'a Specialist>,
    external: &'a [External],
    n_classes: usize,
    /// Numbers of a row of each member.
    n_outputs: Vec<usize>,
    soften: Soften,
    /// What calibrates the merged distributions.
    temperature: Temperature,
    merger: Merger,
    n_unmet: AtomicUsize,
}

impl<'a> Ensemble<'a> {
    /// The ensemble of all generalists, the specialists that passed their check, and the external teachers.
    ///
    /// # Errors
    /// A merge that the config makes impossible.
    pub fn new(session: &'a Session<'_>, generalists: &'a [Trained], checked: &'a CheckedSpecialists) -> Result<Self> {
        let ensemble = Self::of(session, generalists, checked.kept(), checked.fitted)?;
        Ok(Self { stage: Some(checked.stage.clone()), ..ensemble })
    }

    /// An ensemble of these networks, one vote for each generalist and the fitted part of one for each specialist, and of
    /// the external teachers: a trial that stores nothing.
    pub fn of(
        session: &'a Session<'_>,
        generalists: &'a [Trained],
        specialists: Vec<&'a Specialist>,
        fitted: FittedMerge,
    ) -> Result<Self> {
        let (merge, n_classes) = (session.config.merge.clone(), session.data.n_classes());
        let external = &session.external[..];
        let of_generalists = generalists.iter().map(|_| (TeacherScope::Full, 1.0));
        let of_specialists = specialists.iter().map(|specialist| (scope(specialist), fitted.specialist_weight));
        let of_external = external.iter().map(|external| (external.scope.clone(), external.weight));
        let (scopes, weights): (Vec<_>, Vec<f64>) = of_generalists.chain(of_specialists).chain(of_external).unzip();
        let n_outputs = scopes.iter().map(|scope| scope.n_outputs(n_classes)).collect();
        let merger = Merger::new(n_classes, scopes, &weights, &merge)
            .map_err(|error| ExperimentError::Failed(anyhow::anyhow!("merge: {error}")))?;
        Ok(Self {
            stage: None,
            generalists,
            specialists,
            external,
            n_classes,
            n_outputs,
            soften: merge.soften,
            temperature: fitted.temperature,
            merger,
            n_unmet: AtomicUsize::new(0),
        })
    }

    /// The stage that chose the specialists: it depends on everything that the merge depends on but its config.
    ///
    /// # Panics
    /// In a trial.
    pub fn stage(&self) -> &Stage {
        self.stage.as_ref().expect("trials store nothing")
    }

    /// Generalists, then specialists, then external teachers.
    pub fn members(&self) -> Vec<Member<'a>> {
        let specialists = self.specialists.iter().map(|specialist| &specialist.trained);
        let networks = self.generalists.iter().chain(specialists).map(Member::Network);
        networks.chain(self.external.iter().map(Member::External)).collect()
    }

    /// Whether it is the mean of the generalists, as it is made by this table.
    pub fn is_mean_of_generalists(&self, merge: &MergeConfig) -> bool {
        self.specialists.is_empty()
            && self.external.is_empty()
            && self.temperature == Temperature::ONE
            && merge.rule != MergeRule::GeometricMean
    }

    /// The specialists that are merged.
    pub fn specialists(&self) -> &[&'a Specialist] {
        &self.specialists
    }

    /// Merges each row of the members' predictions, given in the order of [`Ensemble::members`], and calibrates it.
    pub fn merge<P: AsRef<[f32]>>(&self, predictions: &[P]) -> Result<Vec<f32>> {
        let n_classes = self.n_classes;
        let predictions: Vec<&[f32]> = predictions.iter().map(AsRef::as_ref).collect();
        let n_rows = predictions[0].len() / self.n_outputs[0];
        let rows_at_once = self.merger.rows_at_once();
        let mut merged = vec![0.0_f32; n_rows * n_classes];
        let merge_block = |scratch: &mut Scratch, (block, out): (usize, &mut [f32])| -> Result<()> {
            let (first, n_block) = (block * rows_at_once, out.len() / n_classes);
            let members = predictions.iter().zip(&self.n_outputs);
            let teachers: Vec<&[f32]> =
                members.map(|(probs, width)| &probs[first * width..(first + n_block) * width]).collect();
            scratch.probs.resize(out.len(), 0.0);
            let stats = self.merger.merge_rows(&teachers, &mut scratch.merge, &mut scratch.probs);
            let stats = stats.map_err(|(row, error)| {
                ExperimentError::Failed(anyhow::anyhow!("merge of row {}: {error}", first + row))
            })?;
            self.note_unmet(&stats);
            out.iter_mut().zip(&scratch.probs).for_each(|(out, prob)| *out = *prob as f32);
            Ok(())
        };
        let blocks = merged.par_chunks_mut(rows_at_once * n_classes).enumerate();
        blocks.try_for_each_init(Scratch::default, merge_block)?;
        if self.temperature == Temperature::ONE {
            return Ok(merged);
        }
        Ok(softened(&merged, n_classes, self.temperature))
    }

    /// Counts the examples whose solver did not meet its tolerance.
    fn note_unmet(&self, stats: &[MergeStats]) {
        let n_unmet = stats.iter().filter(|stats| !stats.is_converged).count();
        self.n_unmet.fetch_add(n_unmet, Ordering::Relaxed);
    }

    /// How many merges so far did not meet their solver's tolerance.
    pub fn n_unmet(&self) -> usize {
        self.n_unmet.load(Ordering::Relaxed)
    }

    /// What a student at this temperature is to learn, as distributions that its loss softens to the target. They are
    /// the merged ones, unless the config softens before the merge: then each network's own outputs are softened and
    /// merged, and the result is sharpened by as much as the loss will soften it.
    pub fn soft_targets<P: AsRef<[f32]>>(&self, predictions: &[P], temperature: Temperature) -> Result<Vec<f32>> {
        if self.soften == Soften::AfterMerge || temperature == Temperature::ONE {
            return self.merge(predictions);
        }
        let inverse = Temperature::new(1.0 / temperature.get()).expect("the inverse of a temperature is above 0");
        let soften_all = |(probs, n_outputs): (&P, &usize)| softened(probs.as_ref(), *n_outputs, temperature);
        let softened_predictions: Vec<Vec<f32>> = predictions.iter().zip(&self.n_outputs).map(soften_all).collect();
        Ok(softened(&self.merge(&softened_predictions)?, self.n_classes, inverse))
    }
}

/// Every row softened.
pub(crate) fn softened(probs: &[f32], n_outputs: usize, temperature: Temperature) -> Vec<f32> {
    let mut out = vec![0.0; probs.len()];
    let rows = out.par_chunks_exact_mut(n_outputs).zip(probs.par_chunks_exact(n_outputs));
    rows.for_each(|(out, probs)| soften(probs, temperature, out));
    out
}

/// What a thread keeps between blocks of rows.
#[derive(Default)]
struct Scratch {
    merge: MergeScratch,
    probs: Vec<f64>,
}

fn scope(specialist: &Specialist) -> TeacherScope {
    match specialist.head {
        SpecialistHead::Dustbin => TeacherScope::Dustbin(specialist.subset.clone()),
        SpecialistHead::FullSoftmax => TeacherScope::FullSoftmax(specialist.subset.clone()),
    }
}
