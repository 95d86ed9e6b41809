//! Sizes, costs, names and initial values.

use crate::cases::{
    FEATURES, IMAGE, batch, bits, convnet, every_case, example, logits, mlp, model, resnet, train_mode, values,
};
use candle_core::{Device, Tensor};
use stillhouse_core::{InputShape, Seed};
use stillhouse_models::{BlockKind, Mode, Model, ModelConfig, ResNetConfig};

const MNIST: InputShape = InputShape::Image { channels: 1, height: 28, width: 28 };
const CIFAR: InputShape = InputShape::Image { channels: 3, height: 32, width: 32 };

fn built(config: &ModelConfig, input: &InputShape, n_outputs: usize) -> Model {
    Model::new(config, input, n_outputs, Seed(0), &Device::Cpu).unwrap()
}

#[test]
fn the_papers_mnist_net_has_the_size_and_cost_counted_by_hand() {
    let model = built(&mlp(&[1200, 1200]), &MNIST, 10);
    assert_eq!(model.n_parameters(), 784 * 1200 + 1200 + 1200 * 1200 + 1200 + 1200 * 10 + 10);
    assert_eq!(model.n_parameters(), 2_395_210);
    assert_eq!(model.flops_per_example(), 2 * (784 * 1200 + 1200 * 1200 + 1200 * 10));
    assert_eq!(model.activations_per_example(), 1200 + 1200 + 10);
}

#[test]
fn residual_nets_have_the_published_sizes_and_costs() {
    // 0.27 M parameters and 40.8 M multiply-adds, the usual CIFAR-10 net with projection shortcuts
    let model = built(&resnet(20, 16), &CIFAR, 10);
    assert_eq!((model.n_parameters(), model.flops_per_example()), (272_474, 2 * 40_813_184));
    // resnet8x4 on CIFAR-100 of the distillation literature, 1.23 M parameters
    let widths = Some(vec![64, 128, 256]);
    let config = ModelConfig::ResNet(ResNetConfig {
        depth: 8,
        width: None,
        widths,
        stem_width: Some(32),
        block: BlockKind::Basic,
    });
    let model = built(&config, &CIFAR, 100);
    assert_eq!(model.n_parameters(), 1_233_540);
    // two for each convolution, shortcuts among them: 32x32, 16x16 and 8x8 positions
    let of_stages = 2 * 3 * (1024 * 64 + 256 * 128 + 64 * 256);
    assert_eq!(model.activations_per_example(), 2 * 1024 * 32 + of_stages + 100);
}

fn separable() -> ModelConfig {
    ModelConfig::ResNet(ResNetConfig { block: BlockKind::Separable, ..ResNetConfig::new(8, 4) })
}

#[test]
fn separable_blocks_have_the_size_and_cost_counted_by_hand() {
    let model = built(&separable(), &CIFAR, 10);
    // weights of a convolution of each kind, with the norm behind it
    let depthwise = |width: usize| 9 * width + 2 * width;
    let pointwise = |from: usize, to: usize| from * to + 2 * to;
    let separable = |from: usize, to: usize| depthwise(from) + pointwise(from, to);
    let wider = |width: usize| separable(width / 2, width) + separable(width, width) + pointwise(width / 2, width);
    let stem = 27 * 4 + 2 * 4;
    assert_eq!(model.n_parameters(), stem + 2 * separable(4, 4) + wider(8) + wider(16) + 16 * 10 + 10);
    let first = 1024 * (27 * 4 + 2 * (9 * 4 + 4 * 4));
    let second = 256 * (9 * 4 + 4 * 8 + 9 * 8 + 8 * 8 + 4 * 8);
    let third = 64 * (9 * 8 + 8 * 16 + 9 * 16 + 16 * 16 + 8 * 16);
    assert_eq!(model.flops_per_example(), 2 * (first + second + third + 16 * 10) as u64);
}

#[test]
fn a_convnet_has_the_size_and_cost_counted_by_hand() {
    // 28x28 -> 8 channels, pooled to 14x14 -> 16 channels, pooled to 7x7 -> 784 features -> 32 -> 10
    let model = built(&convnet(&[8, 16], 1, Some(32)), &MNIST, 10);
    assert_eq!(model.n_parameters(), 9 * 8 + 2 * 8 + 72 * 16 + 2 * 16 + 784 * 32 + 32 + 32 * 10 + 10);
    assert_eq!(model.flops_per_example(), 2 * (784 * 9 * 8 + 196 * 72 * 16 + 784 * 32 + 32 * 10));
    let of_stages = 2 * 784 * 8 + 196 * 8 + 2 * 196 * 16 + 49 * 16;
    assert_eq!(model.activations_per_example(), of_stages + 32 + 10);
}

