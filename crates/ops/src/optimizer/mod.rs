//! Optimizer steps that change parameters in place, each in one pass over memory, in parallel over fixed chunks.
//!
//! The state (velocity, moments) belongs to the caller, as plain tensors. So a checkpoint can hold it, and a resumed
//! run continues with the same bits.

mod adamw;
mod average;
mod clip;
mod in_place;
mod max_norm;
mod rows;
mod sgd;

pub use adamw::{AdamWHyper, adamw_step};
pub use average::average_step;
pub use clip::{clip_factor, global_norm};
pub use max_norm::{max_norm_columns, max_norm_rows};
pub use rows::{adamw_step_rows, sgd_step_rows};
pub use sgd::{SgdHyper, sgd_step};
