//! Inner widths: sizes inside a model that a single layer reads, so that some of their units can go.
//!
//! Units of a hidden layer, channels inside a residual block, heads of an attention, numbers of an embedding. What all
//! layers add to, the residual stream, is no inner width: every layer reads it.

use crate::{Model, ModelError, Sizes};
use candle_core::{Tensor, Var};
use std::collections::BTreeMap;

/// A size inside a model that a single layer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerWidth {
    /// unique in the model, for example `stages.0.blocks.1.conv1`
    pub name: String,
    /// units that the model has
    pub n_units: usize,
    /// numbers of a unit in an axis of its layers: the width of a head, else 1
    pub unit_size: usize,
    /// layers that give out the units; one behind the other where each works on a unit alone
    pub writers: Vec<String>,
    /// the layer that reads them
    pub reader: String,
    /// whether nothing stands between writer and reader but sums, so that units may be mixed
    pub is_linear: bool,
}

impl InnerWidth {
    /// Units of size 1 behind an activation.
    pub(crate) fn of_layer(name: &str, n_units: usize, reader: &str) -> Self {
        let (name, reader) = (name.to_owned(), reader.to_owned());
        Self { writers: vec![name.clone()], name, n_units, unit_size: 1, reader, is_linear: false }
    }

    /// The unit that an input of the reader belongs to.
    pub fn unit_of_input(&self, input: usize) -> usize {
        input / self.unit_size % self.n_units
    }

    /// The axis of a parameter or buffer along which these units are; none if it has no unit.
    pub fn axis(&self, parameter: &str) -> Option<usize> {
        match part_of(parameter, &self.reader) {
            Some("weight") => return Some(1),
            Some("conv.weight") => return Some(2),
            // of its own outputs, or of a depthwise convolution whose name begins with the reader's
            _ => {}
        }
        let part = self.writers.iter().find_map(|writer| part_of(parameter, writer))?;
        match part {
            // [kh, kw, C, O], or [kh, kw, C] of a depthwise convolution: told apart by its name
            "conv.weight" => Some(if parameter.ends_with(".depthwise.conv.weight") { 2 } else { 3 }),
            "weight" if parameter == EMBEDDING => Some(1),
            "weight" | "bias" | "norm.weight" | "norm.bias" | "norm.running_mean" | "norm.running_var" => Some(0),
            _ => None,
        }
    }

    /// Positions in an axis of length `len` of the units to keep.
    fn positions(&self, len: usize, kept: &[usize]) -> Vec<u32> {
        let n_outer = len / (self.n_units * self.unit_size);
        let of_unit = |outer: usize, unit: usize| {
            let first = (outer * self.n_units + unit) * self.unit_size;
            first..first + self.unit_size
        };
        (0..n_outer)
            .flat_map(|outer| kept.iter().flat_map(move |unit| of_unit(outer, *unit)))
            .map(|p| p as u32)
            .collect()
    }
}

/// The table of embeddings. Of an n-gram bag, its columns are read by the first layer alone.
pub(crate) const EMBEDDING: &str = "embedding.weight";

/// What stands behind the layer's name in the parameter's.
fn part_of<'a>(parameter: &'a str, layer: &str) -> Option<&'a str> {
    parameter.strip_prefix(layer)?.strip_prefix('.')
}

impl Model {
    /// Sizes inside the model that a single layer reads. A layer of low rank has none.
    pub fn inner_widths(&self) -> impl Iterator<Item = &InnerWidth> {
        let is_whole = |layer: &String| self.reductions().ranks.of(layer).is_none();
        self.widths.iter().filter(move |width| is_whole(&width.reader) && width.writers.iter().all(is_whole))
    }

    /// A copy with these units of the named inner widths alone, each in ascending order. The reader simply loses what it read
    /// of the others.
    ///
    /// # Errors
    /// Names that are no inner width, units that do not exist, or no unit at all.
    pub fn with_units(&self, kept: &BTreeMap<String, Vec<usize>>) -> Result<Self, ModelError> {
        let misfit = |name: &str| ModelError::Misfit(format!("units of {name}, which has none of these"));
        let mut reductions = self.reductions().clone();
        let mut widths = Vec::with_capacity(kept.len());
        for (name, units) in kept {
            let width = self.inner_widths().find(|width| width.name == *name).ok_or_else(|| misfit(name))?;
            let is_ascending = units.is_sorted_by(|a, b| a < b);
            if units.last().is_none_or(|last| *last >= width.n_units) || !is_ascending {
                return Err(misfit(name));
            }
            if units.len() < width.n_units {
                reductions.units.insert(name.clone(), units.len());
            }
            widths.push((width, units));
        }
        let cut = |(name, var): (&str, &Var)| {
            let mut tensor = var.as_detached_tensor();
            for (width, units) in &widths {
                let Some(axis) = width.axis(name) else { continue };
                let positions = width.positions(tensor.dims()[axis], units);
                let n_positions = positions.len();
                let positions = Tensor::from_vec(positions, n_positions, self.device())?;
                tensor = tensor.contiguous()?.index_select(&positions, axis)?;
            }
            Ok((name.to_owned(), tensor))
        };
        let state = self.variables().map(cut).collect::<Result<Vec<_>, ModelError>>()?;
        self.with_reductions(&reductions, state)
    }
}

