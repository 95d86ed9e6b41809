//! Which teachers the merge hears, and how loud the specialists are: decided on the validation split.

use super::specialists::Specialist;
use super::teacher::PROBS_AT_ONCE;
use super::training::Trained;
use super::validation::SpecialistCheck;
use super::{Ensemble, Teacher, Workshop};
use crate::config::KeepSpecialists;
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::store::{Stage, run_stage};
use serde::{Deserialize, Serialize};
use std::path::Path;
use stillhouse_core::ClassId;
use stillhouse_ensemble::TeacherWeights;
use stillhouse_train::{metrics_of, records};

/// The teachers beside the generalists.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Selection {
    /// Specialists that are heard, ascending.
    pub kept: Vec<usize>,
    /// The weight of each, a generalist's being 1.
    pub specialist_weight: f64,
}

const SELECTION: &str = "selection.json";
/// Merges that the greedy choice may take: it sees fewer validation examples where there are many specialists.
const MAX_GREEDY_MERGES: usize = 400_000;
/// A teacher that lowers the negative log likelihood by less, in nats, is not worth its inference.
const LEAST_GAIN: f64 = 1e-4;
/// The weights that are tried lie between `1 / MAX_WEIGHT` and `MAX_WEIGHT`.
const MAX_WEIGHT: f64 = 20.0;
const N_SECTIONS: usize = 16;

fn keep(shop: &Workshop<'_>) -> KeepSpecialists {
    shop.config.specialists.as_ref().map(|config| config.keep).unwrap_or_default()
}

/// The stage that chooses on the validation split, after the stage with this key; none where nothing is to be chosen.
pub(crate) fn selection_stage(shop: &Workshop<'_>, key: &str) -> Option<Stage> {
    let (keep, merge) = (keep(shop), &shop.config.merge);
    let is_needed = keep != KeepSpecialists::All || merge.weights == TeacherWeights::Fitted {};
    is_needed.then(|| Stage::new("selection", None, &(key, keep, merge)))
}

/// Chooses teachers and weights as configured, after the stage with this key; the second value is the key to go on with.
pub(crate) fn select_teachers(
    shop: &Workshop<'_>,
    key: &str,
    generalists: &[Trained],
    specialists: &[Specialist],
    checks: &[SpecialistCheck],
) -> Result<(Selection, String)> {
    let (keep, weights) = (keep(shop), &shop.config.merge.weights);
    let helps = |idx: &usize| checks[*idx].specialist_top1 > checks[*idx].generalist_top1;
    let kept = match keep {
        KeepSpecialists::Helpful => (0..specialists.len()).filter(helps).collect(),
        KeepSpecialists::All | KeepSpecialists::Greedy => (0..specialists.len()).collect(),
    };
    let specialist_weight = match weights {
        TeacherWeights::Given(given) => given.specialists,
        TeacherWeights::Equal {} | TeacherWeights::Fitted {} => 1.0,
    };
    let simple = Selection { kept, specialist_weight };
    let is_fitted = *weights == TeacherWeights::Fitted {};
    let Some(stage) = selection_stage(shop, key).filter(|_| !specialists.is_empty()) else {
        return Ok((simple, key.to_owned()));
    };
    let produce = |folder: &Path| {
        let selection = shop.context.with_all_threads(|| -> Result<Selection> {
            let mut selection = simple;
            if keep == KeepSpecialists::Greedy {
                let n = specialists.len();
                let n_rows = MAX_GREEDY_MERGES / (n * (n + 1) / 2);
                selection.kept = Valid::new(shop, generalists, specialists, n_rows)?.greedy(specialist_weight)?;
            }
            if is_fitted {
                let valid = Valid::new(shop, generalists, specialists, shop.valid.len())?;
                selection.specialist_weight = valid.fit_weight(&selection.kept)?;
            }
            Ok(selection)
        })??;
        write_json(&folder.join(SELECTION), &selection)
    };
    let selection: Selection = run_stage(shop.context, &stage, produce, |folder| read_json(&folder.join(SELECTION)))?;
    let text = format!(
        "the merge hears {} of {} specialists, each with the weight {:.2} of a generalist",
        selection.kept.len(),
        specialists.len(),
        selection.specialist_weight
    );
    shop.context.note("selection", text);
    Ok((selection, stage.key().to_owned()))
}

