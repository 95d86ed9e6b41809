//! Checks each specialist on the validation split before any is merged: whether it beats the generalist on its own classes,
//! and how well its dustbin is calibrated.
//!
//! N validation examples, C classes, L classes of a specialist.

use crate::config::{KeepSpecialists, SpecialistHead, SpecialistsConfig};
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::{CheckedSpecialists, DustbinCheck, Specialist, SpecialistCheck, Trained};
use crate::networks::member::{Member, generalist_for};
use crate::networks::network::model_error;
use crate::networks::predictions::{distinct, visit_predictions};
use crate::planning::Work;
use crate::session::Session;
use crate::stage::Stage;
use crate::steps::selection::{Selection, select_teachers};
use crate::store::run_stage;
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::ClassId;
use stillhouse_ensemble::{dustbin_calibration, refit_dustbin_bias};
use stillhouse_models::HeadInit;
use stillhouse_train::rank_of_label;

/// Raise this when specialists are checked in another way.
const CODE_VERSION: u32 = 8;
const CHECKS: &str = "checks.json";

/// Checks all specialists on the validation split, refits dustbins and leaves out specialists as the config asks.
pub(crate) fn check_specialists(
    session: &Session<'_>,
    generalists: &[Trained],
    mut specialists: Vec<Specialist>,
) -> Result<CheckedSpecialists> {
    // the key of everything that is merged afterwards, so that the stages after this one need no other
    let merged: Vec<&Stage> = generalists
        .iter()
        .map(|generalist| &generalist.stage)
        .chain(session.external.iter().map(|external| &external.stage))
        .chain(specialists.iter().map(|specialist| &specialist.trained.stage))
        .collect();
    let refits = session.config.specialists.as_ref().map(SpecialistsConfig::refits_dustbins);
    let inputs = (&session.data.fingerprint, merged, refits);
    let stage = Stage::new("validation", CODE_VERSION, None, &inputs);
    let plan = || {
        let networks = generalists.iter().chain(specialists.iter().map(|specialist| &specialist.trained));
        let unknown = SpecialistCheck { n_own: 0, generalist_top1: 0.0, specialist_top1: 0.0, dustbin: None };
        Ok((
            Work::prediction(networks.map(|network| &network.stage), session.data.valid.len()),
            vec![unknown; specialists.len()],
        ))
    };
    let produce = |folder: &Path| {
        let checks = session.context.with_all_threads(|| check_all(session, generalists, &specialists))??;
        write_json(&folder.join(CHECKS), &checks)
    };
    let checks: Vec<SpecialistCheck> = match &specialists[..] {
        [] => Vec::new(),
        _ => run_stage(session.context, &stage, plan, produce, |folder| read_json(&folder.join(CHECKS)))?,
    };
    if session.config.specialists.as_ref().is_some_and(SpecialistsConfig::refits_dustbins) {
        for (specialist, check) in specialists.iter_mut().zip(&checks) {
            apply_refit(specialist, check)?;
        }
    }
    let (selection, stage) = select_teachers(session, stage, generalists, &specialists, &checks)?;
    note_dropped(session, &specialists, &selection.kept);
    let Selection { kept, fitted } = selection;
    Ok(CheckedSpecialists { stage, specialists, checks, kept, fitted })
}

fn note_dropped(session: &Session<'_>, specialists: &[Specialist], kept: &[usize]) {
    let dropped: Vec<usize> = (0..specialists.len()).filter(|idx| !kept.contains(idx)).collect();
    if dropped.is_empty() {
        return;
    }
    let why = match session.config.specialists.as_ref().map(|config| config.keep) {
        Some(KeepSpecialists::Greedy) => "do not lower the validation loss of the merge",
        _ => "do not beat the generalist on their own validation classes",
    };
    let names: Vec<String> = dropped.iter().map(|idx| specialists[*idx].cluster_idx.to_string()).collect();
    let counts = format!("{} of {} specialists", dropped.len(), specialists.len());
    session.context.note("validation", format!("{counts} {why} and are not merged: {}", names.join(", ")));
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

fn check_all(
    session: &Session<'_>,
    generalists: &[Trained],
    specialists: &[Specialist],
) -> Result<Vec<SpecialistCheck>> {
    let valid = &session.data.valid;
    let generalist_for = |specialist: &Specialist| generalist_for(session, generalists, specialist.cluster_idx);
    let networks = specialists.iter().map(|specialist| Member::Network(&specialist.trained));
    let members = distinct(specialists.iter().map(generalist_for).chain(networks));
    let mut counts: Vec<Counts> = specialists.iter().map(|_| Counts::default()).collect();
    visit_predictions(session, &members, valid, |rows, predictions| {
        for (specialist, counts) in specialists.iter().zip(&mut counts) {
            let by_generalist = predictions.of(generalist_for(specialist)).chunks_exact(session.data.n_classes());
            let outputs = predictions.of(Member::Network(&specialist.trained));
            let by_specialist = outputs.chunks_exact(specialist.trained.model.n_outputs());
            for ((row, generalist), specialist_row) in rows.clone().zip(by_generalist).zip(by_specialist) {
                counts.add(specialist, valid.label(row), generalist, specialist_row);
            }
        }
        Ok(())
    })?;
    Ok(specialists.iter().zip(counts).map(|(specialist, counts)| counts.finish(session, specialist)).collect())
}

/// Counts over the predictions of one specialist and of the generalist that it is compared with.
#[derive(Default)]
struct Counts {
    /// Examples of its own classes, and how many of them each is right on with predictions restricted to these classes.
    n_own: usize,
    n_right_generalist: usize,
    n_right_specialist: usize,
    /// For every example; empty without a dustbin.
    dustbin: Vec<f32>,
}

impl Counts {
    fn add(&mut self, specialist: &Specialist, label: ClassId, by_generalist: &[f32], by_specialist: &[f32]) {
        if specialist.head == SpecialistHead::Dustbin {
            self.dustbin.push(by_specialist[specialist.subset.len()]);
        }
        let Some(local) = specialist.subset.local(label) else { return };
        let is_right = |own: &[f32]| rank_of_label(own, ClassId(local.index() as u32)) == 0;
        let own: Vec<f32> = specialist.subset.members().iter().map(|class| by_generalist[class.index()]).collect();
        self.n_own += 1;
        self.n_right_generalist += usize::from(is_right(&own));
        self.n_right_specialist += usize::from(is_right(&specialist.own_probs(by_specialist).collect::<Vec<f32>>()));
    }

    fn finish(self, session: &Session<'_>, specialist: &Specialist) -> SpecialistCheck {
        let share = |n_right: usize| n_right as f64 / self.n_own.max(1) as f64;
        SpecialistCheck {
            n_own: self.n_own,
            generalist_top1: share(self.n_right_generalist),
            specialist_top1: share(self.n_right_specialist),
            dustbin: (!self.dustbin.is_empty()).then(|| check_dustbin(session, specialist, &self.dustbin)),
        }
    }
}

/// Checks a dustbin by its probabilities for all validation examples.
fn check_dustbin(session: &Session<'_>, specialist: &Specialist, dustbin: &[f32]) -> DustbinCheck {
    let is_other: Vec<bool> =
        session.data.valid.labels().iter().map(|class| !specialist.subset.contains(*class)).collect();
    let refit_shift = refit_dustbin_bias(dustbin, &is_other);
    let after = |shift| dustbin_calibration(dustbin, &is_other, shift);
    DustbinCheck {
        uncorrected: after(-specialist.counted_shift),
        counted: after(0.0),
        refit: after(refit_shift),
        refit_shift,
    }
}