/// Units of a width that these widths, as the architecture has them, cannot have.
pub(crate) fn units_problem(units: &Sizes, whole: &[(String, usize)]) -> Option<String> {
    units.iter().find_map(|(name, n_units)| match whole.iter().find(|(width, _)| width == name) {
        Some((_, n_whole)) => {
            let is_fewer = n_units > 0 && n_units < *n_whole;
            (!is_fewer).then(|| format!("{n_units} units of {name}, expected 1 to {}", n_whole.saturating_sub(1)))
        }
        None => Some(format!("units of {name}, which is no inner width of the model")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Mode;
    use crate::{ModelCard, ModelConfig, ModelInput, Reductions, load_model, save_model};
    use candle_core::Device;
    use serde_json::json;
    use stillhouse_core::{InputShape, InputSpec, Seed};
    use stillhouse_ops::TokenRows;

    const DEVICE: Device = Device::Cpu;
    const IMAGE: InputShape = InputShape::Image { channels: 3, height: 12, width: 9 };
    const TOKENS: InputShape = InputShape::Tokens { vocabulary_size: 30 };
    const TEXT: InputShape = InputShape::Text {};

    /// A config, its input, and its inner widths with their units.
    type Case = (ModelConfig, InputShape, Vec<(&'static str, usize)>);

    fn cases() -> Vec<Case> {
        let case = |config: serde_json::Value, input, widths| (serde_json::from_value(config).unwrap(), input, widths);
        let pretrained = json!({"kind": "pretrained_resnet", "size": {"channels": 3,
            "stem_width": 4, "widths": [8, 12], "depths": [1, 1], "block": "bottleneck"}});
        vec![
            case(json!({"kind": "mlp", "widths": [7, 5]}), IMAGE, vec![("layers.0", 7), ("layers.1", 5)]),
            case(
                json!({"kind": "convnet", "widths": [4, 6], "convs_per_stage": 2, "hidden": 5}),
                IMAGE,
                vec![("stages.0.0", 4), ("stages.0.1", 4), ("stages.1.0", 6), ("stages.1.1", 6), ("hidden", 5)],
            ),
            case(
                json!({"kind": "resnet", "depth": 8, "width": 4}),
                IMAGE,
                vec![("stages.0.blocks.0.conv1", 4), ("stages.1.blocks.0.conv1", 8), ("stages.2.blocks.0.conv1", 16)],
            ),
            case(
                json!({"kind": "resnet", "depth": 6, "widths": [4, 6], "block": "separable"}),
                IMAGE,
                vec![("stages.0.blocks.0.conv1", 4), ("stages.1.blocks.0.conv1", 6)],
            ),
            case(
                pretrained,
                IMAGE,
                vec![
                    ("stages.0.blocks.0.conv1", 2),
                    ("stages.0.blocks.0.conv2", 2),
                    ("stages.1.blocks.0.conv1", 3),
                    ("stages.1.blocks.0.conv2", 3),
                ],
            ),
            case(
                json!({"kind": "ngram_bag", "n_buckets": 64, "width": 6, "hidden": [5]}),
                TEXT,
                vec![("embedding", 6), ("layers.0", 5)],
            ),
            case(
                json!({"kind": "transformer", "n_layers": 1, "n_heads": 4, "width": 8}),
                TOKENS,
                vec![("layers.0.attention", 4), ("layers.0.feed_forward.up", 32)],
            ),
        ]
    }

    fn inputs(input: &InputShape) -> ModelInput {
        match input {
            InputShape::Image { .. } => {
                let values: Vec<f32> = (0..2 * 3 * 12 * 9).map(|index| (index as f32 * 0.37).sin()).collect();
                Tensor::from_vec(values, (2, 12, 9, 3), &DEVICE).unwrap().into()
            }
            _ => {
                let rows = TokenRows::new(vec![1, 2, 3, 4, 17, 9], vec![0, 4, 6]).unwrap();
                if *input == TEXT { ModelInput::Bags(rows) } else { ModelInput::Tokens(rows) }
            }
        }
    }

    fn logits(model: &Model, input: &InputShape) -> Vec<f32> {
        model.forward(&inputs(input), Mode::Eval).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The second of three, and all behind the last but one.
    fn some(n_units: usize) -> Vec<usize> {
        (0..n_units).filter(|unit| unit % 3 != 1 || n_units == 2 && *unit == 0).collect()
    }

    #[test]
    fn a_unit_that_the_reader_does_not_count_can_go() {
        for (config, input, widths) in cases() {
            let model = Model::new(&config, &input, 3, Seed(1), &DEVICE).unwrap();
            let found: Vec<(&str, usize)> =
                model.inner_widths().map(|width| (width.name.as_str(), width.n_units)).collect();
            assert_eq!(found, widths, "{config:?}");
            let kept: BTreeMap<String, Vec<usize>> =
                widths.iter().map(|(name, n_units)| ((*name).to_owned(), some(*n_units))).collect();
            let small = model.with_units(&kept).unwrap();
            assert!(small.n_parameters() < model.n_parameters());
            for width in small.inner_widths() {
                assert_eq!(width.n_units, kept[&width.name].len());
            }

            // the same model with its readers' weights for the other units at zero
            let mut state: BTreeMap<String, Tensor> = model.state_dict().unwrap().into_iter().collect();
            for width in model.inner_widths() {
                for (name, tensor) in &mut state {
                    let Some(axis) = width.axis(name).filter(|_| part_of(name, &width.reader).is_some()) else {
                        continue;
                    };
                    let len = tensor.dims()[axis];
                    let positions = width.positions(len, &kept[&width.name]);
                    let mask: Vec<f32> = (0..len as u32).map(|p| f32::from(u8::from(positions.contains(&p)))).collect();
                    let mut dims = vec![1; tensor.rank()];
                    dims[axis] = len;
                    *tensor = tensor.broadcast_mul(&Tensor::from_vec(mask, dims, &DEVICE).unwrap()).unwrap();
                }
            }
            model.load_state(state).unwrap();
            let (whole, small) = (logits(&model, &input), logits(&small, &input));
            assert!(whole.iter().zip(&small).all(|(a, b)| (a - b).abs() < 1e-5), "{config:?}: {whole:?} {small:?}");
        }
    }

    #[test]
    fn a_folder_holds_the_units_and_fresh_weights_have_them_too() {
        let (config, input, _) = cases().swap_remove(2);
        let name = "stages.1.blocks.0.conv1".to_owned();
        let model = Model::new(&config, &input, 3, Seed(1), &DEVICE).unwrap();
        let small = model.with_units(&BTreeMap::from([(name.clone(), vec![0, 2, 5])])).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let card = ModelCard {
            name: "small".into(),
            input: InputSpec::new(input, vec![0.0; 3], vec![1.0; 3]),
            labels: ["a", "b", "c"].map(String::from).to_vec(),
            numbers: Vec::new(),
            hub: Default::default(),
        };
        save_model(&folder.path().join("small"), &small, &card).unwrap();
        let (read, _) = load_model(&folder.path().join("small"), &DEVICE).unwrap();
        assert!(read.is_same(&small).unwrap());
        let fresh = Model::reduced(&config, &input, 3, (small.reductions(), Some(Seed(1))), &DEVICE).unwrap();
        assert_eq!(fresh.n_parameters(), small.n_parameters());
        assert!(fresh.flops_per_example() < model.flops_per_example());

        let refusal = |name: &str, n_units| {
            let reductions =
                Reductions { units: [(name.to_owned(), n_units)].into_iter().collect(), ..Default::default() };
            Model::reduced(&config, &input, 3, (&reductions, None), &DEVICE).unwrap_err().to_string()
        };
        assert!(refusal("stem", 3).contains("units of stem, which is no inner width"));
        assert!(refusal(&name, 0).contains("0 units of stages.1.blocks.0.conv1, expected 1 to 7"));
        assert!(refusal(&name, 8).contains("8 units"));
        assert!(model.with_units(&BTreeMap::from([(name.clone(), vec![])])).is_err());
        assert!(model.with_units(&BTreeMap::from([(name, vec![5, 2])])).is_err());
    }
}
