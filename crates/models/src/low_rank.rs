//! Linear layers of low rank: `x W^T` as `(x A^T) B^T`, with `A` of `[r, I]` and `B` of `[O, r]`.
//!
//! A layer `name` of rank `r` has its parameters under `name.first.weight` (`A`), `name.weight` (`B`) and `name.bias`.

use crate::Sizes;
use crate::outline::ModelOutline;
use std::collections::BTreeMap;

/// Name of the parameter `A` of a layer.
pub fn first_weight(layer: &str) -> String {
    format!("{layer}.first.weight")
}

/// A rank that no layer of this outline, which was made with these ranks, can have.
pub(crate) fn rank_problem(ranks: &Sizes, outline: &ModelOutline) -> Option<String> {
    let shapes: BTreeMap<&str, &[usize]> = outline.shapes().collect();
    ranks.iter().find_map(|(layer, rank)| {
        let find = |name: String| shapes.get(name.as_str()).copied();
        match (find(format!("{layer}.weight")), find(first_weight(layer))) {
            (Some([n_outputs, _]), Some([_, n_inputs])) if rank > 0 && rank < *n_outputs.min(n_inputs) => None,
            (Some([n_outputs, _]), Some([_, n_inputs])) => {
                Some(format!("rank {rank} of {layer}, which has {n_inputs} inputs and {n_outputs} outputs"))
            }
            _ => Some(format!("a rank of {layer}, which is no linear layer of the body")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Mode;
    use crate::{LayerKind, MlpConfig, Model, ModelConfig, ModelInput, Reductions, TransformerConfig};
    use candle_core::{Device, Tensor};
    use stillhouse_core::{InputShape, Seed};

    const DEVICE: Device = Device::Cpu;
    const INPUT: InputShape = InputShape::Features { n_features: 6 };

    fn mlp() -> ModelConfig {
        ModelConfig::Mlp(MlpConfig { widths: vec![5, 4], dropout: 0.0, input_dropout: 0.0, max_norm: None })
    }

    fn ranks(pairs: &[(&str, usize)]) -> Reductions {
        Reductions::of_ranks(pairs.iter().map(|(name, rank)| ((*name).to_owned(), *rank)).collect())
    }

    #[test]
    fn a_layer_of_low_rank_is_the_product_of_its_factors() {
        let ranks = ranks(&[("layers.0", 2)]);
        let model = Model::reduced(&mlp(), &INPUT, 3, (&ranks, Some(Seed(1))), &DEVICE).unwrap();
        let whole = Model::blank(&mlp(), &INPUT, 3, &DEVICE).unwrap();
        let state: BTreeMap<String, Tensor> = model.state_dict().unwrap().into_iter().collect();
        let product = state["layers.0.weight"].matmul(&state["layers.0.first.weight"]).unwrap();
        assert_eq!((product.dims(), state["layers.0.first.weight"].dims()), (&[5, 6][..], &[2, 6][..]));
        let names: Vec<String> = whole.params().iter().map(|param| param.name.clone()).collect();
        let of = |name: String| {
            let value = if name == "layers.0.weight" { product.clone() } else { state[&name].clone() };
            (name, value)
        };
        whole.load_state(names.into_iter().map(of)).unwrap();
        let inputs = Tensor::arange(0f32, 12.0, &DEVICE).unwrap().reshape((2, 6)).unwrap();
        let logits = |model: &Model| -> Vec<f32> {
            model.forward(&inputs.clone().into(), Mode::Eval).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        assert!(logits(&model).iter().zip(logits(&whole)).all(|(a, b)| (a - b).abs() < 1e-5));
        assert_eq!(model.n_parameters() + 30 - 22, whole.n_parameters());
        let copy = model.with_head(crate::HeadInit::Same).unwrap();
        assert!(copy.is_same(&model).unwrap() && !copy.is_same(&whole).unwrap());
    }

    #[test]
    fn ranks_that_no_layer_can_have_are_refused() {
        let refusal = |pairs: &[(&str, usize)]| {
            Model::reduced(&mlp(), &INPUT, 3, (&ranks(pairs), None), &DEVICE).unwrap_err().to_string()
        };
        assert!(refusal(&[("layers.7", 2)]).contains("layers.7, which is no linear layer"));
        assert!(refusal(&[("layers.0", 0)]).contains("rank 0 of layers.0"));
        assert!(refusal(&[("layers.1", 5)]).contains("rank 5 of layers.1"));
        assert!(refusal(&[("head", 2)]).contains("no linear layer of the body"));
    }

    #[test]
    fn layers_tell_what_they_read() {
        let whole = Model::new(&mlp(), &INPUT, 3, Seed(0), &DEVICE).unwrap();
        let inputs = Tensor::arange(0f32, 12.0, &DEVICE).unwrap().reshape((2, 6)).unwrap();
        let read = whole.layer_inputs(&inputs.clone().into()).unwrap();
        let names: Vec<(&str, usize, usize)> =
            read.iter().map(|layer| (layer.name.as_str(), layer.n_inputs, layer.n_outputs)).collect();
        assert_eq!(names, [("layers.0", 6, 5), ("layers.1", 5, 4), ("head", 4, 3)]);
        assert_eq!(read[2].kind, LayerKind::Head);
        assert_eq!(read[0].values, (0..12).map(|value| value as f32).collect::<Vec<_>>());
        assert_eq!(read[1].values.len(), 10);

        let config = ModelConfig::Transformer(TransformerConfig::new(1, 2, 8));
        let tokens = InputShape::Tokens { vocabulary_size: 20 };
        let ranks = ranks(&[("layers.0.feed_forward.up", 3)]);
        let model = Model::reduced(&config, &tokens, 3, (&ranks, Some(Seed(0))), &DEVICE).unwrap();
        let texts = stillhouse_ops::TokenRows::new(vec![1, 2, 3, 4], vec![0, 3, 4]).unwrap();
        let read = model.layer_inputs(&ModelInput::Tokens(texts)).unwrap();
        let names: Vec<&str> = read.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(
            names,
            ["layers.0.attention.projections", "layers.0.attention.output", "layers.0.feed_forward.down", "head"],
            "the factored layer is not whole"
        );
        assert_eq!(read[0].values.len(), 4 * 8, "four tokens of two texts");
    }
}