#[test]
fn any_image_size_gives_one_row_of_logits_per_example() {
    for (height, width) in [(1, 1), (2, 3), (7, 7), (28, 28), (17, 32)] {
        let input = InputShape::Image { channels: 2, height, width };
        for config in [mlp(&[4]), convnet(&[4, 4, 4], 1, None), resnet(8, 4), separable()] {
            let logits = model(&config, &input, 0).forward(&batch(&input, 3, 1), Mode::Eval).unwrap();
            assert_eq!(logits.dims(), [3, 5], "{height}x{width} {config:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    for (config, input) in every_case() {
        assert_eq!(bits(&model(&config, &input, 3)), bits(&model(&config, &input, 3)));
        assert_ne!(bits(&model(&config, &input, 3)), bits(&model(&config, &input, 4)));
    }
}

#[test]
fn initial_weights_depend_on_the_name_and_not_on_what_else_there_is() {
    let shallow = model(&mlp(&[16]), &FEATURES, 3);
    let deep = model(&mlp(&[16, 16]), &FEATURES, 3);
    assert_eq!(values(&shallow, "layers.0.weight"), values(&deep, "layers.0.weight"));
    assert_ne!(values(&deep, "layers.1.weight")[..16], values(&deep, "layers.0.weight")[..16]);
}

#[test]
fn initial_weights_have_the_scale_that_their_layers_ask_for() {
    let model = built(&mlp(&[400, 300]), &MNIST, 10);
    for (name, variance) in
        [("layers.0.weight", 1.0 / 784.0), ("layers.1.weight", 1.0 / 400.0), ("head.weight", 0.1 / 300.0)]
    {
        let weights = values(&model, name);
        let mean_square = weights.iter().map(|weight| f64::from(*weight).powi(2)).sum::<f64>() / weights.len() as f64;
        assert!((mean_square / variance - 1.0).abs() < 0.1, "{name}: {mean_square}, expected {variance}");
    }
    assert!(values(&model, "head.bias").iter().all(|bias| *bias == 0.0));
}

#[test]
fn names_are_unique_and_only_weights_decay() {
    for (config, input) in every_case() {
        let model = model(&config, &input, 0);
        let params = model.params().iter().map(|param| &param.name);
        let names: Vec<&String> = params.chain(model.buffers().iter().map(|buffer| &buffer.name)).collect();
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        for param in model.params() {
            let is_table = ["embedding.weight", "positions.weight", "token_types.weight"].contains(&&*param.name);
            let is_matrix = param.var.rank() > 1;
            assert_eq!(param.decay, is_matrix && !is_table, "{}", param.name);
        }
    }
}

#[test]
fn evaluation_of_an_example_does_not_depend_on_its_batch() {
    for (config, input) in every_case() {
        let model = model(&config, &input, 0);
        let inputs = batch(&input, 6, 1);
        model.forward(&inputs, train_mode(0)).unwrap();
        let together = logits(&model, &inputs);
        for (index, row) in together.iter().enumerate() {
            crate::cases::assert_close(&logits(&model, &example(&inputs, index))[0], row, 1e-5);
        }
    }
}

#[test]
fn evaluation_is_not_tracked_and_training_is() {
    for (config, input) in every_case() {
        let model = model(&config, &input, 0);
        let inputs = batch(&input, 2, 1);
        assert!(!model.forward(&inputs, Mode::Eval).unwrap().track_op());
        assert!(model.forward(&inputs, train_mode(0)).unwrap().track_op());
    }
}

#[test]
fn an_input_of_another_shape_is_refused_with_both_shapes() {
    let model = model(&resnet(8, 4), &IMAGE, 0);
    // channels first, the order of other programs
    let wrong = Tensor::zeros((2, 3, 9, 8), candle_core::DType::F32, &Device::Cpu).unwrap().into();
    let error = model.forward(&wrong, Mode::Eval).unwrap_err().to_string();
    assert_eq!(error, "the input is numbers of shape [2, 3, 9, 8], the model expects numbers of shape [B, 9, 8, 3]");
}

#[test]
fn a_model_without_outputs_is_refused() {
    let error = Model::new(&mlp(&[4]), &FEATURES, 0, Seed(0), &Device::Cpu).err().unwrap();
    assert!(error.to_string().contains("at least one output"), "{error}");
}
