//! Chooses on the validation split: which specialists to merge, their weight, and the calibration temperature.

use crate::config::KeepSpecialists;
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::{FittedMerge, Specialist, SpecialistCheck, Trained};
use crate::networks::ensemble::Ensemble;
use crate::networks::predictions::{PROBS_AT_ONCE, Predictions, Sample};
use crate::networks::temperature::{fit_temperature, least};
use crate::planning::Work;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use serde::{Deserialize, Serialize};
use std::path::Path;
use stillhouse_core::{ClassId, Temperature};
use stillhouse_ensemble::{Calibration, TeacherWeights};
use stillhouse_train::{metrics_of, records};

/// The specialists that are merged with the generalists, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Selection {
    /// Positions of the specialists that are merged, ascending.
    pub kept: Vec<usize>,
    pub fitted: FittedMerge,
}

/// Raise this when specialists or weights are chosen in another way.
const CODE_VERSION: u32 = 9;
const SELECTION: &str = "selection.json";
/// Merges that the greedy choice may take: it sees fewer validation examples where there are many specialists.
const MAX_GREEDY_MERGES: usize = 400_000;
/// A teacher that lowers the negative log likelihood by less, in nats, is not worth its inference.
const LEAST_GAIN: f64 = 1e-4;

/// Chooses specialists and weights as configured, after the stage that checked the specialists; with the last stage that the
/// choice depends on.
pub(crate) fn select_teachers(
    session: &Session<'_>,
    checked: Stage,
    generalists: &[Trained],
    specialists: &[Specialist],
    checks: &[SpecialistCheck],
) -> Result<(Selection, Stage)> {
    let (keep, merge) = (keep(session), &session.config.merge);
    let simple = without_predictions(session, checks);
    let chooses = keep != KeepSpecialists::All || merge.weights == TeacherWeights::Fitted {};
    if (!chooses || specialists.is_empty()) && merge.calibration != Calibration::Temperature {
        return Ok((simple, checked));
    }
    let stage = Stage::new("selection", CODE_VERSION, None, &(checked, keep, merge));
    let plan = || {
        let networks = generalists.iter().chain(specialists.iter().map(|specialist| &specialist.trained));
        let all = Selection { kept: (0..specialists.len()).collect(), fitted: FittedMerge::NONE };
        Ok((Work::prediction(networks.map(|network| &network.stage), session.data.valid.len()), all))
    };
    let produce = |folder: &Path| {
        let choose = || choose(session, generalists, specialists, simple);
        write_json(&folder.join(SELECTION), &session.context.with_all_threads(choose)??)
    };
    let load = |folder: &Path| read_json(&folder.join(SELECTION));
    let selection: Selection = run_stage(session.context, &stage, plan, produce, load)?;
    let FittedMerge { specialist_weight, temperature } = selection.fitted;
    if !specialists.is_empty() {
        let (n_kept, n) = (selection.kept.len(), specialists.len());
        let weight = format!("each with the weight {specialist_weight:.2} of a generalist");
        session.context.note("selection", format!("{n_kept} of {n} specialists are merged, {weight}"));
    }
    if merge.calibration == Calibration::Temperature {
        session.context.note("selection", format!("the merged logits are divided by {:.3}", temperature.get()));
    }
    Ok((selection, stage))
}

fn keep(session: &Session<'_>) -> KeepSpecialists {
    session.config.specialists.as_ref().map(|config| config.keep).unwrap_or_default()
}

/// The choice that needs no predictions of the merge: all specialists or the ones that beat the generalist, and given weights.
fn without_predictions(session: &Session<'_>, checks: &[SpecialistCheck]) -> Selection {
    let helps = |idx: &usize| checks[*idx].specialist_top1 > checks[*idx].generalist_top1;
    let kept = match keep(session) {
        KeepSpecialists::Helpful => (0..checks.len()).filter(helps).collect(),
        KeepSpecialists::All | KeepSpecialists::Greedy => (0..checks.len()).collect(),
    };
    let specialist_weight = match &session.config.merge.weights {
        TeacherWeights::Given(given) => given.specialists,
        TeacherWeights::Equal {} | TeacherWeights::Fitted {} => 1.0,
    };
    Selection { kept, fitted: FittedMerge { specialist_weight, temperature: Temperature::ONE } }
}

