//! The state of a model: all its parameters and buffers by name, for snapshots, checkpoints and files.

use crate::error::StateMismatch;
use crate::{Model, ModelError};
use candle_core::{DType, Tensor, Var};
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

    /// Names and variables of parameters and buffers.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &Var)> {
        let params = self.params().iter().map(|param| (param.name.as_str(), &param.var));
        params.chain(self.buffers().iter().map(|buffer| (buffer.name.as_str(), &buffer.var)))
    }

    fn mismatch(&self, state: &BTreeMap<String, Tensor>) -> StateMismatch {
        let mut mismatch = StateMismatch::default();
        let mut n_known = 0;
        for (name, var) in self.variables() {
            match state.get(name) {
                None => mismatch.missing.push(name.to_owned()),
                Some(tensor) => {
                    n_known += 1;
                    if tensor.dims() != var.dims() || tensor.dtype() != DType::F32 {
                        let (got, expected) = (tensor.dims(), var.dims());
                        let dtype = tensor.dtype().as_str();
                        mismatch.misshapen.push(format!("{name} ({dtype} {got:?}, expected f32 {expected:?})"));
                    }
                }
            }
        }
        if n_known < state.len() {
            let known: std::collections::BTreeSet<&str> = self.variables().map(|(name, _)| name).collect();
            mismatch.extra = state.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();
        }
        mismatch
    }
}
