//! Networks and what they predict: shared by all steps of [`crate::pipeline`].
//!
//! `recipe.rs` says what decides a training, `training.rs` trains, `artifacts.rs` is what comes out. A `Member` is one source
//! of predictions, a `Teacher` a distribution made of members, the `Ensemble` their merge (paper, eq. 5); `predictions.rs`
//! predicts a split.

pub(crate) mod artifacts;
pub(crate) mod ensemble;
pub(crate) mod held_out;
pub(crate) mod latency;
pub(crate) mod member;
pub(crate) mod memory;
pub(crate) mod network;
pub(crate) mod predictions;
pub(crate) mod recipe;
pub(crate) mod smaller;
pub(crate) mod student_targets;
pub(crate) mod targets;
pub(crate) mod teacher;
pub(crate) mod teachers;
pub(crate) mod temperature;
pub(crate) mod tokenizer;
pub(crate) mod training;
