//! The exponential moving average of a model's weights, which is evaluated and saved in their place.

use crate::TrainError;
use candle_core::{Tensor, Var};
use rayon::prelude::*;
use stillhouse_models::Model;
use stillhouse_ops::optimizer::average_step;

/// The average of all parameters and of the running statistics of batch norms.
pub(crate) struct WeightAverage {
    decay: f64,
    /// in the order of [`Model::state_dict`]
    state: Vec<(String, Tensor)>,
}

/// A model's weights by name.
pub(crate) type State = Vec<(String, Tensor)>;

impl WeightAverage {
    /// Begins with the weights as they are.
    pub(crate) fn new(decay: f64, model: &Model) -> Result<Self, TrainError> {
        Ok(Self { decay, state: model.state_dict()? })
    }

    /// Moves the average towards the weights after so many optimizer steps. In the first steps it moves further, so that little
    /// is left of the initial weights.
    pub(crate) fn update(&self, model: &Model, n_steps: u64) -> candle_core::Result<()> {
        let decay = self.decay.min((1.0 + n_steps as f64) / (10.0 + n_steps as f64));
        let params = model.params().iter().map(|param| &param.var);
        let variables: Vec<&Var> = params.chain(model.buffers().iter().map(|buffer| &buffer.var)).collect();
        let pairs = self.state.par_iter().zip(variables);
        pairs.try_for_each(|((_, average), var)| average_step(average, var.as_tensor(), decay))
    }

    /// Puts the average in place of the model's weights, which are handed out.
    pub(crate) fn put_in(&self, model: &Model) -> Result<State, TrainError> {
        let weights = model.state_dict()?;
        model.load_state(self.state.iter().cloned())?;
        Ok(weights)
    }

    /// The average, for a checkpoint.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Goes on from the average of a checkpoint; the names are those of [`Model::state_dict`].
    pub(crate) fn restore(&mut self, mut saved: std::collections::HashMap<String, Tensor>) -> Result<(), String> {
        for (name, average) in &mut self.state {
            *average = saved.remove(name).ok_or_else(|| format!("no average of {name}"))?;
        }
        Ok(())
    }
}
