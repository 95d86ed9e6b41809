//! What the validation split says about each specialist, before any of them is heard: whether it beats the generalist
//! on its own classes, and how well its dustbin is calibrated.
//!
//! N validation examples, C classes, L classes of a specialist.

use super::selection::{Selection, select_teachers};
use super::specialists::Specialist;
use super::training::{Trained, model_error};
use super::{FittedMerge, Member, Workshop};
use crate::config::{KeepSpecialists, SpecialistHead, SpecialistsConfig};
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::store::{Stage, run_stage};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::{ClassId, ClassSubset};
use stillhouse_data::Split;
use stillhouse_ensemble::{DustbinCalibration, dustbin_calibration, refit_dustbin_bias};
use stillhouse_models::HeadInit;
use stillhouse_train::{predict_proba, rank_of_label};

/// One specialist on the validation split.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SpecialistCheck {
    /// Examples of its own classes.
    pub n_own: usize,
    /// Top-1 on them of the generalist that stands beside it, predictions restricted to them.
    pub generalist_top1: f64,
    /// The same of the specialist.
    pub specialist_top1: f64,
    pub dustbin: Option<DustbinCheck>,
}

/// A dustbin as it came out of the training, after the correction by counted priors, and after a refit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct DustbinCheck {
    pub uncorrected: DustbinCalibration,
    pub counted: DustbinCalibration,
    pub refit: DustbinCalibration,
    pub refit_shift: f64,
}

/// All specialists that were trained, with what the validation split says of them.
pub(crate) struct CheckedSpecialists {
    pub key: String,
    pub specialists: Vec<Specialist>,
    pub checks: Vec<SpecialistCheck>,
    /// Which of them the merge hears.
    pub kept: Vec<usize>,
    pub fitted: FittedMerge,
}

const CHECKS: &str = "checks.json";

/// The stage that checks the specialists with these keys.
pub(crate) fn check_stage(shop: &Workshop<'_>, generalists: &[&str], specialists: &[&str]) -> Stage {
    let refits = shop.config.specialists.as_ref().map(SpecialistsConfig::refits_dustbins);
    Stage::new("validation", None, &(&shop.fingerprint, generalists, specialists, refits))
}

/// The generalists, and all external teachers: everyone whom the merge hears beside the specialists.
fn members_beside<'m>(shop: &'m Workshop<'_>, generalists: &'m [Trained]) -> Vec<Member<'m>> {
    generalists.iter().map(Member::Network).chain(shop.external.iter().map(Member::External)).collect()
}

/// Checks all specialists on the validation split, refits dustbins and leaves out specialists as the config asks.
pub(crate) fn check_specialists(
    shop: &Workshop<'_>,
    generalists: &[Trained],
    mut specialists: Vec<Specialist>,
) -> Result<CheckedSpecialists> {
    let generalist_keys: Vec<&str> = members_beside(shop, generalists).iter().map(Member::key).collect();
    let specialist_keys: Vec<&str> = specialists.iter().map(|specialist| specialist.trained.key.as_str()).collect();
    let stage = check_stage(shop, &generalist_keys, &specialist_keys);
    let produce = |folder: &Path| {
        let checks = shop.context.with_all_threads(|| check_all(shop, generalists, &specialists))??;
        write_json(&folder.join(CHECKS), &checks)
    };
    let checks: Vec<SpecialistCheck> =
        run_stage(shop.context, &stage, produce, |folder| read_json(&folder.join(CHECKS)))?;
    if shop.config.specialists.as_ref().is_some_and(SpecialistsConfig::refits_dustbins) {
        for (specialist, check) in specialists.iter_mut().zip(&checks) {
            apply_refit(specialist, check)?;
        }
    }
    let (selection, key) = select_teachers(shop, stage.key(), generalists, &specialists, &checks)?;
    note_dropped(shop, &specialists, &selection.kept);
    let Selection { kept, fitted } = selection;
    Ok(CheckedSpecialists { key, specialists, checks, kept, fitted })
}

impl CheckedSpecialists {
    /// The specialists that the merge hears.
    pub fn kept(&self) -> Vec<&Specialist> {
        self.kept.iter().map(|idx| &self.specialists[*idx]).collect()
    }
}

