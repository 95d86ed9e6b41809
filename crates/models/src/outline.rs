//! What a model consists of, before memory is asked for: names and shapes of its weights, and what it costs.
//!
//! A config of the user's or of a file may name any sizes. They are counted here, without overflow, and compared with what
//! a file of weights holds or with what the machine can give.

use crate::blocks::left_out_problem;
use crate::body::Body;
use crate::error::StateMismatch;
use crate::kernel_order::KernelOrder;
use crate::layers::Linear;
use crate::low_rank::rank_problem;
use crate::param::{InitialWeights, Registry};
use crate::units::units_problem;
use crate::weights_head::Shapes;
use crate::{ModelConfig, ModelError, Reductions};
use candle_core::Device;
use std::collections::BTreeMap;
use stillhouse_core::{InputShape, Problem};

/// Names, shapes and costs of a model that is not built.
#[derive(Clone, Debug)]
pub struct ModelOutline {
    /// of all parameters and buffers
    shapes: Vec<(String, Vec<usize>)>,
    n_parameters: u64,
    n_activations: u64,
}

/// What an architecture has that a model may have less of.
struct Whole {
    /// names and units of inner widths
    widths: Vec<(String, usize)>,
    /// names
    removable_blocks: Vec<String>,
}

const BYTES_PER_NUMBER: u64 = 4;

impl ModelOutline {
    /// Trainable numbers, head included; the largest number where they are more.
    pub fn n_parameters(&self) -> u64 {
        self.n_parameters
    }

    /// As [`Model::activations_per_example`](crate::Model::activations_per_example).
    pub fn activations_per_example(&self) -> u64 {
        self.n_activations
    }

    /// Names and shapes of all parameters and buffers.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.shapes.iter().map(|(name, shape)| (name.as_str(), &shape[..]))
    }

    /// Shapes of all parameters and buffers by their names.
    pub(crate) fn into_shapes(self) -> BTreeMap<String, Vec<usize>> {
        self.shapes.into_iter().collect()
    }

    /// The same with the shapes that a file has in which kernels have this order.
    pub(crate) fn in_order(&self, order: KernelOrder) -> Self {
        let shapes = self.shapes.iter().map(|(name, shape)| (name.clone(), order.shape(shape))).collect();
        Self { shapes, ..*self }
    }

    /// How the weights of a file differ from those of the model, all of which are `f32`.
    pub(crate) fn mismatch(&self, found: &Shapes) -> StateMismatch {
        StateMismatch::between(self.shapes(), found.iter())
    }

    /// Refuses weights for which this machine gives no memory: an allocation that fails ends the program.
    fn check_memory(&self) -> Result<(), ModelError> {
        let n_bytes = self.n_parameters.saturating_mul(BYTES_PER_NUMBER);
        if n_bytes < ALWAYS_GIVEN_BYTES {
            return Ok(());
        }
        let mut room: Vec<u8> = Vec::new();
        let given = usize::try_from(n_bytes).is_ok_and(|n_bytes| room.try_reserve_exact(n_bytes).is_ok());
        // without this the compiler may leave out an allocation that nothing uses
        std::hint::black_box(&mut room);
        if given {
            return Ok(());
        }
        let text = format!("the model's weights take {n_bytes} bytes, which is more memory than this machine gives");
        Err(ModelError::Config(vec![Problem::new("", text)]))
    }
}

/// Weights of this size are not asked about.
const ALWAYS_GIVEN_BYTES: u64 = 1 << 30;

impl ModelConfig {
    /// What a model of this config consists of.
    ///
    /// # Errors
    /// As [`Model::new`](crate::Model::new), but for memory.
    pub fn outline(&self, input: &InputShape, n_outputs: usize) -> Result<ModelOutline, ModelError> {
        self.outline_reduced(input, n_outputs, &Reductions::default())
    }

    /// The same with less of it.
    ///
    /// # Errors
    /// As [`ModelConfig::outline`], and ranks, units or blocks that the model cannot have.
    pub(crate) fn outline_reduced(
        &self,
        input: &InputShape,
        n_outputs: usize,
        reductions: &Reductions,
    ) -> Result<ModelOutline, ModelError> {
        self.validate(input).map_err(ModelError::Config)?;
        if n_outputs == 0 {
            return Err(ModelError::Misfit("a model needs at least one output, found n_outputs = 0".into()));
        }
        let (outline, whole) = self.count_reduced(input, n_outputs, reductions)?;
        let problem = left_out_problem(&reductions.left_out, &whole.removable_blocks)
            .or_else(|| rank_problem(&reductions.ranks, &outline))
            .or_else(|| units_problem(&reductions.units, &whole.widths));
        match problem {
            Some(problem) => Err(ModelError::Misfit(problem)),
            None => Ok(outline),
        }
    }

