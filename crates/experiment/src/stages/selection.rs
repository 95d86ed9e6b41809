//! Which teachers the merge hears, how loud the specialists are, and how sure the whole may be: decided on the validation
//! split.

use super::answers::Sample;
use super::ensemble::softened;
use super::specialists::Specialist;
use super::teacher::{PROBS_AT_ONCE, ask};
use super::training::Trained;
use super::validation::SpecialistCheck;
use super::{Ensemble, Workshop};
use crate::config::KeepSpecialists;
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::store::{Stage, run_stage};
use serde::{Deserialize, Serialize};
use std::path::Path;
use stillhouse_core::{ClassId, Temperature};
use stillhouse_ensemble::{Calibration, TeacherWeights};
use stillhouse_train::{metrics_of, records};

/// The teachers beside the generalists.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Selection {
    /// Specialists that are heard, ascending.
    pub kept: Vec<usize>,
    pub fitted: FittedMerge,
}

/// The numbers of a merge that can be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FittedMerge {
    /// The weight of each specialist, a generalist's being 1.
    pub specialist_weight: f64,
    /// What the merged logits are divided by.
    pub temperature: Temperature,
}

const SELECTION: &str = "selection.json";
/// Merges that the greedy choice may take: it sees fewer validation examples where there are many specialists.
const MAX_GREEDY_MERGES: usize = 400_000;
/// A teacher that lowers the negative log likelihood by less, in nats, is not worth its inference.
const LEAST_GAIN: f64 = 1e-4;
/// The weights and temperatures that are tried lie between the inverse of this and this.
const MAX_FACTOR: f64 = 20.0;
/// A factor is at the end of its range from here on.
const EXTREME_FACTOR: f64 = 19.0;
const N_SECTIONS: usize = 16;

fn keep(shop: &Workshop<'_>) -> KeepSpecialists {
    shop.config.specialists.as_ref().map(|config| config.keep).unwrap_or_default()
}

