//! Losses over logits, computed in log space in one pass, averaged over the batch, scalar outputs.
//!
//! Shapes: `B` examples, `C` classes. All take `logits [B, C]` and return a tensor of rank 0; gradients flow to the
//! logits only, targets are constants.

mod adjusted;
mod batch;
mod decoupled;
mod hard;
mod logit;
mod soft;
mod sparse;
mod standardised;

pub use adjusted::{LabelTerms, adjusted_cross_entropy};
pub(crate) use batch::Exponentials;
pub use decoupled::{Decoupled, decoupled_cross_entropy};
pub use hard::{NO_LABEL, cross_entropy};
pub use logit::logit_l2;
pub use soft::soft_cross_entropy;
pub use sparse::{SparseTargets, sparse_soft_cross_entropy};
pub(crate) use standardised::MIN_VARIANCE;
pub use standardised::standardised_soft_cross_entropy;
