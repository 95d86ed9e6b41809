//! Smaller layers in closed form: pure functions of weights and of what the layers read on some examples.
//!
//! **Absent on purpose:** tensors, files, threads, and training. What is lost here is won back by going on with the training,
//! which is the caller's.

#![forbid(unsafe_code)]

mod low_rank;
mod moments;
mod pruning;
#[cfg(test)]
mod samples;

pub use low_rank::{Factors, LayerSpectrum, choose_ranks};
pub use moments::{Moments, PairedMoments, Refit};
pub use pruning::{Reader, RemovalOrder, choose_removals};
