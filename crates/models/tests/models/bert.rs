//! Published encoders: the numbers of the Python library, all ways in which weights are named and cut, what is frozen.
//!
//! `tests/fixtures/tiny_bert` and the numbers below were written by this program (transformers 5.24, torch 2.15):
//!
//! ```python
//! import torch
//! from safetensors.torch import save_file
//! from transformers import BertConfig, BertModel
//!
//! torch.manual_seed(0)
//! config = BertConfig(vocab_size=12, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
//!                     max_position_embeddings=6, type_vocab_size=2, initializer_range=0.4)
//! model = BertModel(config, add_pooling_layer=False).eval()
//! for name, tensor in model.named_parameters():
//!     if tensor.dim() == 1:
//!         torch.nn.init.normal_(tensor, mean=float("LayerNorm.weight" in name), std=0.3)
//! ids = torch.tensor([[1, 5, 7, 2, 0], [3, 11, 4, 8, 2]])
//! mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
//! with torch.no_grad():
//!     hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
//!     mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
//! save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, "model.safetensors")
//! config.to_json_file("config.json")
//! print(mean.tolist(), hidden[:, 0].tolist())
//! ```

use crate::cases::{N_OUTPUTS, assert_close, labels, loss_and_gradients, values};
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use stillhouse_core::{InputShape, InputSpec, Seed};
use stillhouse_models::{BertConfig, EncoderPooling, Mode, Model, ModelConfig, ModelError, ModelInput, TokenRows};
use tempfile::TempDir;

const MEAN: [[f32; 8]; 2] = [
    [-0.119_037_79, -0.690_184_95, 0.541_480_5, 3.058_736_3, -1.193_507_4, -0.718_438_45, -0.450_322_24, 0.812_243_8],
    [-1.138_281_3, 0.794_673_2, 1.702_28, 1.349_985_2, -1.161_149_9, -0.731_665_8, -0.345_284_7, 0.753_563_05],
];
const CLS: [[f32; 8]; 2] = [
    [-0.272_133_98, -0.280_531_8, 1.133_914_2, 2.946_857_2, -1.126_817_7, -1.025_712_4, -0.640_134_6, 0.679_982_36],
    [-1.249_327_5, 1.728_000_6, 2.177_929, 0.651_888_2, -1.205_450_4, -1.290_212_9, -0.116_683_24, 0.428_598_23],
];

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny_bert")
}

