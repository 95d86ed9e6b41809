//! A model: a body under a linear head, with its parameters and its costs.
//!
//! Shapes: `B` batch, `H`, `W` height and width, `C` channels, `F` features.

use crate::body::Body;
use crate::input::check_input;
use crate::layers::{Activation, Linear, Mode};
use crate::param::{InitialWeights, Registry};
use crate::units::InnerWidth;
use crate::{Buffer, ModelConfig, ModelError, ModelInput, Param, Reductions, TextInput, Tokenizer};
use candle_core::{Device, Tensor};
use std::fmt;
use std::sync::Arc;
use stillhouse_core::{InputShape, Seed, Temperature};

/// An architecture with weights.
///
/// The variables live behind shared storage: an optimizer that holds clones of [`Param::var`] trains this model. There
/// is no `Clone`; [`Model::with_head`] makes models of their own storage.
pub struct Model {
    config: ModelConfig,
    input: InputShape,
    n_outputs: usize,
    reductions: Reductions,
    /// names of the blocks that the model has and that can be left out
    pub(crate) removable_blocks: Vec<String>,
    pub(crate) widths: Vec<InnerWidth>,
    device: Device,
    body: Body,
    pub(crate) head: Linear,
    pub(crate) tokenizer: Option<Arc<Tokenizer>>,
    pub(crate) temperature: Temperature,
    params: Vec<Param>,
    buffers: Vec<Buffer>,
    n_multiply_adds: u64,
    n_activations: u64,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Model");
        text.field("config", &self.config).field("input", &self.input).field("n_outputs", &self.n_outputs);
        text.finish_non_exhaustive()
    }
}

/// A multiply-add counts as two floating point operations.
const FLOPS_PER_MULTIPLY_ADD: u64 = 2;

impl Model {
    /// A freshly initialised model. Each weight is drawn from a stream named after it, so that the same seed gives the
    /// same bits whatever the order of construction, and equal layers of two architectures start equal.
    ///
    /// # Errors
    /// A config that does not pass [`ModelConfig::validate`], no outputs, or no memory.
    pub fn new(
        config: &ModelConfig,
        input: &InputShape,
        n_outputs: usize,
        seed: Seed,
        device: &Device,
    ) -> Result<Self, ModelError> {
        Self::build(config, input, n_outputs, (&Reductions::default(), InitialWeights::Drawn(seed)), device)
    }

