//! The steps of [`crate::pipeline`], one file each, in the order of the paper:
//! external, tokenizers, generalist, clustering, specialists, validation (with selection), merged, soft_targets, student, ship, calibration,
//! evaluation.

pub(crate) mod calibration;
pub(crate) mod clustering;
pub(crate) mod evaluation;
pub(crate) mod external;
pub(crate) mod generalist;
pub(crate) mod merged;
mod selection;
pub(crate) mod ship;
pub(crate) mod soft_targets;
pub(crate) mod specialists;
pub(crate) mod student;
pub(crate) mod tokenizers;
pub(crate) mod validation;
