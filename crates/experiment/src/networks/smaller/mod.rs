//! A network with fewer numbers, in closed form, as a stage: from its weights and what its layers read on some examples.

mod blocks;
mod layers;
mod low_rank;
mod pruning;
mod refit;

use crate::error::Result;
use crate::files::{read_json, write_json};
use crate::networks::artifacts::Trained;
use crate::planning::Work;
use crate::seal::sealed_file;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use layers::{STAGE, blank, n_examples};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use stillhouse_data::Split;
use stillhouse_models::Reductions;
use stillhouse_train::{FitSummary, load_weights, save_weights};

/// Raise this when other numbers are chosen.
const CODE_VERSION: u32 = 3;
const REDUCTIONS: &str = "reductions.json";
const WEIGHTS: &str = "model.safetensors";

/// A way to fewer numbers, with the share of them that may stay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// linear layers as products of two factors, with the least error on what they read
    LowRank(f64),
    /// the same with the least error of the weights, as a control
    PlainLowRank(f64),
    /// fewer hidden units, channels and heads; the layer that reads them makes up for it
    Pruned(f64),
    /// fewer layers of an encoder, or blocks of a residual network; the layers that stay are refit
    FewerBlocks(f64),
    /// the weights nearest to 0 at 0, as a control: no file of this program becomes smaller by it
    Zeros(f64),
}

impl Way {
    /// What is done to the network, for a table.
    pub fn words(self) -> String {
        let (what, share) = match self {
            Self::LowRank(share) => ("linear layers at", share),
            Self::PlainLowRank(share) => ("linear layers by plain SVD at", share),
            Self::Pruned(share) => ("units, channels and heads at", share),
            Self::FewerBlocks(share) => ("layers or blocks at", share),
            Self::Zeros(share) => ("all but the largest weights at 0, left", share),
        };
        format!("{what} {:.0} %", 100.0 * share)
    }
}

/// The network made smaller in this way; as it is where nothing would become smaller. `examples` are some that it has learned from.
pub(crate) fn smaller(session: &Session<'_>, network: &Trained, examples: &Split, way: Way) -> Result<Trained> {
    let stage = Stage::new(STAGE, CODE_VERSION, None, &(&network.stage, way));
    let trained = |model| Trained {
        role: network.role,
        stage: stage.clone(),
        body_key: stage.key().to_owned(),
        model: Arc::new(model),
        fit: FitSummary::default(),
    };
    let plan = || {
        // what is left is not known before the layers are looked at
        let known = session.context.artifact(&stage).map(|folder| sealed_file(&folder, REDUCTIONS));
        let reductions = known.map_or(Ok(Reductions::default()), |path| read_json(&path?))?;
        Ok((
            Work::prediction([&network.stage], n_examples(&network.model)),
            trained(blank(session, &network.model, &reductions)?),
        ))
    };
    let produce = |folder: &Path| {
        let make = || {
            let model = &network.model;
            match way {
                Way::LowRank(share) => low_rank::factored(session, model, examples, share),
                Way::PlainLowRank(share) => low_rank::plainly_factored(session, model, share),
                Way::Pruned(share) => pruning::pruned(session, model, examples, share),
                Way::FewerBlocks(share) => blocks::without_blocks(session, model, examples, share),
                Way::Zeros(share) => pruning::zeros(session, model, share),
            }
        };
        let model = session.context.with_all_threads(make)??;
        write_json(&folder.join(REDUCTIONS), model.reductions())?;
        save_weights(&folder.join(WEIGHTS), &model)?;
        Ok(())
    };
    let load = |folder: &Path| {
        let model = blank(session, &network.model, &read_json(&folder.join(REDUCTIONS))?)?;
        load_weights(&folder.join(WEIGHTS), &model)?;
        Ok(trained(model))
    };
    run_stage(session.context, &stage, plan, produce, load)
}
