//! The merged ensemble: generalists and the specialists that are heard, as one distribution (paper, sec. 5.3, eq. 5).
//!
//! N rows, C classes, L classes of a specialist.

use super::{CheckedSpecialists, Specialist, Trained, Workshop};
use crate::config::SpecialistHead;
use crate::error::{ExperimentError, Result};
use rayon::prelude::*;
use stillhouse_core::ClassClustering;
use stillhouse_ensemble::{Gate, MergeConfig, Merger, TeacherWeights, active_specialists};

/// Every teacher whose word counts.
pub(crate) struct Ensemble<'a> {
    /// Hash of everything that it depends on but the merge.
    pub key: String,
    generalists: &'a [Trained],
    specialists: Vec<&'a Specialist>,
    merge: MergeConfig,
    /// For dustbin specialists; full-softmax ones are averaged.
    merger: Option<Merger>,
}

impl<'a> Ensemble<'a> {
    /// The ensemble of all generalists and the specialists that passed their check.
    ///
    /// # Errors
    /// A merge that the config makes impossible.
    pub fn new(shop: &Workshop<'_>, generalists: &'a [Trained], checked: &'a CheckedSpecialists) -> Result<Self> {
        Self::of(checked.key.clone(), generalists, checked.kept(), shop.config.merge.clone())
    }

    /// The ensemble without its `left_out`-th specialist.
    pub fn without(&self, left_out: usize) -> Result<Self> {
        let mut specialists = self.specialists.clone();
        specialists.remove(left_out);
        Self::of(self.key.clone(), self.generalists, specialists, self.merge.clone())
    }

    fn of(
        key: String,
        generalists: &'a [Trained],
        specialists: Vec<&'a Specialist>,
        merge: MergeConfig,
    ) -> Result<Self> {
        let has_dustbins = specialists.first().is_some_and(|first| first.head == SpecialistHead::Dustbin);
        let merger = has_dustbins.then(|| merger(&merge, generalists.len(), &specialists)).transpose()?;
        Ok(Self { key, generalists, specialists, merge, merger })
    }

    /// Generalists, then specialists.
    pub fn members(&self) -> Vec<&'a Trained> {
        self.generalists.iter().chain(self.specialists.iter().map(|specialist| &specialist.trained)).collect()
    }

    /// Merges each row of the members' predictions, given in the order of [`Ensemble::members`].
    pub fn merge(&self, predictions: &[Vec<f32>], n_classes: usize) -> Result<Vec<f32>> {
        let (generalists, specialists) = predictions.split_at(self.generalists.len());
        let generalist = super::teacher::mean(generalists);
        let n_rows = generalist.len() / n_classes;
        let merge_one = |row: usize| -> Result<Vec<f32>> {
            let generalist = as_f64(&generalist, row, n_classes);
            let merged = match &self.merger {
                Some(merger) => {
                    let width = |specialist: &Specialist| specialist.subset.len() + 1;
                    let pairs = specialists.iter().zip(&self.specialists);
                    let rows: Vec<Vec<f64>> = pairs.map(|(probs, s)| as_f64(probs, row, width(s))).collect();
                    let votes: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
                    merger.merge(&generalist, &votes).map_err(|error| failed(&error))?.probs
                }
                None => self.average(&generalist, specialists, row, n_classes),
            };
            Ok(merged.iter().map(|prob| *prob as f32).collect())
        };
        let rows: Vec<Vec<f32>> = (0..n_rows).into_par_iter().map(merge_one).collect::<Result<_>>()?;
        Ok(rows.concat())
    }

    /// With outputs for every class, equation 5 is solved by the mean of all teachers that vote.
    fn average(&self, generalist: &[f64], specialists: &[Vec<f32>], row: usize, n_classes: usize) -> Vec<f64> {
        let subsets: Vec<_> = self.specialists.iter().map(|specialist| specialist.subset.clone()).collect();
        let active = match self.merge.gate {
            Gate::All {} => (0..subsets.len()).collect(),
            Gate::TopN(_) => active_specialists(&self.merge.gate, generalist, &subsets),
        };
        let n_generalists = self.generalists.len() as f64;
        let total = n_generalists + active.len() as f64;
        let mut mean: Vec<f64> = generalist.iter().map(|prob| prob * n_generalists / total).collect();
        for specialist in active {
            let probs = &specialists[specialist][row * n_classes..][..n_classes];
            mean.iter_mut().zip(probs).for_each(|(mean, prob)| *mean += f64::from(*prob) / total);
        }
        mean
    }
}

/// One vote for each network: `n_generalists` of them stand behind the generalist's row.
fn merger(config: &MergeConfig, n_generalists: usize, specialists: &[&Specialist]) -> Result<Merger> {
    let subsets = specialists.iter().map(|specialist| specialist.subset.clone()).collect();
    let clustering = ClassClustering::new(subsets).map_err(|error| failed(&error))?;
    let weights = TeacherWeights { generalist: n_generalists as f64, specialists: vec![1.0; specialists.len()] };
    Merger::new(&clustering, config, weights).map_err(|error| failed(&error))
}

fn as_f64(probs: &[f32], row: usize, width: usize) -> Vec<f64> {
    probs[row * width..][..width].iter().map(|prob| f64::from(*prob)).collect()
}

fn failed(error: &dyn std::fmt::Display) -> ExperimentError {
    ExperimentError::Failed(anyhow::anyhow!("merge: {error}"))
}
