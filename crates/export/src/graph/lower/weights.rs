//! The parameters and buffers of a model as plain numbers, by name.

use super::super::Constant;
use crate::ExportError;
use std::collections::BTreeMap;
use stillhouse_models::{Model, ModelError};

/// Parameters and running statistics that are still to be lowered; each is taken once.
pub(super) struct Weights(BTreeMap<String, Constant>);

impl Weights {
    /// Copies all of them from the model's device.
    pub(super) fn of(model: &Model) -> Result<Self, ExportError> {
        let params = model.params().iter().map(|param| (&param.name, &param.var));
        let buffers = model.buffers().iter().map(|buffer| (&buffer.name, &buffer.var));
        let read = |(name, var): (&String, &candle_core::Var)| {
            let values = var.as_detached_tensor().flatten_all().and_then(|flat| flat.to_vec1());
            let values = values.map_err(ModelError::from)?;
            Ok((name.clone(), Constant { name: name.clone(), dims: var.dims().to_vec(), values }))
        };
        Ok(Self(params.chain(buffers).map(read).collect::<Result<_, ExportError>>()?))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Sizes of a parameter that the architecture is known to have.
    pub(super) fn dims(&self, name: &str) -> &[usize] {
        &self.0[name].dims
    }

    /// Multiplies weight and bias of a linear layer. Codes of rounded rows stay what they are, with other scales.
    pub(super) fn scale(&mut self, layer: &str, factor: f64) {
        for part in ["weight", "bias"] {
            let constant = self.0.get_mut(&format!("{layer}.{part}")).expect("a linear layer has both");
            constant.values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
        }
    }

    /// A parameter that the architecture is known to have.
    pub(super) fn take(&mut self, name: &str) -> Constant {
        self.0.remove(name).unwrap_or_else(|| panic!("the model has no parameter {name}"))
    }
}
