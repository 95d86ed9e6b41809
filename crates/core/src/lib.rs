//! The types of the problem: classes and sets of them, clusterings, examples and views, inputs, n-grams, seeds,
//! temperatures; and what is wrong with a config ([`Problem`]).
//!
//! All other crates use these types. So a class number of a specialist cannot be taken for a class number of the
//! dataset, a temperature is never zero, and every random stream has a name. The notation is that of the paper (Hinton,
//! Vinyals and Dean 2015, arXiv:1503.02531).
//!
//! **Absent on purpose:** tensors, files, threads, clocks.

#![forbid(unsafe_code)]

mod class;
mod clustering;
mod draws;
mod error;
mod example;
mod input;
mod ngrams;
mod problem;
mod schema;
mod seed;
mod size;
mod temperature;

pub use class::{ClassId, ClassSubset, LocalClass};
pub use clustering::ClassClustering;
pub use draws::{Draws, bell_of};
pub use error::CoreError;
pub use example::{ExampleId, ExampleView, ViewId};
pub use input::{InputShape, InputSpec};
pub use ngrams::Ngrams;
pub use problem::{Problem, in_words};
pub use schema::{
    ConfigSchema, Node, Range, TableForm, TablePlace, check_table, check_values, is_same_table, synonyms, toml_of_json,
};
pub use seed::Seed;
pub use size::{TooLarge, values_within};
pub use temperature::Temperature;