/// All networks' predictions on validation examples.
struct Valid<'a> {
    shop: &'a Workshop<'a>,
    generalists: &'a [Trained],
    specialists: &'a [Specialist],
    predictions: Vec<Vec<f32>>,
    labels: Vec<ClassId>,
}

impl<'a> Valid<'a> {
    fn new(
        shop: &'a Workshop<'a>,
        generalists: &'a [Trained],
        specialists: &'a [Specialist],
        n_rows: usize,
    ) -> Result<Self> {
        let n_rows = n_rows.min(PROBS_AT_ONCE / shop.n_classes()).clamp(1, shop.valid.len());
        let rows: Vec<usize> = (0..n_rows).map(|row| row * shop.valid.len() / n_rows).collect();
        let sample = shop.valid.select(&rows);
        let everyone = Ensemble::of(shop, generalists, specialists.iter().collect(), 1.0)?;
        let predictions = Teacher::Merged(&everyone).predict_members(shop, &sample, None)?;
        Ok(Self { shop, generalists, specialists, predictions, labels: sample.labels().to_vec() })
    }

    /// Negative log likelihood of the merge of all generalists and these specialists.
    fn nll(&self, heard: &[usize], weight: f64) -> Result<f64> {
        self.shop.context.check_interrupt()?;
        let n_generalists = self.generalists.len();
        let of_specialists = heard.iter().map(|idx| &self.predictions[n_generalists + idx]);
        let external = &self.predictions[n_generalists + self.specialists.len()..];
        let predictions: Vec<&[f32]> =
            self.predictions[..n_generalists].iter().chain(of_specialists).chain(external).map(Vec::as_slice).collect();
        let specialists = heard.iter().map(|idx| &self.specialists[*idx]).collect();
        let ensemble = Ensemble::of(self.shop, self.generalists, specialists, weight)?;
        let probs = ensemble.merge(&predictions)?;
        Ok(metrics_of(&records(&probs, &self.labels, self.shop.n_classes())).nll)
    }

    /// Adds the specialist that lowers the negative log likelihood most, until none does (Caruana et al. 2004).
    fn greedy(&self, weight: f64) -> Result<Vec<usize>> {
        let mut heard: Vec<usize> = Vec::new();
        let mut reached = self.nll(&heard, weight)?;
        loop {
            let mut best: Option<(f64, usize)> = None;
            for candidate in (0..self.specialists.len()).filter(|idx| !heard.contains(idx)) {
                let nll = self.nll(&[&heard[..], &[candidate]].concat(), weight)?;
                if best.is_none_or(|(least, _)| nll < least) {
                    best = Some((nll, candidate));
                }
            }
            match best {
                Some((nll, candidate)) if nll < reached - LEAST_GAIN => {
                    heard.push(candidate);
                    reached = nll;
                }
                _ => break,
            }
        }
        heard.sort_unstable();
        Ok(heard)
    }

    /// Golden-section search for the specialists' common weight, on a logarithmic scale.
    fn fit_weight(&self, heard: &[usize]) -> Result<f64> {
        let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
        let (mut low, mut high) = (-MAX_WEIGHT.ln(), MAX_WEIGHT.ln());
        let nll = |log_weight: f64| self.nll(heard, log_weight.exp());
        let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
        let (mut at_left, mut at_right) = (nll(left)?, nll(right)?);
        for _ in 0..N_SECTIONS {
            if at_left < at_right {
                (high, right, at_right) = (right, left, at_left);
                left = high - ratio * (high - low);
                at_left = nll(left)?;
            } else {
                (low, left, at_left) = (left, right, at_right);
                right = low + ratio * (high - low);
                at_right = nll(right)?;
            }
        }
        Ok((0.5 * (low + high)).exp())
    }
}
