//! The merged ensemble: generalists and the specialists that are heard, as one distribution (paper, sec. 5.3, eq. 5).
//!
//! N rows, C classes, L classes of a specialist.

use super::{CheckedSpecialists, Specialist, Trained, Workshop};
use crate::config::SpecialistHead;
use crate::error::{ExperimentError, Result};
use rayon::prelude::*;
use stillhouse_core::Temperature;
use stillhouse_ensemble::{MergeConfig, MergeScratch, Merger, Soften, TeacherScope};
use stillhouse_targets::soften;

/// Every teacher whose word counts.
pub(crate) struct Ensemble<'a> {
    /// Hash of everything that it depends on but the merge.
    pub key: String,
    generalists: &'a [Trained],
    specialists: Vec<&'a Specialist>,
    n_classes: usize,
    soften: Soften,
    merger: Merger,
}

impl<'a> Ensemble<'a> {
    /// The ensemble of all generalists and the specialists that passed their check.
    ///
    /// # Errors
    /// A merge that the config makes impossible.
    pub fn new(shop: &Workshop<'_>, generalists: &'a [Trained], checked: &'a CheckedSpecialists) -> Result<Self> {
        let ensemble = Self::of(shop, generalists, checked.kept(), checked.specialist_weight)?;
        Ok(Self { key: checked.key.clone(), ..ensemble })
    }

    /// An ensemble of these networks, without a key.
    pub fn of(
        shop: &Workshop<'_>,
        generalists: &'a [Trained],
        specialists: Vec<&'a Specialist>,
        specialist_weight: f64,
    ) -> Result<Self> {
        let (merge, n_classes) = (shop.config.merge.clone(), shop.n_classes());
        let merger = merger(&merge, n_classes, generalists.len(), &specialists, specialist_weight)?;
        Ok(Self { key: String::new(), generalists, specialists, n_classes, soften: merge.soften, merger })
    }

    /// Generalists, then specialists.
    pub fn members(&self) -> Vec<&'a Trained> {
        self.generalists.iter().chain(self.specialists.iter().map(|specialist| &specialist.trained)).collect()
    }

    /// Merges each row of the members' predictions, given in the order of [`Ensemble::members`].
    pub fn merge<P: AsRef<[f32]> + Sync>(&self, predictions: &[P]) -> Result<Vec<f32>> {
        let n_classes = self.n_classes;
        let predictions: Vec<&[f32]> = predictions.iter().map(AsRef::as_ref).collect();
        let n_rows = predictions[0].len() / n_classes;
        let widths: Vec<usize> = predictions.iter().map(|probs| probs.len() / n_rows.max(1)).collect();
        let mut merged = vec![0.0_f32; n_rows * n_classes];
        let merge_one = |scratch: &mut Scratch, (row, out): (usize, &mut [f32])| -> Result<()> {
            let rows: Vec<&[f32]> =
                predictions.iter().zip(&widths).map(|(probs, width)| &probs[row * width..][..*width]).collect();
            scratch.probs.resize(n_classes, 0.0);
            self.merger
                .merge_into(&rows, &mut scratch.merge, &mut scratch.probs)
                .map_err(|error| ExperimentError::Failed(anyhow::anyhow!("merge of row {row}: {error}")))?;
            out.iter_mut().zip(&scratch.probs).for_each(|(out, prob)| *out = *prob as f32);
            Ok(())
        };
        merged.par_chunks_exact_mut(n_classes).enumerate().try_for_each_init(Scratch::default, merge_one)?;
        Ok(merged)
    }
}

impl Ensemble<'_> {
    /// What a student at this temperature is to learn, as distributions that its loss softens to the target. They are
    /// the merged ones, unless the config softens before the merge: then each network's own outputs are softened and
    /// merged, and the result is sharpened by as much as the loss will soften it.
    pub fn soft_targets(&self, predictions: &[Vec<f32>], temperature: Temperature) -> Result<Vec<f32>> {
        if self.soften == Soften::AfterMerge || temperature == Temperature::ONE {
            return self.merge(predictions);
        }
        let inverse = Temperature::new(1.0 / temperature.get()).expect("the inverse of a temperature is above 0");
        let n_rows = predictions[0].len() / self.n_classes;
        let soften_all = |probs: &Vec<f32>| softened(probs, probs.len() / n_rows.max(1), temperature);
        let softened_predictions: Vec<Vec<f32>> = predictions.iter().map(soften_all).collect();
        Ok(softened(&self.merge(&softened_predictions)?, self.n_classes, inverse))
    }
}

/// Every row softened.
fn softened(probs: &[f32], n_outputs: usize, temperature: Temperature) -> Vec<f32> {
    let mut out = vec![0.0; probs.len()];
    let rows = out.par_chunks_exact_mut(n_outputs).zip(probs.par_chunks_exact(n_outputs));
    rows.for_each(|(out, probs)| soften(probs, temperature, out));
    out
}

/// What a thread keeps between rows.
#[derive(Default)]
struct Scratch {
    merge: MergeScratch,
    probs: Vec<f64>,
}

/// One vote for each generalist, `specialist_weight` of one for each specialist.
fn merger(
    config: &MergeConfig,
    n_classes: usize,
    n_generalists: usize,
    specialists: &[&Specialist],
    specialist_weight: f64,
) -> Result<Merger> {
    let generalists = std::iter::repeat_n(TeacherScope::Full, n_generalists);
    let scope = |specialist: &&Specialist| match specialist.head {
        SpecialistHead::Dustbin => TeacherScope::Dustbin(specialist.subset.clone()),
        SpecialistHead::FullSoftmax => TeacherScope::FullSoftmax(specialist.subset.clone()),
    };
    let scopes: Vec<TeacherScope> = generalists.chain(specialists.iter().map(scope)).collect();
    let mut weights = vec![1.0; n_generalists];
    weights.resize(scopes.len(), specialist_weight);
    Merger::new(n_classes, scopes, &weights, config)
        .map_err(|error| ExperimentError::Failed(anyhow::anyhow!("merge: {error}")))
}
