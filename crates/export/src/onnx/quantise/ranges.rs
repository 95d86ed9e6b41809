//! Ranges of activations, measured on examples.

use crate::graph::{Example, Graph, ValueId};
use rayon::prelude::*;

/// Smallest and largest number of each value of a graph; 0 is always within, since padding is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges {
    of_values: Vec<[f32; 2]>,
    n_examples: usize,
}

impl Ranges {
    /// Runs the graph on all examples. The result does not depend on their order or on the number of threads.
    ///
    /// # Panics
    /// Examples that the graph cannot read.
    pub fn measure(graph: &Graph, examples: &[Example]) -> Self {
        let of_nothing = || vec![[0.0; 2]; graph.nodes().len() + 1];
        let of_example = |example: &Example| graph.run(example).iter().map(|values| range(values)).collect();
        let of_values = examples.par_iter().map(of_example).reduce(of_nothing, |mut all: Vec<[f32; 2]>, other| {
            all.iter_mut().zip(other).for_each(|(all, other)| *all = [all[0].min(other[0]), all[1].max(other[1])]);
            all
        });
        Self { of_values, n_examples: examples.len() }
    }

    /// Smallest and largest number of a value.
    pub fn of(&self, value: ValueId) -> [f32; 2] {
        self.of_values[value.index()]
    }

    /// Number of examples that were run.
    pub fn n_examples(&self) -> usize {
        self.n_examples
    }
}

fn range(values: &[f32]) -> [f32; 2] {
    values.iter().fold([0.0; 2], |[smallest, largest], value| [smallest.min(*value), largest.max(*value)])
}
