//! Optimizers with state that can be saved and restored, so that a resumed training continues with the same bits.

use candle_core::Tensor;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Problem;
use stillhouse_models::Param;
use stillhouse_ops::optimizer::{AdamWHyper, SgdHyper, adamw_step, adamw_step_rows, sgd_step, sgd_step_rows};
use stillhouse_ops::{Gradient, Gradients};

/// Update rule of a training. Weight decay is decoupled from the gradient (Loshchilov and Hutter 2019,
/// arXiv:1711.05101) and spares biases and norms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OptimizerConfig {
    /// Stochastic gradient descent with momentum.
    Sgd(SgdConfig),
    /// Adam with decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW(AdamWConfig),
}

/// Settings of [`OptimizerConfig::Sgd`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SgdConfig {
    /// Share of the last step that is added to the next one.
    #[serde(default = "default_momentum")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// Look ahead by one momentum step (Nesterov).
    #[serde(default)]
    pub nesterov: bool,
    /// Weights shrink by the learning rate times this in each step, outside of the momentum. A program that adds the
    /// decay to the gradient, as PyTorch does, needs `1 - momentum` times this value for the same effect.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
}

/// Settings of [`OptimizerConfig::AdamW`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decay of the gradient's running mean.
    #[serde(default = "default_beta1")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// Decay of the squared gradient's running mean.
    #[serde(default = "default_beta2")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// Added to the denominator.
    #[serde(default = "default_eps")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub eps: f64,
    /// Weights shrink by the learning rate times this in each step.
    #[serde(default = "default_adamw_decay")]
    #[schemars(range(min = 0))]
    pub weight_decay: f64,
}

fn default_momentum() -> f64 {
    0.9
}

fn default_beta1() -> f64 {
    0.9
}

fn default_beta2() -> f64 {
    0.999
}

fn default_eps() -> f64 {
    1e-8
}

fn default_adamw_decay() -> f64 {
    0.01
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta1: default_beta1(), beta2: default_beta2(), eps: default_eps(), weight_decay: default_adamw_decay() }
    }
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self::AdamW(AdamWConfig::default())
    }
}

impl OptimizerConfig {
    /// Settings that contradict each other; ranges are in the schema.
    pub(crate) fn contradiction(&self) -> Option<Problem> {
        let Self::Sgd(SgdConfig { nesterov: true, momentum: 0.0, .. }) = self else { return None };
        Some(Problem::new("optimizer.nesterov", "needs a momentum above 0, found 0"))
    }
}

/// The gradients of parameters, in their order: zeros where the loss does not depend on one, none where it is frozen.
pub(crate) fn in_order(gradients: &mut Gradients, params: &[Param]) -> candle_core::Result<Vec<Option<Gradient>>> {
    let gradient = |param: &Param| match gradients.remove(&param.var) {
        _ if param.is_frozen() => Ok(None),
        Some(gradient) => Ok(Some(gradient)),
        None => Ok(Some(Gradient::Dense(param.var.zeros_like()?))),
    };
    params.iter().map(gradient).collect()
}

/// An optimizer with its state for each parameter, in the model's order.
pub(crate) struct Optimizer {
    config: OptimizerConfig,
    state: Vec<Tensor>,
    n_steps: u64,
}

impl Optimizer {
    /// Fresh state: a velocity per parameter (SGD), two moments (AdamW).
    pub(crate) fn new(config: &OptimizerConfig, params: &[Param]) -> candle_core::Result<Self> {
        let state = params.iter().map(|param| match config {
            OptimizerConfig::Sgd(_) => param.var.zeros_like(),
            OptimizerConfig::AdamW(_) => Tensor::stack(&[param.var.zeros_like()?, param.var.zeros_like()?], 0),
        });
        Ok(Self { config: config.clone(), state: state.collect::<Result<_, _>>()?, n_steps: 0 })
    }

    /// One update of every parameter that has a gradient, along `gradient_scale` times it; `gradients` in the order of
    /// `params`.
    pub(crate) fn step(
        &mut self,
        params: &[Param],
        gradients: &[Option<Gradient>],
        learning_rate: f64,
        gradient_scale: f64,
    ) -> candle_core::Result<()> {
        self.n_steps += 1;
        // small parameters in parallel, large ones in chunks: no thread waits between two of them
        let parts = params.par_iter().zip(gradients).zip(&self.state);
        parts.try_for_each(|((param, gradient), state)| match gradient {
            Some(gradient) => {
                let learning_rate = learning_rate * param.learning_rate_factor;
                self.step_param(param, gradient, state, learning_rate, gradient_scale)
            }
            None => Ok(()),
        })
    }

    fn step_param(
        &self,
        param: &Param,
        gradient: &Gradient,
        state: &Tensor,
        learning_rate: f64,
        gradient_scale: f64,
    ) -> candle_core::Result<()> {
        match &self.config {
            OptimizerConfig::Sgd(config) => {
                let weight_decay = if param.decay { config.weight_decay } else { 0.0 };
                let (momentum, nesterov) = (config.momentum, config.nesterov);
                let hyper = SgdHyper { learning_rate, momentum, nesterov, weight_decay, gradient_scale };
                let velocity = (momentum > 0.0).then_some(state);
                match gradient {
                    Gradient::Dense(gradient) => sgd_step(&param.var, gradient, velocity, hyper),
                    Gradient::Rows(rows) => sgd_step_rows(&param.var, rows, velocity, hyper),
                }
            }
            OptimizerConfig::AdamW(config) => {
                let weight_decay = if param.decay { config.weight_decay } else { 0.0 };
                let AdamWConfig { beta1, beta2, eps, .. } = *config;
                let step = self.n_steps;
                let hyper = AdamWHyper { learning_rate, beta1, beta2, eps, weight_decay, gradient_scale, step };
                match gradient {
                    Gradient::Dense(gradient) => adamw_step(&param.var, gradient, state, hyper),
                    Gradient::Rows(rows) => adamw_step_rows(&param.var, rows, state, hyper),
                }
            }
        }
    }

    pub(crate) fn n_steps(&self) -> u64 {
        self.n_steps
    }

    pub(crate) fn state(&self) -> &[Tensor] {
        &self.state
    }

    /// Continues where a saved optimizer stopped.
    pub(crate) fn restore(&mut self, state: Vec<Tensor>, n_steps: u64) {
        self.state = state;
        self.n_steps = n_steps;
    }
}