/// The stage that chooses on the validation split, after the stage with this key; none where nothing is to be chosen.
pub(crate) fn selection_stage(shop: &Workshop<'_>, key: &str, n_specialists: usize) -> Option<Stage> {
    let (keep, merge) = (keep(shop), &shop.config.merge);
    let chooses = keep != KeepSpecialists::All || merge.weights == TeacherWeights::Fitted {};
    let is_needed = (chooses && n_specialists > 0) || merge.calibration == Calibration::Temperature;
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
    let simple = Selection { kept, fitted: FittedMerge { specialist_weight, temperature: Temperature::ONE } };
    let is_fitted = *weights == TeacherWeights::Fitted {};
    let is_calibrated = shop.config.merge.calibration == Calibration::Temperature;
    let Some(stage) = selection_stage(shop, key, specialists.len()) else {
        return Ok((simple, key.to_owned()));
    };
    let produce = |folder: &Path| {
        let selection = shop.context.with_all_threads(|| -> Result<Selection> {
            let mut selection = simple;
            if keep == KeepSpecialists::Greedy && !specialists.is_empty() {
                let n = specialists.len();
                let n_rows = MAX_GREEDY_MERGES / (n * (n + 1) / 2);
                selection.kept = Valid::new(shop, generalists, specialists, n_rows)?.greedy(selection.fitted)?;
            }
            if is_fitted || is_calibrated {
                let valid = Valid::new(shop, generalists, specialists, shop.valid.len())?;
                if is_fitted && !selection.kept.is_empty() {
                    selection.fitted.specialist_weight = valid.fit_weight(&selection.kept)?;
                }
                if is_calibrated {
                    selection.fitted.temperature = valid.fit_temperature(&selection.kept, selection.fitted)?;
                }
            }
            Ok(selection)
        })??;
        write_json(&folder.join(SELECTION), &selection)
    };
    let selection: Selection = run_stage(shop.context, &stage, produce, |folder| read_json(&folder.join(SELECTION)))?;
    let fitted = selection.fitted;
    let text = format!(
        "the merge hears {} of {} specialists, each with the weight {:.2} of a generalist",
        selection.kept.len(),
        specialists.len(),
        fitted.specialist_weight
    );
    if !specialists.is_empty() {
        shop.context.note("selection", text);
    }
    if is_calibrated {
        shop.context.note("selection", format!("the merged logits are divided by {:.3}", fitted.temperature.get()));
    }
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

impl FittedMerge {
    /// Whether a fit ended where its range does: the validation split knows of no best value.
    pub fn is_extreme(&self) -> bool {
        let is_extreme = |factor: f64| factor > EXTREME_FACTOR || factor < EXTREME_FACTOR.recip();
        is_extreme(self.temperature.get()) || (self.specialist_weight > 0.0 && is_extreme(self.specialist_weight))
    }

    /// Nothing is fitted: all weigh the same, and the merge is taken as it is.
    const NONE: Self = Self { specialist_weight: 1.0, temperature: Temperature::ONE };
}

impl<'a> Valid<'a> {
    fn new(
        shop: &'a Workshop<'a>,
        generalists: &'a [Trained],
        specialists: &'a [Specialist],
        n_rows: usize,
    ) -> Result<Self> {
        let sample = Sample::new(shop.valid.len(), n_rows.min(PROBS_AT_ONCE / shop.n_classes()));
        let sample = shop.valid.select(sample.rows());
        let everyone = Ensemble::of(shop, generalists, specialists.iter().collect(), FittedMerge::NONE)?;
        let predictions = ask(shop, &everyone.members(), &sample, None)?;
        Ok(Self { shop, generalists, specialists, predictions, labels: sample.labels().to_vec() })
    }

    /// Negative log likelihood of the merge of all generalists and these specialists.
    fn nll(&self, heard: &[usize], fitted: FittedMerge) -> Result<f64> {
        Ok(self.nll_of(&self.merge(heard, fitted)?))
    }

    fn nll_of(&self, probs: &[f32]) -> f64 {
        metrics_of(&records(probs, &self.labels, self.shop.n_classes())).nll
    }

    /// What all generalists and these specialists say together.
    fn merge(&self, heard: &[usize], fitted: FittedMerge) -> Result<Vec<f32>> {
        self.shop.context.check_interrupt()?;
        let n_generalists = self.generalists.len();
        let of_specialists = heard.iter().map(|idx| &self.predictions[n_generalists + idx]);
        let external = &self.predictions[n_generalists + self.specialists.len()..];
        let predictions: Vec<&[f32]> =
            self.predictions[..n_generalists].iter().chain(of_specialists).chain(external).map(Vec::as_slice).collect();
        let specialists = heard.iter().map(|idx| &self.specialists[*idx]).collect();
        Ensemble::of(self.shop, self.generalists, specialists, fitted)?.merge(&predictions)
    }

    /// Adds the specialist that lowers the negative log likelihood most, until none does (Caruana et al. 2004).
    fn greedy(&self, fitted: FittedMerge) -> Result<Vec<usize>> {
        let mut heard: Vec<usize> = Vec::new();
        let mut reached = self.nll(&heard, fitted)?;
        loop {
            let mut best: Option<(f64, usize)> = None;
            for candidate in (0..self.specialists.len()).filter(|idx| !heard.contains(idx)) {
                let nll = self.nll(&[&heard[..], &[candidate]].concat(), fitted)?;
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

    /// The specialists' common weight.
    fn fit_weight(&self, heard: &[usize]) -> Result<f64> {
        least(|specialist_weight| self.nll(heard, FittedMerge { specialist_weight, ..FittedMerge::NONE }))
    }

    /// The temperature of the merged distributions.
    fn fit_temperature(&self, heard: &[usize], fitted: FittedMerge) -> Result<Temperature> {
        let merged = self.merge(heard, fitted)?;
        let temperature = |value| Temperature::new(value).expect("a factor is above 0");
        least(|value| Ok(self.nll_of(&softened(&merged, self.shop.n_classes(), temperature(value))))).map(temperature)
    }
}

/// Golden-section search for the factor with the least `loss`, on a logarithmic scale.
fn least(loss: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-MAX_FACTOR.ln(), MAX_FACTOR.ln());
    let loss = |log_factor: f64| loss(log_factor.exp());
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (loss(left)?, loss(right)?);
    for _ in 0..N_SECTIONS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = loss(left)?;
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = loss(right)?;
        }
    }
    Ok((0.5 * (low + high)).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_of_least_loss_is_found() {
        for best in [0.06, 0.3, 1.0, 7.5] {
            let found = least(|factor| Ok((factor / best).ln().powi(2))).unwrap();
            assert!((found / best).ln().abs() < 0.01, "{found} for {best}");
        }
    }
}
