//! Head surgery: a new head on a copy of the same body, from which a specialist starts.
//!
//! Shapes: `O` outputs, `F` features, `L` classes of the subset.

use crate::layers::HEAD;
use crate::{MlpConfig, Model, ModelConfig, ModelError};
use candle_core::{Device, Tensor};
use stillhouse_core::{ClassSubset, InputShape, Seed};

/// The first weights of the new head.
#[derive(Clone, Copy, Debug)]
pub enum HeadInit<'a> {
    /// The other model's head, as it is.
    Same,
    /// Fresh weights.
    Fresh {
        /// outputs of the new head
        n_outputs: usize,
        /// of the head's weights
        seed: Seed,
    },
    /// The rows of these classes, in the subset's own order.
    Subset {
        /// classes of the other model
        subset: &'a ClassSubset,
    },
    /// The rows of these classes, in the subset's own order, and one more for all other classes. It starts as their
    /// mean weight and their mean bias plus the log of their number: the sum of their exponentiated logits, where these
    /// are equal.
    Dustbin {
        /// classes of the other model
        subset: &'a ClassSubset,
    },
    /// The head of a third model that reads the same features, for example one made by [`Model::head_alone`].
    Of(&'a Model),
}

fn misfit(message: String) -> ModelError {
    ModelError::Misfit(message)
}

impl Model {
    /// The head as a model of its own, a linear classifier on features `[B, F]`; a copy, as in [`Model::with_head`].
    /// Training it on features of a frozen body is much cheaper than training the whole.
    ///
    /// # Errors
    /// A failing tensor operation.
    pub fn head_alone(&self) -> Result<Self, ModelError> {
        let config =
            ModelConfig::Mlp(MlpConfig { widths: Vec::new(), dropout: 0.0, input_dropout: 0.0, max_norm: None });
        let input = InputShape::Features { n_features: self.n_features() };
        let model = Self::blank(&config, &input, self.n_outputs(), self.device())?;
        model.head.copy_from(&self.head)?;
        Ok(model)
    }

    /// A new model of the same architecture: its body's parameters and buffers are copies of this one's, its head is
    /// new. Training one of the two never touches the other.
    ///
    /// # Errors
    /// A subset of another number of classes than this model has outputs, a subset of all classes with a dustbin, or
    /// no outputs.
    pub fn with_head(&self, head: HeadInit) -> Result<Self, ModelError> {
        let n_outputs = self.n_outputs_under(head)?;
        let mut state = self.state_dict()?;
        match head {
            HeadInit::Same => {}
            HeadInit::Of(other) => {
                let (got, expected) = (other.n_features(), self.n_features());
                if got != expected {
                    return Err(misfit(format!("the head reads {got} features, the body gives {expected}")));
                }
                replace_head(&mut state, other.head.weight.as_detached_tensor(), other.head.bias.as_detached_tensor());
            }
            HeadInit::Fresh { seed, .. } => {
                let fresh = Self::new(self.config(), self.input(), n_outputs, seed, self.device())?;
                replace_head(&mut state, fresh.head.weight.as_detached_tensor(), fresh.head.bias.as_detached_tensor());
            }
            HeadInit::Subset { subset } | HeadInit::Dustbin { subset } => {
                let rows = HeadRows::of(self)?;
                let with_dustbin = matches!(head, HeadInit::Dustbin { .. });
                let (weight, bias) = rows.cut(subset, with_dustbin)?;
                replace_head(&mut state, weight, bias);
            }
        }
        let mut model =
            Self::reduced(self.config(), self.input(), n_outputs, (self.reductions(), None), self.device())?;
        model.tokenizer.clone_from(&self.tokenizer);
        if matches!(head, HeadInit::Same) {
            model.temperature = self.temperature;
        }
        model.load_state(state)?;
        Ok(model)
    }

