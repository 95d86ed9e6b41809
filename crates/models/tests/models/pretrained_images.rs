//! Published networks of images: the numbers of the Python libraries, their names of parts, other normalisations.
//!
//! `tests/fixtures/make.py` wrote the folders and printed the numbers.

use crate::cases::{N_OUTPUTS, assert_close, labels, loss_and_gradients, values};
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, InputSpec, Seed};
use stillhouse_models::{Mode, Model, ModelConfig, ModelInput};
use tempfile::TempDir;

const VIT_CLS: [[f32; 8]; 2] = [
    [-0.750_382_5, -1.218_979_2, -0.069_219_9, 1.912_732_6, -0.026_852_1, 0.424_199_1, -1.232_267_3, -0.227_466_5],
    [-0.031_951_7, -0.688_311, 0.359_166, 0.692_044_2, -0.212_114_4, 0.242_542_7, -2.713_577_3, 0.500_275_4],
];
const VIT_MEAN: [[f32; 8]; 2] = [
    [0.380_877_6, -0.781_740_7, 0.294_312_6, -0.750_809_6, -0.163_076_3, 0.048_296_5, 0.301_240_5, -1.117_903_1],
    [-0.418_400_1, -0.618_731_3, 0.688_660_8, -0.285_617_6, 0.334_525, 0.146_498_1, -1.643_261_7, -0.688_773_1],
];
const TIMM_VIT: [[f32; 12]; 2] = [
    [
        0.734_285_1,
        0.428_340_7,
        -2.167_756,
        0.140_134_5,
        -0.159_759_2,
        2.756_799,
        -2.294_863_7,
        0.597_941_6,
        1.812_572_5,
        0.451_407_4,
        -0.572_274_3,
        -0.158_089_5,
    ],
    [
        0.195_526_2,
        0.671_923_9,
        -0.867_520_6,
        -0.687_106_3,
        0.358_953_8,
        1.821_586_3,
        -3.578_597_3,
        0.706_898_7,
        1.601_380_3,
        -0.450_726_7,
        -0.205_020_8,
        0.765_627_3,
    ],
];
const RESNET_BASIC: [[f32; 8]; 2] = [
    [1.892_809_9, 0.0, 5.568_702, 2.228_705_6, 8.814_724, 0.902_619_6, 3.529_812_8, 4.242_283_3],
    [2.012_800_7, 0.0, 5.845_226, 2.224_629_2, 8.912_373, 0.605_004_9, 3.295_760_2, 4.142_788_4],
];
const RESNET_BOTTLENECK: [[f32; 8]; 2] = [
    [1.557_711_7, 1.450_160_4, 2.368_348_1, 1.858_244_7, 2.220_663_5, 0.0, 1.078_213_1, 0.007_041_9],
    [1.506_609_4, 1.546_458_4, 2.242_325_8, 1.791_492, 2.302_678, 0.0, 1.198_345_3, 0.014_296_4],
];

/// Mean and deviation that the vision transformers, and the residual networks, were made with.
const VIT_IMAGES: [[f32; 3]; 2] = [[0.4, 0.5, 0.6], [0.2, 0.3, 0.25]];
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn spec(size: usize, [mean, std]: [[f32; 3]; 2]) -> InputSpec {
    let shape = InputShape::Image { channels: 3, height: size, width: size };
    InputSpec::new(shape, mean.to_vec(), std.to_vec())
}

/// The two images of the script, normalised as a dataset would.
fn images(input: &InputSpec) -> ModelInput {
    let InputShape::Image { height: size, .. } = input.shape else { unreachable!("images") };
    let mut values = Vec::with_capacity(2 * size * size * 3);
    for (image, y, x) in (0..2).flat_map(|i| (0..size).flat_map(move |y| (0..size).map(move |x| (i, y, x)))) {
        for channel in 0..3 {
            let pixel = ((7 * image + 3 * channel + 5 * y + 2 * x) % 11) as f32 / 11.0;
            values.push((pixel - input.mean[channel]) / input.std[channel]);
        }
    }
    Tensor::from_vec(values, (2, size, size, 3), &Device::Cpu).unwrap().into()
}

fn config(json: serde_json::Value) -> ModelConfig {
    serde_json::from_value(json).unwrap()
}

fn vit(pooling: &str) -> ModelConfig {
    config(serde_json::json!({ "kind": "vit", "pretrained": "some/where", "pooling": pooling }))
}

fn resnet() -> ModelConfig {
    config(serde_json::json!({ "kind": "pretrained_resnet", "pretrained": "some/where", "learning_rate_decay": 0.5 }))
}