    /// The outline of a model whose numbers are in their ranges; settings that contradict each other do not change it.
    pub(crate) fn count(&self, input: &InputShape, n_outputs: usize) -> Result<ModelOutline, ModelError> {
        Ok(self.count_reduced(input, n_outputs, &Reductions::default())?.0)
    }

    /// The outline, with what the architecture has that a model may have less of.
    fn count_reduced(
        &self,
        input: &InputShape,
        n_outputs: usize,
        reductions: &Reductions,
    ) -> Result<(ModelOutline, Whole), ModelError> {
        let mut registry = Registry::new(InitialWeights::Outlined, reductions, &Device::Cpu);
        let body = Body::build(self, input, &mut registry)?;
        Linear::head(body.n_features(), n_outputs, &mut registry)?;
        let Registry { shapes, n_parameters, n_activations, whole_widths, all_removable_blocks, .. } = registry;
        let whole = Whole { widths: whole_widths, removable_blocks: all_removable_blocks };
        Ok((ModelOutline { shapes, n_parameters, n_activations }, whole))
    }

    /// Checks the config, and that there is memory for the weights.
    ///
    /// # Errors
    /// As [`Model::new`](crate::Model::new).
    pub(crate) fn check_room(
        &self,
        input: &InputShape,
        n_outputs: usize,
        reductions: &Reductions,
    ) -> Result<(), ModelError> {
        self.outline_reduced(input, n_outputs, reductions)?.check_memory()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;
    use serde_json::json;

    const TOKENS: InputShape = InputShape::Tokens { vocabulary_size: 50 };
    const IMAGE: InputShape = InputShape::Image { channels: 3, height: 16, width: 16 };

    fn config(json: serde_json::Value) -> ModelConfig {
        serde_json::from_value(json).unwrap()
    }

    fn configs() -> Vec<(ModelConfig, InputShape)> {
        vec![
            (config(json!({"kind": "mlp", "widths": [7, 5], "dropout": 0.5})), IMAGE),
            (config(json!({"kind": "convnet", "widths": [4, 8], "hidden": 6})), IMAGE),
            (config(json!({"kind": "resnet", "depth": 8, "width": 4, "block": "separable"})), IMAGE),
            (config(json!({"kind": "ngram_bag", "n_buckets": 64, "width": 4, "hidden": [3]})), InputShape::Text {}),
            (config(json!({"kind": "transformer", "n_layers": 2, "n_heads": 2, "width": 8})), TOKENS),
        ]
    }

    #[test]
    fn an_outline_is_that_of_the_model() {
        for (config, input) in configs() {
            let model = Model::blank(&config, &input, 5, &Device::Cpu).unwrap();
            let outline = config.outline(&input, 5).unwrap();
            assert_eq!(outline.n_parameters(), model.n_parameters() as u64, "{config:?}");
            assert_eq!(outline.activations_per_example(), model.activations_per_example());
            let shapes: BTreeMap<String, Vec<usize>> =
                model.variables().map(|(name, var)| (name.to_owned(), var.dims().to_vec())).collect();
            assert_eq!(outline.into_shapes(), shapes);
        }
    }

    #[test]
    fn sizes_beyond_all_memory_are_counted_and_refused_with_their_bytes() {
        let wide = config(json!({"kind": "mlp", "widths": vec![65536; 4000]}));
        let huge_tokens = InputShape::Tokens { vocabulary_size: usize::MAX };
        let transformer = config(json!({"kind": "transformer", "n_layers": 1, "n_heads": 2, "width": 65536}));
        let bag = config(json!({"kind": "ngram_bag", "n_buckets": 1 << 28, "width": 65536}));
        for (config, input) in [(wide, IMAGE), (transformer, huge_tokens), (bag, InputShape::Text {})] {
            for model in [
                Model::blank(&config, &input, 5, &Device::Cpu),
                Model::new(&config, &input, 5, stillhouse_core::Seed(0), &Device::Cpu),
            ] {
                let error = model.unwrap_err().to_string();
                assert!(error.contains("bytes, which is more memory than this machine gives"), "{error}");
            }
        }
    }

    #[test]
    fn an_input_beyond_all_memory_is_refused() {
        let image = InputShape::Image { channels: 3, height: 1 << 40, width: 1 << 40 };
        for (config, input) in configs().into_iter().filter(|(_, input)| *input == IMAGE) {
            assert!(config.outline(&input, 5).is_ok());
            let error = config.outline(&image, 5).unwrap_err().to_string();
            assert!(error.contains("3 x 1099511627776 x 1099511627776 values"), "{error}");
        }
    }
}
