//! Folders of published networks as people have them, and folders whose files do not go together.

use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use stillhouse_models::{ModelConfig, load_model, published_files};
use tempfile::TempDir;

const WEIGHTS: &str = "model.safetensors";

/// A copy of a small network of each family.
fn copy(name: &str) -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let folder = TempDir::new().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

const FAMILIES: [(&str, &str); 5] = [
    ("tiny_bert", "bert"),
    ("tiny_distilbert", "bert"),
    ("tiny_roberta", "bert"),
    ("tiny_vit", "vit"),
    ("tiny_resnet_basic", "pretrained_resnet"),
];

fn resolve(folder: &Path, kind: &str) -> Result<(), String> {
    let config = serde_json::json!({ "kind": kind, "pretrained": folder });
    let config: ModelConfig = serde_json::from_value(config).unwrap();
    config.resolved().map(drop).map_err(|error| error.to_string())
}

/// Writes the weights with other names or types.
fn rewrite(folder: &Path, change: impl Fn(&str, &Tensor) -> (String, Tensor)) {
    let path = folder.join(WEIGHTS);
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let tensors: HashMap<String, Tensor> = tensors.iter().map(|(name, tensor)| change(name, tensor)).collect();
    candle_core::safetensors::save(&tensors, &path).unwrap();
}