fn loaded(folder: &Path, config: &ModelConfig, input: &InputSpec) -> Model {
    let config = config.in_folder(folder).resolved().unwrap().into_owned();
    let model = Model::new(&config, &input.shape, N_OUTPUTS, Seed(3), &Device::Cpu).unwrap();
    model.load_pretrained(folder, input).unwrap();
    model
}

#[track_caller]
fn assert_features(folder: &Path, config: &ModelConfig, input: &InputSpec, expected: &[f32], tolerance: f32) {
    let features = loaded(folder, config, input).features(&images(input), Mode::Eval).unwrap();
    assert_close(&features.flatten_all().unwrap().to_vec1().unwrap(), expected, tolerance);
}

#[test]
fn vision_transformers_compute_what_they_do_in_their_library() {
    let input = spec(8, VIT_IMAGES);
    assert_features(&fixture("tiny_vit"), &vit("cls"), &input, &VIT_CLS.concat(), 1e-5);
    assert_features(&fixture("tiny_vit"), &vit("mean"), &input, &VIT_MEAN.concat(), 1e-5);
    assert_features(&fixture("tiny_timm_vit"), &vit("cls"), &input, &TIMM_VIT.concat(), 1e-5);
}

#[test]
fn images_of_another_normalisation_give_the_same_numbers() {
    let input = spec(8, [[0.1, 0.7, 0.5], [0.4, 0.2, 1.0]]);
    assert_features(&fixture("tiny_vit"), &vit("cls"), &input, &VIT_CLS.concat(), 1e-5);
    assert_features(&fixture("tiny_timm_vit"), &vit("cls"), &input, &TIMM_VIT.concat(), 1e-5);
    let input = spec(32, [IMAGENET[0], [0.5, 0.1, 0.3]]);
    assert_features(&fixture("tiny_resnet_basic"), &resnet(), &input, &RESNET_BASIC.concat(), 1e-4);
}

/// Another mean is not that of the padding around an image, so that outputs are equal inside of it only.
#[test]
fn the_stem_of_a_residual_network_takes_another_mean_into_its_batch_norm() {
    let folder = fixture("tiny_resnet_basic");
    let mean_of = |mean: [f32; 3]| {
        let model = loaded(&folder, &resnet(), &spec(32, [mean, IMAGENET[1]]));
        values(&model, "stem.norm.running_mean")
    };
    let distance = [0.3, -0.1, 0.2];
    let moved = mean_of(std::array::from_fn(|channel| IMAGENET[0][channel] + distance[channel]));
    let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let kernel = tensors["embedder.embedder.convolution.weight"].sum((2, 3)).unwrap().to_vec2::<f32>().unwrap();
    for ((moved, usual), kernel) in moved.iter().zip(mean_of(IMAGENET[0])).zip(kernel) {
        let shift: f32 = (0..3).map(|channel| kernel[channel] * distance[channel] / IMAGENET[1][channel]).sum();
        assert!((usual - moved - shift).abs() < 1e-4 && shift.abs() > 0.01, "{usual} {moved} {shift}");
    }
}