fn note_dropped(shop: &Workshop<'_>, specialists: &[Specialist], kept: &[usize]) {
    let dropped: Vec<usize> = (0..specialists.len()).filter(|idx| !kept.contains(idx)).collect();
    if dropped.is_empty() {
        return;
    }
    let why = match shop.config.specialists.as_ref().map(|config| config.keep) {
        Some(KeepSpecialists::Greedy) => "do not lower the validation loss of the merge",
        _ => "do not beat the generalist on their own validation classes",
    };
    let names: Vec<String> = dropped.iter().map(|idx| specialists[*idx].cluster_idx.to_string()).collect();
    let counts = format!("{} of {} specialists", dropped.len(), specialists.len());
    shop.context.note("validation", format!("{counts} {why} and are not heard: {}", names.join(", ")));
}

/// Moves the dustbin of a copy: the stored weights stay those of the training.
fn apply_refit(specialist: &mut Specialist, check: &SpecialistCheck) -> Result<()> {
    let Some(dustbin) = &check.dustbin else { return Ok(()) };
    let model = specialist.trained.model.with_head(HeadInit::Same).map_err(model_error)?;
    model.add_to_output_bias(specialist.subset.len(), dustbin.refit_shift).map_err(model_error)?;
    specialist.trained.model = Arc::new(model);
    specialist.refit_shift = dustbin.refit_shift;
    Ok(())
}

fn check_all(shop: &Workshop<'_>, generalists: &[Trained], specialists: &[Specialist]) -> Result<Vec<SpecialistCheck>> {
    let check = |specialist: &Specialist| -> Result<SpecialistCheck> {
        shop.context.check_interrupt()?;
        let generalist = shop.generalist_beside(generalists, specialist.cluster_idx);
        let own = own_examples(&shop.valid, &specialist.subset);
        let members = specialist.subset.members();
        let by_generalist = generalist.predict(&own, None)?;
        let by_specialist = predict_proba(&specialist.trained.model, &own, None)?;
        let of_generalist = |row: &[f32]| members.iter().map(|class| row[class.index()]).collect();
        let of_specialist = |row: &[f32]| specialist.own_probs(row).collect();
        Ok(SpecialistCheck {
            n_own: own.len(),
            generalist_top1: restricted_top1(&own, &specialist.subset, &by_generalist, of_generalist),
            specialist_top1: restricted_top1(&own, &specialist.subset, &by_specialist, of_specialist),
            dustbin: check_dustbin(shop, specialist)?,
        })
    };
    specialists.iter().map(check).collect()
}

/// The examples of a subset's classes.
pub(super) fn own_examples(split: &Split, subset: &ClassSubset) -> Split {
    let rows: Vec<usize> = (0..split.len()).filter(|row| subset.contains(split.label(*row))).collect();
    split.select(&rows)
}

/// Share of the examples whose label is the most probable of the subset's classes; `own` picks their probabilities out
/// of a row of outputs.
fn restricted_top1(split: &Split, subset: &ClassSubset, probs: &[f32], own: impl Fn(&[f32]) -> Vec<f32>) -> f64 {
    let n_outputs = probs.len() / split.len().max(1);
    let is_right = |(row, class): &(&[f32], &ClassId)| {
        let local = subset.local(**class).expect("rows of the subset's classes");
        rank_of_label(&own(row), ClassId(local.index() as u32)) == 0
    };
    let n_right = probs.chunks_exact(n_outputs.max(1)).zip(split.labels()).filter(is_right).count();
    n_right as f64 / split.len().max(1) as f64
}

fn check_dustbin(shop: &Workshop<'_>, specialist: &Specialist) -> Result<Option<DustbinCheck>> {
    if specialist.head != SpecialistHead::Dustbin {
        return Ok(None);
    }
    let n_own = specialist.subset.len();
    let probs = predict_proba(&specialist.trained.model, &shop.valid, None)?;
    let dustbin: Vec<f32> = probs.chunks_exact(n_own + 1).map(|row| row[n_own]).collect();
    let is_other: Vec<bool> = shop.valid.labels().iter().map(|class| !specialist.subset.contains(*class)).collect();
    let refit_shift = refit_dustbin_bias(&dustbin, &is_other);
    let after = |shift| dustbin_calibration(&dustbin, &is_other, shift);
    Ok(Some(DustbinCheck {
        uncorrected: after(-specialist.prior_correction),
        counted: after(0.0),
        refit: after(refit_shift),
        refit_shift,
    }))
}
