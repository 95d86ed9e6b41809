//! The rooms off the corridor: one file for each step of [`crate::pipeline`].

mod baselines;
mod clustering;
mod ensemble;
mod evaluation;
mod external;
mod generalist;
mod held_out;
mod out_of_scope;
pub(crate) mod planning;
mod portfolio;
mod samples;
mod selection;
mod soft_targets;
mod specialists;
mod student;
mod teacher;
mod tokenizer;
mod training;
mod validation;
mod workshop;

pub(crate) use baselines::train_generalist_ensemble;
pub(crate) use clustering::{Clustered, cluster_classes};
pub(crate) use ensemble::Ensemble;
pub(crate) use evaluation::{Evaluated, Models, evaluate};
pub(crate) use external::read_external_teachers;
pub(crate) use generalist::train_generalists;
pub(crate) use selection::FittedMerge;
pub(crate) use soft_targets::{soft_targets_of, store_soft_targets};
pub(crate) use specialists::{Specialist, train_specialists};
pub(crate) use student::{Students, train_students};
pub(crate) use teacher::{Member, Teacher};
pub(crate) use tokenizer::{Tokenizers, make_tokenizers};
pub(crate) use training::Trained;
pub(crate) use validation::{CheckedSpecialists, check_specialists};
pub(crate) use workshop::Workshop;