#[test]
fn constants_of_images_that_cannot_be_are_named() {
    let folder = TempDir::new().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("tiny_vit").join(file), folder.path().join(file)).unwrap();
    }
    let input = spec(8, VIT_IMAGES);
    let config = vit("cls").in_folder(folder.path()).resolved().unwrap().into_owned();
    let model = Model::new(&config, &input.shape, N_OUTPUTS, Seed(3), &Device::Cpu).unwrap();
    for (constants, expected) in [
        (r#"{"image_mean": [0.5], "image_std": [0.5]}"#, "expected 3 numbers"),
        (r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.0, 0.5]}"#, "0.0"),
        (r#"{"rescale_factor": 1.0}"#, "rescale_factor is 1, expected 1/255"),
    ] {
        std::fs::write(folder.path().join("preprocessor_config.json"), constants).unwrap();
        let error = model.load_pretrained(folder.path(), &input).unwrap_err().to_string();
        assert!(error.contains("preprocessor_config.json") && error.contains(expected), "{error}");
    }
    std::fs::write(folder.path().join("preprocessor_config.json"), r#"{"do_normalize": false}"#).unwrap();
    model.load_pretrained(folder.path(), &input).unwrap();
}

/// A published network under timm's names.
fn as_of_timm(folder: &Path) -> TempDir {
    let renamed = TempDir::new().unwrap();
    let tensors = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();
    let name = |name: &str| {
        let (layer, end) = name.rsplit_once('.').unwrap();
        let is_norm = layer.ends_with("normalization");
        let numbers: Vec<usize> = layer.split('.').filter_map(|part| part.parse().ok()).collect();
        let layer = match numbers[..] {
            [] => (if is_norm { "bn1" } else { "conv1" }).to_owned(),
            [stage, block] => format!("layer{}.{block}.downsample.{}", stage + 1, u8::from(is_norm)),
            [stage, block, index] => {
                format!("layer{}.{block}.{}{}", stage + 1, if is_norm { "bn" } else { "conv" }, index + 1)
            }
            _ => unreachable!("{name}"),
        };
        format!("{layer}.{end}")
    };
    let tensors: HashMap<String, Tensor> = tensors.into_iter().map(|(old, tensor)| (name(&old), tensor)).collect();
    candle_core::safetensors::save(&tensors, renamed.path().join("model.safetensors")).unwrap();
    std::fs::write(renamed.path().join("config.json"), r#"{"architecture": "resnet18"}"#).unwrap();
    renamed
}

#[test]
fn residual_networks_compute_what_they_do_in_their_library() {
    let input = spec(32, IMAGENET);
    for (name, expected) in [("tiny_resnet_basic", RESNET_BASIC), ("tiny_resnet_bottleneck", RESNET_BOTTLENECK)] {
        let folder = fixture(name);
        assert_features(&folder, &resnet(), &input, &expected.concat(), 1e-4);
        assert_features(as_of_timm(&folder).path(), &resnet(), &input, &expected.concat(), 1e-4);
    }
}

#[test]
fn every_weight_has_a_gradient_and_lower_ones_learn_slower() {
    for (folder, config, size) in
        [("tiny_vit", vit("cls"), 8), ("tiny_resnet_basic", resnet(), 32), ("tiny_resnet_bottleneck", resnet(), 32)]
    {
        let input = spec(size, IMAGENET);
        let model = loaded(&fixture(folder), &config, &input);
        let (_, gradients) = loss_and_gradients(&model, &images(&input), &labels(2), 0);
        for param in model.params() {
            assert!(gradients.get(&param.var).is_some(), "{folder}: {}", param.name);
        }
    }
    let model = loaded(&fixture("tiny_resnet_basic"), &resnet(), &spec(32, IMAGENET));
    let factor = |name: &str| model.params().iter().find(|param| param.name == name).unwrap().learning_rate_factor;
    let factors = ["stem.conv.weight", "stages.0.blocks.0.conv1.conv.weight", "stages.1.blocks.1.conv2.conv.weight"];
    assert_eq!(factors.map(factor), [0.125, 0.25, 0.5]);
    assert_eq!(factor("head.weight"), 1.0);
}

#[test]
fn other_networks_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    std::fs::copy(fixture("tiny_timm_vit/model.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let refusal = |config: &ModelConfig, published: &str| {
        std::fs::write(folder.path().join("config.json"), published).unwrap();
        config.in_folder(folder.path()).resolved().unwrap_err().to_string()
    };
    for (config, published, expected) in [
        (vit("cls"), r#"{"model_type": "swin"}"#, "model_type is swin"),
        (resnet(), r#"{"model_type": "vit"}"#, "model_type is vit"),
        (resnet(), r#"{"architecture": "convnext_tiny"}"#, "convnext_tiny"),
        (resnet(), r#"{"architecture": "resnetaa50"}"#, "resnetaa50"),
        (resnet(), "{}", "missing"),
    ] {
        let error = refusal(&config, published);
        assert!(error.contains("config.json") && error.contains(expected), "{error}");
    }
    let error = refusal(&vit("cls"), r#"{"architecture": "vit_giant_patch14"}"#);
    assert!(error.contains("vit_giant_patch14") && error.contains("vit_tiny"), "{error}");
    let config = vit("cls").in_folder(&fixture("tiny_vit")).resolved().unwrap().into_owned();
    let other = spec(9, IMAGENET).shape;
    let refusal = |config: &ModelConfig, input: &InputShape| {
        Model::new(config, input, N_OUTPUTS, Seed(3), &Device::Cpu).unwrap_err().to_string()
    };
    let error = refusal(&config, &other);
    assert!(error.contains("8 x 8 pixels") && error.contains("9") && error.contains("data.size = [8, 8]"), "{error}");
    let grey = InputShape::Image { channels: 1, height: 32, width: 32 };
    let config = resnet().in_folder(&fixture("tiny_resnet_basic")).resolved().unwrap().into_owned();
    let error = refusal(&config, &grey);
    assert!(error.contains("3 channels, found 1") && error.contains("data.channels = 3"), "{error}");
}
