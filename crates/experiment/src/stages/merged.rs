//! What merging gains on the validation split, told before anything is distilled from it.

use super::answers::Voices;
use super::{Ensemble, Member, Teacher, Workshop};
use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::store::{Stage, run_stage};
use serde::{Deserialize, Serialize};
use std::path::Path;
use stillhouse_train::{Metrics, PredictionRecord, metrics_of, records};

const MERGED: &str = "merged.json";

/// On the validation split.
#[derive(Serialize, Deserialize)]
struct MergedCheck {
    generalist: Metrics,
    merged: Metrics,
}

/// The stage that measures the merge of the teachers with this key.
pub(crate) fn merged_stage(shop: &Workshop<'_>, ensemble_key: &str) -> Stage {
    Stage::new("merged", None, &(ensemble_key, &shop.config.merge))
}

/// Measures the merged ensemble beside the generalist on the validation split and says what it found.
pub(crate) fn check_merged(shop: &Workshop<'_>, generalist: Member<'_>, ensemble: &Ensemble<'_>) -> Result<()> {
    let stage = merged_stage(shop, &ensemble.key);
    let produce = |folder: &Path| {
        let check = shop.context.with_all_threads(|| measure(shop, generalist, ensemble))??;
        write_json(&folder.join(MERGED), &check)
    };
    let MergedCheck { generalist, merged } =
        run_stage(shop.context, &stage, produce, |folder| read_json(&folder.join(MERGED)))?;
    let text = format!(
        "of the validation examples the merged ensemble gets {:.2} % right, the generalist {:.2} %; NLL {:.3} and {:.3}",
        100.0 * merged.top1,
        100.0 * generalist.top1,
        merged.nll,
        generalist.nll
    );
    shop.context.note("merged", text);
    Ok(())
}

fn measure(shop: &Workshop<'_>, generalist: Member<'_>, ensemble: &Ensemble<'_>) -> Result<MergedCheck> {
    let teachers = [Teacher::Single(generalist), Teacher::Merged(ensemble)];
    let mut seen: [Vec<PredictionRecord>; 2] = Default::default();
    Voices::new(teachers.iter().flat_map(Teacher::members)).ask(shop, &shop.valid, |rows, answers| {
        for (teacher, seen) in teachers.iter().zip(&mut seen) {
            seen.extend(records(&answers.by(teacher)?, &shop.valid.labels()[rows.clone()], shop.n_classes()));
        }
        Ok(())
    })?;
    let [generalist, merged] = seen.map(|records| metrics_of(&records));
    Ok(MergedCheck { generalist, merged })
}
