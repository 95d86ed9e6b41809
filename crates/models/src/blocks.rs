//! Blocks that add to their input: layers of an encoder, blocks of a residual network. One that gives out the shape it takes can be
//! left out.

use crate::{Model, ModelError};
use std::collections::BTreeSet;

impl Model {
    /// Names of the blocks that can be left out, in the order of computation.
    pub fn removable_blocks(&self) -> &[String] {
        &self.removable_blocks
    }

    /// A copy without these blocks: each hands on what it would have read.
    ///
    /// # Errors
    /// A block that cannot be left out, or that the model does not have.
    pub fn without_blocks(&self, names: &BTreeSet<String>) -> Result<Self, ModelError> {
        if let Some(name) = names.iter().find(|name| !self.removable_blocks.contains(name)) {
            return Err(ModelError::Misfit(no_such_block(name)));
        }
        let mut reductions = self.reductions().clone();
        reductions.left_out.extend(names.iter().cloned());
        let is_of_block = |name: &str| {
            let part_of = |block: &String| name.strip_prefix(block.as_str()).is_some_and(|rest| rest.starts_with('.'));
            names.iter().any(part_of)
        };
        reductions.ranks.retain(|layer| !is_of_block(layer));
        reductions.units.retain(|width| !is_of_block(width));
        let state = self.variables().filter(|(name, _)| !is_of_block(name));
        let state = state.map(|(name, var)| (name.to_owned(), var.as_detached_tensor())).collect::<Vec<_>>();
        self.with_reductions(&reductions, state)
    }
}

/// A block that this architecture, which has these removable ones, cannot be without.
pub(crate) fn left_out_problem(left_out: &BTreeSet<String>, removable: &[String]) -> Option<String> {
    left_out.iter().find(|name| !removable.contains(name)).map(|name| no_such_block(name))
}

fn no_such_block(name: &str) -> String {
    format!("the model without {name}, which is no block that can be left out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Mode;
    use crate::{ModelCard, ModelConfig, ModelInput, load_model, save_model};
    use candle_core::{Device, Tensor};
    use serde_json::json;
    use stillhouse_core::{InputShape, InputSpec, Seed};
    use stillhouse_ops::TokenRows;

    const DEVICE: Device = Device::Cpu;
    const IMAGE: InputShape = InputShape::Image { channels: 3, height: 12, width: 9 };

    /// A config, its input, and the blocks that can go.
    fn cases() -> Vec<(ModelConfig, InputShape, Vec<&'static str>)> {
        let case = |config: serde_json::Value, input, blocks| (serde_json::from_value(config).unwrap(), input, blocks);
        let published = json!({"kind": "pretrained_resnet", "size": {"channels": 3,
            "stem_width": 8, "widths": [8, 12], "depths": [2, 2], "block": "basic"}});
        vec![
            case(
                json!({"kind": "resnet", "depth": 14, "width": 4, "stem_width": 6}),
                IMAGE,
                vec!["stages.0.blocks.1", "stages.1.blocks.1", "stages.2.blocks.1"],
            ),
            case(published, IMAGE, vec!["stages.0.blocks.0", "stages.0.blocks.1", "stages.1.blocks.1"]),
            case(
                json!({"kind": "transformer", "n_layers": 2, "n_heads": 2, "width": 8}),
                InputShape::Tokens { vocabulary_size: 30 },
                vec!["layers.0", "layers.1"],
            ),
            case(json!({"kind": "mlp", "widths": [5]}), IMAGE, vec![]),
        ]
    }

    fn logits(model: &Model, input: &InputShape) -> Vec<f32> {
        let inputs: ModelInput = match input {
            InputShape::Image { .. } => {
                let values: Vec<f32> = (0..2 * 3 * 12 * 9).map(|index| (index as f32 * 0.37).sin()).collect();
                Tensor::from_vec(values, (2, 12, 9, 3), &DEVICE).unwrap().into()
            }
            _ => ModelInput::Tokens(TokenRows::new(vec![1, 2, 3, 4, 17, 9], vec![0, 4, 6]).unwrap()),
        };
        model.forward(&inputs, Mode::Eval).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The state in which a block adds nothing: its last layer gives out 0.
    fn silenced(model: &Model, block: &str) -> Model {
        let copy = model.with_head(crate::HeadInit::Same).unwrap();
        let mut weights = copy.weights().unwrap();
        for (name, values) in &mut weights {
            let Some(part) = name.strip_prefix(&format!("{block}.")) else { continue };
            let is_last =
                ["conv2.norm.weight", "conv2.norm.bias", "attention.output.weight", "feed_forward.down.weight"];
            if is_last.contains(&part) {
                values.fill(0.0);
            }
        }
        copy.set_weights(weights).unwrap();
        copy
    }

    #[test]
    fn a_block_that_adds_nothing_can_be_left_out() {
        for (config, input, blocks) in cases() {
            let model = Model::new(&config, &input, 3, Seed(1), &DEVICE).unwrap();
            assert_eq!(model.removable_blocks(), blocks, "{config:?}");
            for block in blocks {
                let (silent, name) = (silenced(&model, block), BTreeSet::from([block.to_owned()]));
                let small = silent.without_blocks(&name).unwrap();
                let (whole, fewer) = (logits(&silent, &input), logits(&small, &input));
                assert!(whole.iter().zip(&fewer).all(|(a, b)| (a - b).abs() < 1e-5), "{block}: {whole:?} {fewer:?}");
                assert_ne!(logits(&model, &input), fewer, "{block}");
                assert!(small.n_parameters() < model.n_parameters());
                assert!(small.flops_per_example() < model.flops_per_example());
                assert!(!small.removable_blocks().iter().any(|left| left == block));
                assert!(small.without_blocks(&name).is_err(), "it is gone already");
            }
        }
    }

    #[test]
    fn a_folder_remembers_and_a_stranger_is_refused() {
        let (config, input, _) = cases().swap_remove(0);
        let model = Model::new(&config, &input, 3, Seed(1), &DEVICE).unwrap();
        let small = model.without_blocks(&BTreeSet::from(["stages.1.blocks.1".to_owned()])).unwrap();
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
        for stranger in ["stem", "stages.1.blocks.0", "stages.9.blocks.1"] {
            let refused = model.without_blocks(&BTreeSet::from([stranger.to_owned()])).unwrap_err().to_string();
            assert!(refused.contains(&format!("without {stranger}, which is no block")), "{refused}");
            let mut reductions = model.reductions().clone();
            reductions.left_out.insert(stranger.to_owned());
            assert!(Model::reduced(&config, &input, 3, (&reductions, None), &DEVICE).is_err());
        }
    }
}
