//! Named variables of a model, and the registry that collects them while the layers are built.

use crate::ModelError;
use candle_core::{DType, Device, Tensor, Var};
use stillhouse_core::Seed;
use stillhouse_ops::init::{self, InitKey};

/// A trainable variable.
#[derive(Clone, Debug)]
pub struct Param {
    /// unique in the model, for example `stages.0.blocks.1.conv1.weight`; it also names the initialisation's stream
    pub name: String,
    /// the variable; a clone shares its storage
    pub var: Var,
    /// whether weight decay applies: weights yes; biases, scales and shifts of norms, and tables of embeddings no
    pub decay: bool,
    /// times the learning rate: below 1 for lower layers of a pretrained encoder, 0 for what stays as it is and gets no
    /// gradient
    pub learning_rate_factor: f64,
}

impl Param {
    /// Whether training leaves the variable as it is.
    pub fn is_frozen(&self) -> bool {
        self.learning_rate_factor == 0.0
    }
}

/// A variable that training updates without a gradient: running statistics of batch norm.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// unique in the model, for example `stem.norm.running_mean`
    pub name: String,
    /// the variable; a clone shares its storage
    pub var: Var,
}

/// Where the first values of weights come from.
#[derive(Clone, Copy)]
pub(crate) enum InitialWeights {
    /// drawn from streams derived from this seed by the parameter's name, so that order does not matter
    Drawn(Seed),
    /// zeros, since the caller is about to fill them
    Blank,
}

/// Collects what the layers of a model register while they are built, in order.
pub(crate) struct Registry<'a> {
    initial: InitialWeights,
    device: &'a Device,
    pub(crate) params: Vec<Param>,
    pub(crate) buffers: Vec<Buffer>,
    /// multiply-adds of one example's forward pass
    pub(crate) n_multiply_adds: u64,
    /// times that a linear layer is used for one example: the tokens of a text, else 1
    pub(crate) n_tokens: usize,
    /// of the parameters that come next
    pub(crate) learning_rate_factor: f64,
    /// numbers that one example's forward pass keeps for the backward pass
    pub(crate) n_activations: u64,
}

impl<'a> Registry<'a> {
    pub(crate) fn new(initial: InitialWeights, device: &'a Device) -> Self {
        Self {
            initial,
            device,
            params: Vec::new(),
            buffers: Vec::new(),
            n_multiply_adds: 0,
            n_tokens: 1,
            learning_rate_factor: 1.0,
            n_activations: 0,
        }
    }

    /// A weight with normally distributed values of this standard deviation.
    pub(crate) fn weight(&mut self, name: String, shape: &[usize], std: f64) -> Result<Var, ModelError> {
        let values = self.initial_normal(&name, shape, std)?;
        self.param(name, &values, true)
    }

    fn initial_normal(&self, name: &str, shape: &[usize], std: f64) -> Result<Tensor, ModelError> {
        Ok(match self.initial {
            InitialWeights::Drawn(seed) => {
                let key = InitKey { seed: seed.0, name };
                init::normal(shape, 0.0, std, key, DType::F32, self.device)?
            }
            InitialWeights::Blank => Tensor::zeros(shape, DType::F32, self.device)?,
        })
    }

    /// A table of `R` embeddings of width `W`, `[R, W]`. It has no weight decay: a row that no batch reads for long
    /// would fade away.
    pub(crate) fn table(&mut self, name: String, n_rows: usize, width: usize, std: f64) -> Result<Var, ModelError> {
        let values = self.initial_normal(&name, &[n_rows, width], std)?;
        self.param(name, &values, false)
    }

    /// A bias, or a scale or shift of batch norm: one value for all units, no weight decay.
    pub(crate) fn vector(&mut self, name: String, n_units: usize, value: f32) -> Result<Var, ModelError> {
        let values = Tensor::full(value, n_units, self.device)?;
        self.param(name, &values, false)
    }

    fn param(&mut self, name: String, values: &Tensor, decay: bool) -> Result<Var, ModelError> {
        let var = Var::from_tensor(values)?;
        self.params.push(Param { name, var: var.clone(), decay, learning_rate_factor: self.learning_rate_factor });
        Ok(var)
    }

    /// A running statistic.
    pub(crate) fn buffer(&mut self, name: String, n_units: usize, value: f32) -> Result<Var, ModelError> {
        let var = Var::from_tensor(&Tensor::full(value, n_units, self.device)?)?;
        self.buffers.push(Buffer { name, var: var.clone() });
        Ok(var)
    }
}
