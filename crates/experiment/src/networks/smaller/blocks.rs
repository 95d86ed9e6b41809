//! Fewer layers of an encoder, fewer blocks of a residual network.

use super::layers::{Layers, read_layer};
use super::refit::{Cuts, refit_in_order};
use crate::error::Result;
use crate::networks::network::model_error;
use crate::session::Session;
use std::collections::BTreeSet;
use stillhouse_compress::PairedMoments;
use stillhouse_data::Split;
use stillhouse_models::{LayerKind, Model};

/// The model with at most this share of the blocks that can be left out, and one at least. Each time that one goes whose absence the
/// head could make up for best; all layers that are left then do.
pub(super) fn without_blocks(session: &Session<'_>, whole: &Model, examples: &Split, share: f64) -> Result<Model> {
    let n_blocks = whole.removable_blocks().len();
    let n_kept = ((share * n_blocks as f64) as usize).max(1);
    let layers = Layers::read(session, whole, examples)?;
    let mut small = whole.without_blocks(&BTreeSet::new()).map_err(model_error)?;
    let Some(head) = layers.iter().find(|layer| layer.kind == LayerKind::Head) else { return Ok(small) };
    let weight = head.weight(&whole.weights().map_err(model_error)?);
    let by_whole = read_layer(whole, examples, head)?;
    for _ in n_kept..n_blocks {
        let mut best: Option<(f64, Model)> = None;
        for block in small.removable_blocks() {
            session.context.check_interrupt()?;
            let without = small.without_blocks(&BTreeSet::from([block.clone()])).map_err(model_error)?;
            let by_small = read_layer(&without, examples, head)?;
            let lost = PairedMoments::new(head.moments.n_inputs(), &by_whole, &by_small).lost(&weight, &head.moments);
            if best.as_ref().is_none_or(|(least, _)| lost < *least) {
                best = Some((lost, without));
            }
        }
        small = best.expect("a block is left").1;
    }
    refit_in_order(session, whole, &small, (&layers, examples), &Cuts::default())
}