/// Chooses specialists greedily, fits their weight and then the temperature, as far as the config asks for it.
fn choose(
    session: &Session<'_>,
    generalists: &[Trained],
    specialists: &[Specialist],
    mut selection: Selection,
) -> Result<Selection> {
    let is_fitted = session.config.merge.weights == TeacherWeights::Fitted {};
    let is_calibrated = session.config.merge.calibration == Calibration::Temperature;
    if keep(session) == KeepSpecialists::Greedy && !specialists.is_empty() {
        let n = specialists.len();
        let n_rows = MAX_GREEDY_MERGES / (n * (n + 1) / 2);
        selection.kept = Valid::new(session, generalists, specialists, n_rows)?.greedy(selection.fitted)?;
    }
    if is_fitted || is_calibrated {
        let valid = Valid::new(session, generalists, specialists, session.data.valid.len())?;
        if is_fitted && !selection.kept.is_empty() {
            selection.fitted.specialist_weight = valid.fit_weight(&selection.kept)?;
            if !generalists.is_empty() && !valid.helps(&selection.kept, selection.fitted)? {
                selection.kept.clear();
            }
        }
        if is_calibrated {
            selection.fitted.temperature = valid.fit_temperature(&selection.kept, selection.fitted)?;
        }
    }
    Ok(selection)
}

/// All networks' predictions on validation examples.
struct Valid<'a> {
    session: &'a Session<'a>,
    generalists: &'a [Trained],
    specialists: &'a [Specialist],
    predictions: Vec<Vec<f32>>,
    labels: Vec<ClassId>,
}

impl<'a> Valid<'a> {
    fn new(
        session: &'a Session<'a>,
        generalists: &'a [Trained],
        specialists: &'a [Specialist],
        n_rows: usize,
    ) -> Result<Self> {
        let sample = Sample::new(session.data.valid.len(), n_rows.min(PROBS_AT_ONCE / session.data.n_classes()));
        let sample = session.data.valid.select(sample.rows());
        let everyone = Ensemble::of(session, generalists, specialists.iter().collect(), FittedMerge::NONE)?;
        let predictions = Predictions::new(session, &everyone.members(), &sample, None)?.into_probs();
        Ok(Self { session, generalists, specialists, predictions, labels: sample.labels().to_vec() })
    }

    /// Negative log likelihood of the merge of all generalists and these specialists.
    fn nll(&self, chosen: &[usize], fitted: FittedMerge) -> Result<f64> {
        let merged = self.merge(chosen, fitted)?;
        Ok(metrics_of(&records(&merged, &self.labels, self.session.data.n_classes())).nll)
    }

    /// Merged predictions of all generalists and these specialists, `[N, C]`.
    fn merge(&self, chosen: &[usize], fitted: FittedMerge) -> Result<Vec<f32>> {
        self.session.context.check_interrupt()?;
        let n_generalists = self.generalists.len();
        let of_specialists = chosen.iter().map(|idx| &self.predictions[n_generalists + idx]);
        let external = &self.predictions[n_generalists + self.specialists.len()..];
        let predictions: Vec<&[f32]> =
            self.predictions[..n_generalists].iter().chain(of_specialists).chain(external).map(Vec::as_slice).collect();
        let specialists = chosen.iter().map(|idx| &self.specialists[*idx]).collect();
        Ensemble::of(self.session, self.generalists, specialists, fitted)?.merge(&predictions)
    }

    /// Adds the specialist that lowers the negative log likelihood most, until none does (Caruana et al. 2004).
    fn greedy(&self, fitted: FittedMerge) -> Result<Vec<usize>> {
        let mut chosen: Vec<usize> = Vec::new();
        let mut reached = self.nll(&chosen, fitted)?;
        loop {
            let mut best: Option<(f64, usize)> = None;
            for candidate in (0..self.specialists.len()).filter(|idx| !chosen.contains(idx)) {
                let nll = self.nll(&[&chosen[..], &[candidate]].concat(), fitted)?;
                if best.is_none_or(|(least, _)| nll < least) {
                    best = Some((nll, candidate));
                }
            }
            match best {
                Some((nll, candidate)) if nll < reached - LEAST_GAIN => {
                    chosen.push(candidate);
                    reached = nll;
                }
                _ => break,
            }
        }
        chosen.sort_unstable();
        Ok(chosen)
    }

    /// Whether these specialists lower the negative log likelihood of the generalists' mean.
    fn helps(&self, chosen: &[usize], fitted: FittedMerge) -> Result<bool> {
        Ok(self.nll(chosen, fitted)? < self.nll(&[], FittedMerge::NONE)? - LEAST_GAIN)
    }

    /// The specialists' common weight.
    fn fit_weight(&self, chosen: &[usize]) -> Result<f64> {
        least(|specialist_weight| self.nll(chosen, FittedMerge { specialist_weight, ..FittedMerge::NONE }))
    }

    /// The temperature of the merged distributions.
    fn fit_temperature(&self, chosen: &[usize], fitted: FittedMerge) -> Result<Temperature> {
        fit_temperature(&self.merge(chosen, fitted)?, &self.labels, self.session.data.n_classes())
    }
}
