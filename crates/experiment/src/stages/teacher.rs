//! Anything that predicts a distribution over all classes: one network, several, or the merged ensemble.

use super::{Specialist, Trained, Workshop};
use crate::error::{ExperimentError, Result};
use rayon::prelude::*;
use stillhouse_core::{ClassClustering, ViewId};
use stillhouse_data::Split;
use stillhouse_ensemble::{Merger, TeacherWeights};
use stillhouse_train::predict_proba;

/// A source of soft targets and of predictions to evaluate.
pub(crate) enum Teacher<'a> {
    /// One network.
    Single(&'a Trained),
    /// The mean of several networks' probabilities.
    Mean(Vec<&'a Trained>),
    /// Generalist and specialists, merged (paper, eq. 5).
    Merged { generalist: &'a Trained, specialists: &'a [Specialist] },
}

impl<'a> Teacher<'a> {
    /// The networks behind it.
    pub fn members(&self) -> Vec<&'a Trained> {
        match self {
            Self::Single(trained) => vec![trained],
            Self::Mean(members) => members.clone(),
            Self::Merged { generalist, specialists } => {
                std::iter::once(*generalist).chain(specialists.iter().map(|specialist| &specialist.trained)).collect()
            }
        }
    }

    /// Probabilities `[N, C]` at `T = 1` for every row of a split. Runs in the caller's pool.
    pub fn predict(&self, shop: &Workshop<'_>, split: &Split, view: Option<ViewId>) -> Result<Vec<f32>> {
        let networks = self.members().into_iter().map(|trained| {
            shop.context.check_interrupt()?;
            Ok(predict_proba(&trained.model, split, view)?)
        });
        let networks: Vec<Vec<f32>> = networks.collect::<Result<_>>()?;
        match self {
            Self::Single(_) => Ok(networks.concat()),
            Self::Mean(_) => Ok(mean(&networks)),
            Self::Merged { specialists, .. } => merge_rows(shop, &networks, specialists, split),
        }
    }
}

/// Mean over networks, with f64 inside.
fn mean(networks: &[Vec<f32>]) -> Vec<f32> {
    let n = networks.len() as f64;
    let value = |position: usize| networks.iter().map(|probs| f64::from(probs[position])).sum::<f64>() / n;
    (0..networks[0].len()).into_par_iter().map(|position| value(position) as f32).collect()
}

/// Merges each example; `networks` are the generalist's `[N, C]` and each specialist's `[N, L + 1]`.
fn merge_rows(
    shop: &Workshop<'_>,
    networks: &[Vec<f32>],
    specialists: &[Specialist],
    split: &Split,
) -> Result<Vec<f32>> {
    let n_classes = shop.n_classes();
    let (generalist, votes) = networks.split_first().expect("a merged teacher has a generalist");
    let clustering = ClassClustering::new(specialists.iter().map(|specialist| specialist.subset.clone()).collect())
        .map_err(|error| failed(&error))?;
    let weights = TeacherWeights::equal(specialists.len());
    let merger = Merger::new(&clustering, &shop.config.merge, weights).map_err(|error| failed(&error))?;
    let merge_one = |row: usize| -> Result<Vec<f32>> {
        let as_f64 = |probs: &[f32], width: usize| -> Vec<f64> {
            probs[row * width..][..width].iter().map(|prob| f64::from(*prob)).collect()
        };
        let rows: Vec<Vec<f64>> =
            votes.iter().zip(specialists).map(|(probs, s)| as_f64(probs, s.subset.len() + 1)).collect();
        let votes: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let merged = merger.merge(&as_f64(generalist, n_classes), &votes).map_err(|error| failed(&error))?;
        Ok(merged.probs.iter().map(|prob| *prob as f32).collect())
    };
    let rows: Vec<Vec<f32>> = (0..split.len()).into_par_iter().map(merge_one).collect::<Result<_>>()?;
    Ok(rows.concat())
}

fn failed(error: &dyn std::fmt::Display) -> ExperimentError {
    ExperimentError::Failed(anyhow::anyhow!("merge: {error}"))
}
