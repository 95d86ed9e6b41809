//! `config.json` and `preprocessor_config.json`, with the keys of the transformers libraries.

use super::{OURS, json_file};
use crate::ExportError;
use crate::onnx::Precision;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use stillhouse_core::InputShape;
use stillhouse_models::{Model, ModelCard, ModelConfig};

/// `config.json`. The model type is one that both libraries know as a plain encoder with a classifier on top: they run
/// whatever the ONNX file holds, and read labels and little else from here.
pub(super) fn config_file(
    model: &Model,
    card: &ModelCard,
    quantised: Option<&Precision>,
) -> Result<Vec<u8>, ExportError> {
    let mut config = architecture_keys(model);
    let indexed = || card.labels.iter().enumerate();
    let id2label: Map<String, Value> = indexed().map(|(index, label)| (index.to_string(), json!(label))).collect();
    let label2id: Map<String, Value> = indexed().map(|(index, label)| (label.clone(), json!(index))).collect();
    config.insert("num_labels".into(), json!(card.labels.len()));
    config.insert("id2label".into(), Value::Object(id2label));
    config.insert("label2id".into(), Value::Object(label2id));
    if quantised.is_none() {
        // browsers ask for eight bits by default
        config.insert("transformers.js_config".into(), json!({"dtype": "fp32"}));
    }
    let ours = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": card.name,
        "architecture": model.config(),
        "input": card.input,
        "quantisation": quantised.map(Precision::recipe),
        "numbers": card.numbers.iter().cloned().collect::<BTreeMap<_, _>>(),
    });
    config.insert(OURS.into(), ours);
    json_file(&config)
}

/// Model type, class and sizes.
fn architecture_keys(model: &Model) -> Map<String, Value> {
    let keys = match (model.config(), *model.input()) {
        (ModelConfig::Vit(config), _) => {
            let size = config.size.as_ref().expect("a model has sizes");
            json!({
                "model_type": "vit",
                "architectures": ["ViTForImageClassification"],
                "image_size": size.image[0],
                "patch_size": size.patch,
                "num_channels": 3,
                "hidden_size": size.width,
                "num_hidden_layers": size.n_layers,
                "num_attention_heads": size.n_heads,
                "intermediate_size": size.feed_forward_width,
            })
        }
        (_, InputShape::Image { .. }) => json!({
            "model_type": "resnet",
            "architectures": ["ResNetForImageClassification"],
            "num_channels": 3,
        }),
        (ModelConfig::Transformer(config), InputShape::Tokens { vocabulary_size }) => encoder_keys(
            [vocabulary_size, config.width, config.n_layers, config.n_heads],
            config.feed_forward * config.width,
            config.max_len,
        ),
        (ModelConfig::Bert(config), InputShape::Tokens { vocabulary_size }) => {
            let size = config.size.as_ref().expect("a model has sizes");
            let sizes = [vocabulary_size, size.width, size.n_layers, size.n_heads];
            encoder_keys(sizes, size.feed_forward_width, config.max_len)
        }
        // no type of the libraries takes n-grams or rows of numbers
        _ => json!({"model_type": "custom"}),
    };
    match keys {
        Value::Object(keys) => keys,
        _ => unreachable!("the keys are an object"),
    }
}

fn encoder_keys(
    [vocabulary_size, width, n_layers, n_heads]: [usize; 4],
    feed_forward_width: usize,
    max_len: usize,
) -> Value {
    json!({
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
        "vocab_size": vocabulary_size,
        "hidden_size": width,
        "num_hidden_layers": n_layers,
        "num_attention_heads": n_heads,
        "intermediate_size": feed_forward_width,
        "max_position_embeddings": max_len,
    })
}

#[derive(Serialize)]
struct Preprocessor {
    image_processor_type: &'static str,
    feature_extractor_type: &'static str,
    do_convert_rgb: bool,
    do_resize: bool,
    size: Size,
    resample: u8,
    do_rescale: bool,
    rescale_factor: f64,
    do_normalize: bool,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

#[derive(Serialize)]
struct Size {
    height: usize,
    width: usize,
}

/// Pillow's number of the bilinear filter, which is the triangle filter of the `image` crate.
const BILINEAR: u8 = 2;

/// `preprocessor_config.json`: an image is stretched to the model's size. A grey model has one mean and deviation, which
/// each of the three channels gets.
pub(super) fn preprocessor_file(card: &ModelCard, height: usize, width: usize) -> Result<Vec<u8>, ExportError> {
    let of_channel = |numbers: &[f32], channel: usize| numbers[channel.min(numbers.len() - 1)];
    json_file(&Preprocessor {
        image_processor_type: "ViTImageProcessor",
        feature_extractor_type: "ViTFeatureExtractor",
        do_convert_rgb: true,
        do_resize: true,
        size: Size { height, width },
        resample: BILINEAR,
        do_rescale: true,
        rescale_factor: 1.0 / 255.0,
        do_normalize: true,
        image_mean: std::array::from_fn(|channel| of_channel(&card.input.mean, channel)),
        image_std: std::array::from_fn(|channel| of_channel(&card.input.std, channel)),
    })
}
