//! The words of the problem: classes and sets of them, clusterings, examples and views, inputs, n-grams, seeds, temperatures.
//!
//! Everything else in the workspace speaks in these types, so a class number of a specialist cannot be taken for a
//! class number of the dataset, a temperature is never zero, and every random stream has a name.
//!
//! **Absent on purpose:** tensors, files, threads, clocks. These types can be read beside the paper (Hinton, Vinyals
//! and Dean 2015, arXiv:1503.02531) and tested with three classes.

mod class;
mod clustering;
mod draws;
mod example;
mod input;
mod ngrams;
mod seed;
mod temperature;

pub use class::{ClassId, ClassSubset, LocalClass, SubsetError};
pub use clustering::{ClassClustering, ClusteringError};
pub use draws::{Draws, bell_of};
pub use example::{ExampleId, ExampleView, ViewId};
pub use input::{InputShape, InputSpec};
pub use ngrams::Ngrams;
pub use seed::Seed;
pub use temperature::{Temperature, TemperatureError};
