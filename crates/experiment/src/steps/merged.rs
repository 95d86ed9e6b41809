//! What merging gains on the validation split, told before anything is distilled from it.

use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::ensemble::Ensemble;
use crate::networks::member::Member;
use crate::networks::predictions::{distinct, visit_predictions};
use crate::networks::teacher::Teacher;
use crate::planning::Work;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use serde::{Deserialize, Serialize};
use std::path::Path;
use stillhouse_train::{Metrics, PredictionRecord, metrics_of, records};

/// Raise this when the merge is measured in another way.
const CODE_VERSION: u32 = 8;
const MERGED: &str = "merged.json";

/// On the validation split.
#[derive(Serialize, Deserialize)]
struct MergedCheck {
    generalist: Metrics,
    merged: Metrics,
}

/// Measures the merged ensemble, if there is one, and the generalist on the validation split and says what it found.
pub(crate) fn check_merged(
    session: &Session<'_>,
    generalist: Member<'_>,
    ensemble: Option<&Ensemble<'_>>,
) -> Result<()> {
    let Some(ensemble) = ensemble else { return Ok(()) };
    let stage = Stage::new("merged", CODE_VERSION, None, &(ensemble.stage(), &session.config.merge));
    let plan = || {
        let stand_in = MergedCheck { generalist: metrics_of(&[]), merged: metrics_of(&[]) };
        Ok((Work::prediction(ensemble.members().iter().map(Member::stage), session.data.valid.len()), stand_in))
    };
    let produce = |folder: &Path| {
        let check = session.context.with_all_threads(|| measure(session, generalist, ensemble))??;
        write_json(&folder.join(MERGED), &check)
    };
    let MergedCheck { generalist, merged } =
        run_stage(session.context, &stage, plan, produce, |folder| read_json(&folder.join(MERGED)))?;
    let text = format!(
        "of the validation examples the merged ensemble gets {:.2} % right, the generalist {:.2} %; NLL {:.3} and {:.3}",
        100.0 * merged.top1,
        100.0 * generalist.top1,
        merged.nll,
        generalist.nll
    );
    session.context.note("merged", text);
    Ok(())
}

fn measure(session: &Session<'_>, generalist: Member<'_>, ensemble: &Ensemble<'_>) -> Result<MergedCheck> {
    let teachers = [Teacher::Single(generalist), Teacher::Merged(ensemble)];
    let members = distinct(teachers.iter().flat_map(Teacher::members));
    let valid = &session.data.valid;
    let mut seen: [Vec<PredictionRecord>; 2] = Default::default();
    visit_predictions(session, &members, valid, |rows, predictions| {
        for (teacher, seen) in teachers.iter().zip(&mut seen) {
            seen.extend(records(&teacher.apply(predictions)?, &valid.labels()[rows.clone()], session.data.n_classes()));
        }
        Ok(())
    })?;
    let [generalist, merged] = seen.map(|records| metrics_of(&records));
    Ok(MergedCheck { generalist, merged })
}