    fn n_outputs_under(&self, head: HeadInit) -> Result<usize, ModelError> {
        match head {
            HeadInit::Same => Ok(self.n_outputs()),
            HeadInit::Fresh { n_outputs, .. } => Ok(n_outputs),
            HeadInit::Of(other) => Ok(other.n_outputs()),
            HeadInit::Subset { subset } => self.check_subset(subset).map(|()| subset.len()),
            HeadInit::Dustbin { subset } if subset.is_everything() => {
                let n_classes = subset.n_classes();
                Err(misfit(format!("the subset holds all {n_classes} classes, a dustbin would stand for nothing")))
            }
            HeadInit::Dustbin { subset } => self.check_subset(subset).map(|()| subset.len() + 1),
        }
    }

    fn check_subset(&self, subset: &ClassSubset) -> Result<(), ModelError> {
        let (got, expected) = (subset.n_classes(), self.n_outputs());
        if got == expected {
            return Ok(());
        }
        Err(misfit(format!("the subset is taken from {got} classes, the model has {expected} outputs")))
    }

    /// Adds to the bias of one output: the dustbin's prior correction, after training.
    ///
    /// # Errors
    /// An output that does not exist, or a correction that is not finite.
    pub fn add_to_output_bias(&self, output_idx: usize, delta: f64) -> Result<(), ModelError> {
        if output_idx >= self.n_outputs() {
            let n_outputs = self.n_outputs();
            return Err(misfit(format!("output {output_idx} does not exist, the model has {n_outputs}")));
        }
        if !delta.is_finite() {
            let message = format!("the correction of output {output_idx}'s bias must be finite, found {delta}");
            return Err(misfit(message));
        }
        let mut bias = self.head.bias.to_vec1::<f32>()?;
        bias[output_idx] = (f64::from(bias[output_idx]) + delta) as f32;
        let n_outputs = bias.len();
        self.head.bias.set(&Tensor::from_vec(bias, n_outputs, self.device())?)?;
        Ok(())
    }
}

fn replace_head(state: &mut [(String, Tensor)], weight: Tensor, bias: Tensor) {
    for (part, values) in [("weight", weight), ("bias", bias)] {
        let name = format!("{HEAD}.{part}");
        let entry = state.iter_mut().find(|(key, _)| *key == name).expect("every model has a head");
        entry.1 = values;
    }
}

/// Weight and bias of a head as rows of numbers.
struct HeadRows {
    /// `[O][F]`
    weights: Vec<Vec<f32>>,
    /// `[O]`
    biases: Vec<f32>,
    device: Device,
}

impl HeadRows {
    fn of(model: &Model) -> Result<Self, ModelError> {
        Ok(Self {
            weights: model.head.weight.to_vec2()?,
            biases: model.head.bias.to_vec1()?,
            device: model.device().clone(),
        })
    }

    /// Weight `[L, F]` and bias `[L]` of the subset's head, or one row more.
    fn cut(&self, subset: &ClassSubset, with_dustbin: bool) -> Result<(Tensor, Tensor), ModelError> {
        let members = subset.members();
        let mut weights: Vec<Vec<f32>> = members.iter().map(|class| self.weights[class.index()].clone()).collect();
        let mut biases: Vec<f32> = members.iter().map(|class| self.biases[class.index()]).collect();
        if with_dustbin {
            let (weight, bias) = self.dustbin(subset);
            weights.push(weight);
            biases.push(bias);
        }
        let n_outputs = biases.len();
        let weight = Tensor::from_vec(weights.concat(), (n_outputs, self.weights[0].len()), &self.device)?;
        Ok((weight, Tensor::from_vec(biases, n_outputs, &self.device)?))
    }

    /// Mean row of the classes outside the subset; its bias carries the log of their number, because
    /// `log sum_j exp(z_j) = z + log n` for `n` equal logits `z`.
    fn dustbin(&self, subset: &ClassSubset) -> (Vec<f32>, f32) {
        let others: Vec<usize> = subset.complement().map(|class| class.index()).collect();
        let n_others = others.len() as f64;
        let mut sums = vec![0.0f64; self.weights[0].len()];
        for &class in &others {
            for (sum, &value) in sums.iter_mut().zip(&self.weights[class]) {
                *sum += f64::from(value);
            }
        }
        let weight = sums.iter().map(|sum| (sum / n_others) as f32).collect();
        let bias_sum: f64 = others.iter().map(|&class| f64::from(self.biases[class])).sum();
        (weight, (bias_sum / n_others + n_others.ln()) as f32)
    }
}