fn edit(path: PathBuf, from: &str, to: &str) {
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn weights_of_another_format_are_named_with_the_way_to_safetensors() {
    for (name, kind) in FAMILIES {
        let folder = copy(name);
        fs::rename(folder.path().join(WEIGHTS), folder.path().join("pytorch_model.bin")).unwrap();
        let error = resolve(folder.path(), kind).unwrap_err();
        let path = folder.path().to_str().unwrap();
        for part in [
            "no model.safetensors and no model.safetensors.index.json among its files, but pytorch_model.bin",
            "from transformers import AutoModel\n",
            &format!("AutoModel.from_pretrained({path:?}).save_pretrained({path:?})"),
        ] {
            assert!(error.contains(part), "{error}");
        }
        fs::rename(folder.path().join("pytorch_model.bin"), folder.path().join("weights.safetensors")).unwrap();
        let error = resolve(folder.path(), kind).unwrap_err();
        assert!(error.contains("if the weights are in weights.safetensors, name it model.safetensors"), "{error}");
        fs::remove_file(folder.path().join("weights.safetensors")).unwrap();
        let error = resolve(folder.path(), kind).unwrap_err();
        assert!(error.ends_with("expected weights in safetensors"), "{error}");
    }
    let listing = ["config.json", "tf_model.h5"].map(str::to_owned);
    let error = published_files("owner/name", &listing).unwrap_err();
    assert!(error.contains("tf_model.h5") && error.contains("from_pretrained(\"owner/name\")"), "{error}");
}

#[test]
fn a_pointer_of_git_lfs_is_told_as_one() {
    for file in [WEIGHTS, "config.json"] {
        let folder = copy("tiny_bert");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        fs::write(folder.path().join(file), pointer).unwrap();
        let error = resolve(folder.path(), "bert").unwrap_err();
        assert!(error.contains(file) && error.contains("git lfs pull"), "{error}");
    }
}

#[test]
fn weights_of_half_precision_and_of_double_are_read_and_others_named() {
    for (name, kind) in FAMILIES {
        for dtype in [DType::F16, DType::BF16, DType::F64] {
            let folder = copy(name);
            rewrite(folder.path(), |name, tensor| (name.to_owned(), tensor.to_dtype(dtype).unwrap()));
            resolve(folder.path(), kind).unwrap();
        }
        let folder = copy(name);
        rewrite(folder.path(), |name, tensor| (name.to_owned(), tensor.to_dtype(DType::U8).unwrap()));
        let error = resolve(folder.path(), kind).unwrap_err();
        assert!(error.contains("(u8 [") && error.contains("expected floats ["), "{error}");
    }
}

#[test]
fn names_may_stand_behind_those_of_any_wrapper() {
    for (name, kind) in FAMILIES {
        for prefix in ["module.", "model.bert.", "0.auto_model."] {
            let folder = copy(name);
            rewrite(folder.path(), |name, tensor| (format!("{prefix}{name}"), tensor.clone()));
            resolve(folder.path(), kind).unwrap_or_else(|error| panic!("{name} {prefix}: {error}"));
        }
    }
}

#[test]
fn missing_tensors_are_listed_before_anything_is_trained() {
    for (name, kind) in FAMILIES {
        let folder = copy(name);
        rewrite(folder.path(), |name, tensor| (name.replace(".weight", ".heaviness"), tensor.clone()));
        let error = resolve(folder.path(), kind).unwrap_err();
        assert!(error.contains("the weights do not fit the model: missing ") && error.contains(".weight, "), "{error}");
    }
}

#[test]
fn a_config_that_claims_more_than_the_weights_hold_is_refused() {
    for (name, from, to) in [
        ("tiny_bert", "\"vocab_size\": 12", "\"vocab_size\": 1000000000000"),
        ("tiny_bert", "\"max_position_embeddings\": 6", "\"max_position_embeddings\": 1000000000000"),
        ("tiny_vit", "\"intermediate_size\": ", "\"intermediate_size\": 5"),
    ] {
        let folder = copy(name);
        edit(folder.path().join("config.json"), from, to);
        let error = resolve(folder.path(), if name == "tiny_bert" { "bert" } else { "vit" }).unwrap_err();
        assert!(error.contains("the weights do not fit the model: misshapen "), "{error}");
    }
}

#[test]
fn a_family_that_is_not_read_is_named_rather_than_a_key_that_it_lacks() {
    let folder = copy("tiny_bert");
    fs::write(folder.path().join("config.json"), r#"{"model_type": "gpt2", "n_embd": 768}"#).unwrap();
    for (kind, expected) in [("bert", "model_type is \"gpt2\", expected \"bert\""), ("vit", "model_type is gpt2")] {
        let error = resolve(folder.path(), kind).unwrap_err();
        assert!(error.contains("config.json") && error.contains(expected), "{error}");
    }
}

#[test]
fn an_index_that_names_nothing_or_what_is_not_there_is_refused() {
    let folder = copy("tiny_bert");
    fs::rename(folder.path().join(WEIGHTS), folder.path().join("a.safetensors")).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    for (content, expected) in [
        (r#"{"weight_map": {}}"#, "names no file of weights"),
        (r#"{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}"#, "it has no b.safetensors"),
        (r#"{"weight_map": {"x": "/etc/passwd"}}"#, "expected files of the same folder"),
    ] {
        fs::write(&index, content).unwrap();
        let error = resolve(folder.path(), "bert").unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    fs::write(&index, r#"{"weight_map": {"x": "a.safetensors"}}"#).unwrap();
    resolve(folder.path(), "bert").unwrap();
}

#[test]
fn a_model_folder_whose_config_claims_more_than_its_weights_hold_is_refused() {
    let folder = TempDir::new().unwrap();
    let model = crate::cases::model(&crate::cases::mlp(&[16]), &crate::cases::FEATURES, 0);
    let place = folder.path().join("m");
    let stillhouse_core::InputShape::Features { n_features } = crate::cases::FEATURES else { unreachable!() };
    let card = stillhouse_models::ModelCard {
        name: "m".into(),
        input: stillhouse_core::InputSpec {
            shape: crate::cases::FEATURES,
            mean: vec![0.0; n_features],
            std: vec![1.0; n_features],
            offset: Vec::new(),
            background: None,
        },
        labels: (0..crate::cases::N_OUTPUTS).map(|class| class.to_string()).collect(),
        numbers: Vec::new(),
        hub: Default::default(),
    };
    stillhouse_models::save_model(&place, &model, &card).unwrap();
    let config = fs::read_to_string(place.join("config.json")).unwrap();
    for (from, to, expected) in [
        ("16", "60000", "misshapen layers.0.weight (f32 [16, 12], expected f32 [60000, 12])"),
        ("16", "60000, 60000", "missing layers.1.weight, layers.1.bias"),
        (
            &format!("\"n_features\": {n_features}"),
            "\"n_features\": 4000000000000",
            "the input has 4000000000000 values",
        ),
        (&format!("\"n_features\": {n_features}"), "\"n_features\": 400000000", "misshapen layers.0.weight"),
    ] {
        assert!(config.contains(from), "{config}");
        fs::write(place.join("config.json"), config.replacen(from, to, 1)).unwrap();
        let error = load_model(&place, &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
