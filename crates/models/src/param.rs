//! Named variables of a model, and the registry that collects them while the layers are built.

use crate::units::InnerWidth;
use crate::{ModelError, Reductions};
use candle_core::{DType, Device, Result as TensorResult, Tensor, Var};
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
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum InitialWeights {
    /// drawn from streams derived from this seed by the parameter's name, so that order does not matter
    Drawn(Seed),
    /// zeros, since the caller is about to fill them
    Blank,
    /// nowhere: only names and shapes are collected, and no memory is asked for, however large they are
    Outlined,
}

impl From<Option<Seed>> for InitialWeights {
    fn from(seed: Option<Seed>) -> Self {
        seed.map_or(Self::Blank, Self::Drawn)
    }
}

/// Collects what the layers of a model register while they are built, in order.
pub(crate) struct Registry<'a> {
    initial: InitialWeights,
    device: &'a Device,
    /// what the model has less of than its architecture says
    pub(crate) reductions: &'a Reductions,
    /// sizes that a single layer reads, as the model has them
    pub(crate) widths: Vec<InnerWidth>,
    /// their names, and their units as the architecture has them
    pub(crate) whole_widths: Vec<(String, usize)>,
    /// names of blocks that can be left out, as the model has them
    pub(crate) removable_blocks: Vec<String>,
    /// and as the architecture has them
    pub(crate) all_removable_blocks: Vec<String>,
    pub(crate) params: Vec<Param>,
    pub(crate) buffers: Vec<Buffer>,
    /// names and shapes of parameters and buffers
    pub(crate) shapes: Vec<(String, Vec<usize>)>,
    /// numbers in all parameters
    pub(crate) n_parameters: u64,
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
    pub(crate) fn new(initial: InitialWeights, reductions: &'a Reductions, device: &'a Device) -> Self {
        Self {
            initial,
            device,
            reductions,
            widths: Vec::new(),
            whole_widths: Vec::new(),
            removable_blocks: Vec::new(),
            all_removable_blocks: Vec::new(),
            params: Vec::new(),
            buffers: Vec::new(),
            shapes: Vec::new(),
            n_parameters: 0,
            n_multiply_adds: 0,
            n_tokens: 1,
            learning_rate_factor: 1.0,
            n_activations: 0,
        }
    }

    /// Units of an inner width, which the architecture gives as many as `width` says.
    pub(crate) fn inner_width(&mut self, mut width: InnerWidth) -> usize {
        let n_units = self.reductions.units.of(&width.name).unwrap_or(width.n_units);
        self.whole_widths.push((width.name.clone(), width.n_units));
        width.n_units = n_units;
        self.widths.push(width);
        n_units
    }

    /// Whether the model has this block, which can be left out.
    pub(crate) fn has_block(&mut self, name: &str) -> bool {
        let is_left_out = self.reductions.left_out.contains(name);
        self.all_removable_blocks.push(name.to_owned());
        if !is_left_out {
            self.removable_blocks.push(name.to_owned());
        }
        !is_left_out
    }

    /// Adds the product of these numbers to the multiply-adds of one example.
    pub(crate) fn count_multiply_adds(&mut self, factors: &[usize]) {
        self.n_multiply_adds = self.n_multiply_adds.saturating_add(product(factors));
    }

    /// Adds the product of these numbers to what one example keeps for the backward pass.
    pub(crate) fn count_activations(&mut self, factors: &[usize]) {
        self.n_activations = self.n_activations.saturating_add(product(factors));
    }

    /// A weight with normally distributed values of this standard deviation.
    pub(crate) fn weight(&mut self, name: String, shape: &[usize], std: f64) -> Result<Var, ModelError> {
        let values = self.initial_normal(&name, shape, std)?;
        self.param(name, shape, values, true)
    }

    fn initial_normal(&self, name: &str, shape: &[usize], std: f64) -> TensorResult<Tensor> {
        match self.initial {
            InitialWeights::Drawn(seed) => {
                let key = InitKey { seed: seed.0, name };
                init::normal(shape, 0.0, std, key, DType::F32, self.device)
            }
            InitialWeights::Blank => Tensor::zeros(shape, DType::F32, self.device),
            InitialWeights::Outlined => self.nothing(),
        }
    }

    /// A table of `R` embeddings of width `W`, `[R, W]`. It has no weight decay: a row that no batch reads for long
    /// would fade away.
    pub(crate) fn table(&mut self, name: String, n_rows: usize, width: usize, std: f64) -> Result<Var, ModelError> {
        let shape = [n_rows, width];
        let values = self.initial_normal(&name, &shape, std)?;
        self.param(name, &shape, values, false)
    }

    /// A bias, or a scale or shift of batch norm: one value for all units, no weight decay.
    pub(crate) fn vector(&mut self, name: String, n_units: usize, value: f32) -> Result<Var, ModelError> {
        let values = self.constant(n_units, value)?;
        self.param(name, &[n_units], values, false)
    }

    fn constant(&self, n_units: usize, value: f32) -> TensorResult<Tensor> {
        match self.initial {
            InitialWeights::Outlined => self.nothing(),
            _ => Tensor::full(value, n_units, self.device),
        }
    }

    /// What stands in the place of values that are not there.
    fn nothing(&self) -> TensorResult<Tensor> {
        Tensor::zeros(0, DType::F32, self.device)
    }

    #[allow(clippy::needless_pass_by_value)] // a tensor that was made for this variable
    fn param(&mut self, name: String, shape: &[usize], values: Tensor, decay: bool) -> Result<Var, ModelError> {
        let var = Var::from_tensor(&values)?;
        self.n_parameters = self.n_parameters.saturating_add(product(shape));
        self.shapes.push((name.clone(), shape.to_vec()));
        self.params.push(Param { name, var: var.clone(), decay, learning_rate_factor: self.learning_rate_factor });
        Ok(var)
    }

    /// A running statistic.
    pub(crate) fn buffer(&mut self, name: String, n_units: usize, value: f32) -> Result<Var, ModelError> {
        let var = Var::from_tensor(&self.constant(n_units, value)?)?;
        self.shapes.push((name.clone(), vec![n_units]));
        self.buffers.push(Buffer { name, var: var.clone() });
        Ok(var)
    }
}

/// The largest number where the product is larger: sizes of a config are not bounded before they are counted.
fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product: u64, &factor| product.saturating_mul(factor as u64))
}
