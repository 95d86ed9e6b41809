//! What a reverse pass returns.

use std::collections::HashMap;

use candle_core::{Result, Tensor, TensorId};

/// The gradients of the variables that a loss depends on. Each lies in memory of its own, so it may be changed in place.
#[derive(Debug)]
pub struct Gradients(HashMap<TensorId, Tensor>);

impl Gradients {
    pub(crate) fn new(gradients: HashMap<TensorId, Tensor>) -> Self {
        Self(gradients)
    }

    /// The gradients that candle's own reverse pass finds, for a loss outside of any recording.
    ///
    /// # Errors
    /// A failing operation.
    pub fn of_candle(loss: &Tensor) -> Result<Self> {
        let store = loss.backward()?;
        let gradients = store.get_ids().filter_map(|id| Some((*id, store.get_id(*id)?.clone())));
        Ok(Self(gradients.collect()))
    }

    /// The gradient of a variable; none where the loss does not depend on it.
    pub fn get(&self, variable: &Tensor) -> Option<&Tensor> {
        self.0.get(&variable.id())
    }

    /// Takes a variable's gradient out.
    pub fn remove(&mut self, variable: &Tensor) -> Option<Tensor> {
        self.0.remove(&variable.id())
    }
}
