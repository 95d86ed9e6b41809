//! The state of a model: all its parameters and buffers by name, for snapshots, checkpoints and files.

use crate::error::StateMismatch;
use crate::{Model, ModelError};
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;

impl Model {
    /// Copies of all parameters and buffers, in the order of [`Model::params`] and then of [`Model::buffers`]. Training
    /// on does not change them.
    ///
    /// # Errors
    /// A failing copy.
    pub fn state_dict(&self) -> Result<Vec<(String, Tensor)>, ModelError> {
        self.variables().map(|(name, var)| Ok((name.to_owned(), var.as_detached_tensor().copy()?))).collect()
    }

    /// Writes these values into the parameters and buffers; nothing is written if one of them does not fit.
    ///
    /// # Errors
    /// Missing, extra and misshapen tensors, all of them named.
    pub fn load_state(&self, state: impl IntoIterator<Item = (String, Tensor)>) -> Result<(), ModelError> {
        let state: BTreeMap<String, Tensor> = state.into_iter().collect();
        let mismatch = self.mismatch(&state);
        if !mismatch.is_empty() {
            return Err(ModelError::weights(&mismatch));
        }
        for (name, var) in self.variables() {
            var.set(&state[name].to_device(self.device())?)?;
        }
        Ok(())
    }

    /// Whether another model has the same architecture and the same weights, to the bit.
    ///
    /// # Errors
    /// A failing copy from the device.
    pub fn is_same(&self, other: &Self) -> Result<bool, ModelError> {
        let forms = [self, other].map(|model| (model.config(), model.reductions()));
        Ok(forms[0] == forms[1] && self.weights()? == other.weights()?)
    }

    /// The numbers of all parameters and buffers, by name, in row-major order.
    ///
    /// # Errors
    /// A failing copy from the device.
    pub fn weights(&self) -> Result<BTreeMap<String, Vec<f32>>, ModelError> {
        let numbers =
            |(name, var): (&str, &Var)| Ok((name.to_owned(), var.as_detached_tensor().flatten_all()?.to_vec1()?));
        self.variables().map(numbers).collect()
    }

    /// Writes these numbers into the parameters and buffers, as [`Model::weights`] hands them out.
    ///
    /// # Errors
    /// Missing names, and numbers of another count than their parameter has.
    pub fn set_weights(&self, mut weights: BTreeMap<String, Vec<f32>>) -> Result<(), ModelError> {
        let tensor = |(name, var): (&str, &Var)| {
            let numbers = weights.remove(name).ok_or_else(|| ModelError::Misfit(format!("no weights {name}")))?;
            Ok((name.to_owned(), Tensor::from_vec(numbers, var.dims(), self.device())?))
        };
        let state = self.variables().map(tensor).collect::<Result<Vec<_>, ModelError>>()?;
        self.load_state(state)
    }

    /// Names and variables of parameters and buffers.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &Var)> {
        let params = self.params().iter().map(|param| (param.name.as_str(), &param.var));
        params.chain(self.buffers().iter().map(|buffer| (buffer.name.as_str(), &buffer.var)))
    }

    fn mismatch(&self, state: &BTreeMap<String, Tensor>) -> StateMismatch {
        let expected = self.variables().map(|(name, var)| (name, var.dims()));
        let found = state.iter().map(|(name, tensor)| (name.as_str(), tensor.dtype().as_str(), tensor.dims()));
        StateMismatch::between(expected, found)
    }
}