/// The config as people write it, with nothing but the folder.
fn written() -> BertConfig {
    serde_json::from_str(r#"{"pretrained": "some/where", "max_len": 6}"#).unwrap()
}

fn model_of(config: &BertConfig) -> Result<Model, ModelError> {
    let input = InputShape::Tokens { vocabulary_size: 12 };
    Model::new(&ModelConfig::Bert(config.clone()), &input, N_OUTPUTS, Seed(3), &Device::Cpu)
}

fn model(config: &BertConfig) -> Model {
    model_of(config).unwrap()
}

fn loaded(folder: &Path, config: &BertConfig) -> Model {
    let model = model(&config.resolved(folder).unwrap());
    model.load_pretrained(folder, &text()).unwrap();
    model
}

/// Texts have no normalisation.
fn text() -> InputSpec {
    InputSpec::new(InputShape::Text {}, Vec::new(), Vec::new())
}

fn texts() -> ModelInput {
    ModelInput::Tokens(TokenRows::of([vec![1, 5, 7, 2], vec![3, 11, 4, 8, 2]]).unwrap())
}

fn features(model: &Model) -> Vec<f32> {
    model.features(&texts(), Mode::Eval).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn outputs_are_those_of_the_python_library() {
    assert_close(&features(&loaded(&fixture(), &written())), &MEAN.concat(), 1e-5);
    let cls = BertConfig { pooling: EncoderPooling::Cls, ..written() };
    assert_close(&features(&loaded(&fixture(), &cls)), &CLS.concat(), 1e-5);
}

/// `tests/fixtures/make.py` wrote these encoders and printed the numbers.
#[test]
fn relatives_compute_what_they_do_in_the_python_library() {
    let expected = [
        [
            [0.468_403_3, 0.152_268_8, -0.712_925_4, 0.293_879_3, -1.038_922_9, 1.047_583_7, -0.029_746_9, 0.153_873_7],
            [0.561_499_5, 0.115_768_2, -0.965_016_4, 0.301_089_8, -1.004_686_7, 1.611_485_5, -0.197_703_9, 0.132_304_4],
        ],
        [
            [-2.043_839, 1.108_122_3, 0.059_144_4, 0.721_363_1, 0.422_745_3, -1.066_508_4, 0.244_852_6, 1.822_671_2],
            [-1.048_430_1, 0.259_811, 0.608_739_9, 0.941_927_6, 0.159_114_5, -0.692_606, -0.119_593_4, 1.569_777_3],
        ],
    ];
    let texts = ModelInput::Tokens(TokenRows::of([vec![4, 5, 7, 2], vec![3, 11, 4, 8, 2]]).unwrap());
    for (name, expected) in ["tiny_roberta", "tiny_distilbert"].iter().zip(expected) {
        let folder = fixture().with_file_name(name);
        let model = loaded(&folder, &written());
        let features = model.features(&texts, Mode::Eval).unwrap().flatten_all().unwrap();
        assert_close(&features.to_vec1().unwrap(), &expected.concat(), 1e-5);
        let too_long = model_of(&BertConfig { max_len: 7, ..written() }.resolved(&folder).unwrap());
        assert!(too_long.unwrap_err().to_string().contains("max_len: must be at most 6"), "{name}");
    }
}

/// The fixture with other names, and left out where there is none.
fn renamed(name: impl Fn(&str) -> Option<String>) -> TempDir {
    let folder = TempDir::new().unwrap();
    let tensors = candle_core::safetensors::load(fixture().join("model.safetensors"), &Device::Cpu).unwrap();
    let renamed: HashMap<String, Tensor> =
        tensors.into_iter().filter_map(|(old, tensor)| Some((name(&old)?, tensor))).collect();
    candle_core::safetensors::save(&renamed, folder.path().join("model.safetensors")).unwrap();
    std::fs::copy(fixture().join("config.json"), folder.path().join("config.json")).unwrap();
    folder
}

#[test]
fn old_names_and_the_prefix_are_understood() {
    let old = |name: &str| {
        let name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
        Some(format!("bert.{name}"))
    };
    let expected = features(&loaded(&fixture(), &written()));
    assert_eq!(features(&loaded(renamed(old).path(), &written())), expected);
}

#[test]
fn shards_are_put_together() {
    let is_embedding = |name: &str| name.starts_with("embeddings");
    let first = renamed(|name| is_embedding(name).then(|| name.to_owned()));
    let second = renamed(|name| (!is_embedding(name)).then(|| name.to_owned()));
    let folder = TempDir::new().unwrap();
    std::fs::copy(fixture().join("config.json"), folder.path().join("config.json")).unwrap();
    std::fs::copy(first.path().join("model.safetensors"), folder.path().join("a.safetensors")).unwrap();
    std::fs::copy(second.path().join("model.safetensors"), folder.path().join("b.safetensors")).unwrap();
    let index = r#"{"metadata": {}, "weight_map": {"x": "a.safetensors", "y": "b.safetensors", "z": "a.safetensors"}}"#;
    std::fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    assert_eq!(features(&loaded(folder.path(), &written())), features(&loaded(&fixture(), &written())));
    let outside = r#"{"weight_map": {"x": "../a.safetensors"}}"#;
    std::fs::write(folder.path().join("model.safetensors.index.json"), outside).unwrap();
    let error = model(&written().resolved(&fixture()).unwrap()).load_pretrained(folder.path(), &text()).unwrap_err();
    assert!(error.to_string().contains("files of the same folder"), "{error}");
}

#[test]
fn missing_and_misshapen_tensors_are_named_and_nothing_is_loaded() {
    let folder = renamed(|name| match name {
        "encoder.layer.1.attention.self.key.bias" => None,
        "embeddings.position_embeddings.weight" => Some("embeddings.token_type_embeddings.weight".into()),
        "embeddings.token_type_embeddings.weight" => Some("embeddings.position_embeddings.weight".into()),
        _ => Some(name.into()),
    });
    let model = model(&written().resolved(&fixture()).unwrap());
    let before = features(&model);
    let error = model.load_pretrained(folder.path(), &text()).unwrap_err().to_string();
    for part in [
        "missing encoder.layer.1.attention.self.key.bias",
        "embeddings.position_embeddings.weight (f32 [2, 8], expected floats [6, 8])",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(features(&model), before);
}

#[test]
fn other_families_and_models_are_refused() {
    let folder = TempDir::new().unwrap();
    let config = std::fs::read_to_string(fixture().join("config.json")).unwrap();
    for (old, new, expected) in [
        ("\"bert\"", "\"mpnet\"", "model_type is \"mpnet\", expected \"bert\""),
        ("\"gelu\"", "\"silu\"", "activation is \"silu\""),
        ("\"vocab_size\"", "\"vocabulary\"", "vocab_size"),
    ] {
        std::fs::write(folder.path().join("config.json"), config.replace(old, new)).unwrap();
        let error = written().resolved(folder.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let input = InputShape::Tokens { vocabulary_size: 12 };
    let build = |config: &BertConfig, input| {
        Model::new(&ModelConfig::Bert(config.clone()), &input, N_OUTPUTS, Seed(3), &Device::Cpu)
            .unwrap_err()
            .to_string()
    };
    assert!(build(&written(), input).contains("sizes of the pretrained network are unknown"));
    let resolved = written().resolved(&fixture()).unwrap();
    let problem = build(&resolved, InputShape::Tokens { vocabulary_size: 13 });
    assert!(problem.contains("the tokenizer knows 13 tokens, the encoder 12"), "{problem}");
    assert!(build(&resolved, InputShape::Text {}).contains("cannot be built for Text"));
    let other = crate::cases::model(&crate::cases::mlp(&[4]), &crate::cases::FEATURES, 0);
    assert!(other.load_pretrained(&fixture(), &text()).unwrap_err().to_string().contains("has no pretrained weights"));
}

#[test]
fn frozen_layers_get_no_gradient_and_the_others_learn_slower_the_lower_they_are() {
    let config = BertConfig { n_frozen_layers: Some(1), learning_rate_decay: 0.5, ..written() };
    let model = loaded(&fixture(), &config);
    let (_, gradients) = loss_and_gradients(&model, &texts(), &labels(2), 0);
    for param in model.params() {
        let is_frozen = !param.name.starts_with("layers.1") && !param.name.starts_with("head");
        assert_eq!(param.is_frozen(), is_frozen, "{}", param.name);
        assert_eq!(gradients.get(&param.var).is_none(), is_frozen, "{}", param.name);
    }
    let factor = |model: &Model, name: &str| {
        model.params().iter().find(|param| param.name == name).unwrap().learning_rate_factor
    };
    assert_eq!((factor(&model, "layers.1.attention.output.bias"), factor(&model, "head.bias")), (0.5, 1.0));
    let all = loaded(&fixture(), &BertConfig { learning_rate_decay: 0.5, ..written() });
    assert_eq!((factor(&all, "layers.0.attention.output.bias"), factor(&all, "embedding.weight")), (0.25, 0.125));
    let embeddings = loaded(&fixture(), &BertConfig { n_frozen_layers: Some(0), ..written() });
    let (_, gradients) = loss_and_gradients(&embeddings, &texts(), &labels(2), 0);
    for param in embeddings.params() {
        assert_eq!(gradients.get(&param.var).is_none(), param.is_frozen(), "{}", param.name);
    }
    assert!(
        factor(&embeddings, "layers.0.attention.output.bias") > 0.0 && factor(&embeddings, "positions.weight") == 0.0
    );
}

#[test]
fn the_head_is_left_as_it_was() {
    let config = written().resolved(&fixture()).unwrap();
    assert_eq!(values(&model(&config), "head.weight"), values(&loaded(&fixture(), &written()), "head.weight"));
}