    /// A model of zeros, to be filled from a file or measured: it saves drawing the values of large tables.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn blank(
        config: &ModelConfig,
        input: &InputShape,
        n_outputs: usize,
        device: &Device,
    ) -> Result<Self, ModelError> {
        Self::build(config, input, n_outputs, (&Reductions::default(), InitialWeights::Blank), device)
    }

    /// A model with less than its architecture says; without a seed, of zeros.
    ///
    /// # Errors
    /// As [`Model::new`]; ranks, units and blocks that the architecture does not have, or that are no less than its own.
    pub fn reduced(
        config: &ModelConfig,
        input: &InputShape,
        n_outputs: usize,
        (reductions, seed): (&Reductions, Option<Seed>),
        device: &Device,
    ) -> Result<Self, ModelError> {
        Self::build(config, input, n_outputs, (reductions, seed.into()), device)
    }

    fn build(
        config: &ModelConfig,
        input: &InputShape,
        n_outputs: usize,
        (reductions, initial): (&Reductions, InitialWeights),
        device: &Device,
    ) -> Result<Self, ModelError> {
        config.check_room(input, n_outputs, reductions)?;
        let mut registry = Registry::new(initial, reductions, device);
        let body = Body::build(config, input, &mut registry)?;
        let head = Linear::head(body.n_features(), n_outputs, &mut registry)?;
        let Registry { params, buffers, n_multiply_adds, n_activations, widths, removable_blocks, .. } = registry;
        let (config, input, device) = (config.clone(), *input, device.clone());
        let (tokenizer, temperature, reductions) = (None, Temperature::ONE, reductions.clone());
        Ok(Self {
            config,
            input,
            n_outputs,
            reductions,
            removable_blocks,
            widths,
            device,
            body,
            head,
            tokenizer,
            temperature,
            params,
            buffers,
            n_multiply_adds,
            n_activations,
        })
    }

    /// The model with the tokenizer that its texts are cut by; models made from it have the same one.
    ///
    /// # Errors
    /// A tokenizer of another vocabulary than the model was built for, or an architecture that takes no tokens.
    pub fn with_tokenizer(mut self, tokenizer: &Tokenizer) -> Result<Self, ModelError> {
        let (expected, found) = (self.input, InputShape::Tokens { vocabulary_size: tokenizer.vocabulary_size() });
        match self.config.text_input() {
            Some(TextInput::Tokens { max_len }) if expected == found => {
                self.tokenizer = Some(Arc::new(tokenizer.cut_to(max_len)?));
                Ok(self)
            }
            _ => Err(ModelError::input(format!("{found:?}"), format!("{expected:?}"))),
        }
    }

    /// The model with logits that are divided by a temperature in [`Mode::Eval`], so that its probabilities are as often right as
    /// they say (Guo et al. 2017, arXiv:1706.04599). Training goes on without it.
    #[must_use]
    pub fn with_temperature(self, temperature: Temperature) -> Self {
        Self { temperature, ..self }
    }

    /// What the logits are divided by in prediction; 1 as trained.
    pub fn temperature(&self) -> Temperature {
        self.temperature
    }

    /// The tokenizer, if the model has one.
    pub fn tokenizer(&self) -> Option<&Arc<Tokenizer>> {
        self.tokenizer.as_ref()
    }

    /// Logits `[B, n_outputs]` of a batch of images `[B, H, W, C]`, features `[B, F]` or texts.
    ///
    /// In [`Mode::Train`] batch norm uses the batch's statistics and moves its running ones, and the result is tracked
    /// for a backward pass. In [`Mode::Eval`] nothing is tracked and nothing is changed.
    ///
    /// # Errors
    /// A batch of another kind or shape, or a failing tensor operation.
    pub fn forward(&self, inputs: &ModelInput, mode: Mode) -> Result<Tensor, ModelError> {
        self.logits(&self.features(inputs, mode)?, mode)
    }

    /// Features `[B, F]` that the head reads.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn features(&self, inputs: &ModelInput, mode: Mode) -> Result<Tensor, ModelError> {
        check_input(&self.config, &self.input, inputs)?;
        self.body.forward(inputs, mode)
    }

    /// Logits `[B, n_outputs]` of features `[B, F]` of this model's body, or of another one with the same weights.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub fn logits(&self, features: &Tensor, mode: Mode) -> Result<Tensor, ModelError> {
        let logits = self.head.forward(features, Activation::None, mode)?;
        if matches!(mode, Mode::Eval) && self.temperature != Temperature::ONE {
            return Ok(logits.affine(self.temperature.get().recip(), 0.0)?);
        }
        Ok(logits)
    }

    /// Width of the features, `F`.
    pub fn n_features(&self) -> usize {
        self.body.n_features()
    }

    /// The architecture.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What it has less of than its architecture says.
    pub fn reductions(&self) -> &Reductions {
        &self.reductions
    }

    /// Shape of one input.
    pub fn input(&self) -> &InputShape {
        &self.input
    }

    /// Outputs of the head.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Where the variables live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The trainable variables, in an order that depends on the architecture alone.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The running statistics, in an order that depends on the architecture alone.
    pub fn buffers(&self) -> &[Buffer] {
        &self.buffers
    }

    /// Trainable numbers, head included.
    pub fn n_parameters(&self) -> usize {
        self.params.iter().map(|param| param.var.elem_count()).sum()
    }

    /// Floating point operations of one example's forward pass: two for each multiply-add of convolutions and linear
    /// layers, head included; biases, batch norm, activations and pooling, together about a hundredth, are not
    /// counted. A training step costs three times as much: the backward pass computes the gradients of inputs and of
    /// weights.
    pub fn flops_per_example(&self) -> u64 {
        FLOPS_PER_MULTIPLY_ADD.saturating_mul(self.n_multiply_adds)
    }

    /// Numbers that a training step keeps between the forward pass and the backward pass for each example: what layers
    /// give out, logits included.
    pub fn activations_per_example(&self) -> u64 {
        self.n_activations
    }

    /// The part of [`Model::flops_per_example`] below the head.
    pub fn body_flops_per_example(&self) -> u64 {
        self.flops_per_example() - FLOPS_PER_MULTIPLY_ADD * (self.n_features() * self.n_outputs) as u64
    }

    /// Scales down incoming weights beyond the config's `max_norm`; to be called after each optimizer step. Does
    /// nothing for an architecture or a config without one.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub fn apply_max_norm(&self) -> Result<(), ModelError> {
        self.body.apply_max_norm()
    }
}
