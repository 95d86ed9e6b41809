//! Exported folders: what is in them, and what they refuse to replace.

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use stillhouse_core::InputSpec;
use stillhouse_export::graph::Example;
use stillhouse_export::onnx::TableBits;
use stillhouse_export::{ExportError, OnnxOptions, write_onnx_folder};
use stillhouse_models::{Model, ModelCard, Tokenizer, save_model};
use support::N_CLASSES;

fn card(model: &Model) -> ModelCard {
    let n_channels = model.input().n_channels();
    ModelCard {
        name: "student".into(),
        input: InputSpec::new(*model.input(), vec![0.25; n_channels], vec![0.5; n_channels]),
        labels: (0..N_CLASSES).map(|class| format!("class | {class}")).collect(),
        numbers: vec![("top-1 accuracy, test".into(), "71.3 %".into())],
        hub: Default::default(),
    }
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn find(models: Vec<(&'static str, Model)>, name: &str) -> Model {
    models.into_iter().find(|(found, _)| *found == name).unwrap().1
}

#[test]
fn an_image_folder_has_what_the_libraries_read() {
    let model = find(support::models_of_values(), "grey convnet");
    let (calibration, _) = support::examples(&model);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("exported");
    let summary =
        write_onnx_folder(&out, &model, &card(&model), &OnnxOptions { quantised: Some(TableBits::Eight), calibration })
            .unwrap();
    assert!(summary.parity_distance < 1e-5, "{}", summary.parity_distance);
    let files: Vec<&str> = summary.files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "onnx/model.onnx",
        "onnx/model_quantized.onnx",
        "config.json",
        "preprocessor_config.json",
        "labels.txt",
        "parity.json",
        "README.md",
    ];
    assert_eq!(files, expected);
    for (name, n_bytes) in &summary.files {
        assert_eq!(fs::metadata(out.join(name)).unwrap().len(), *n_bytes, "{name}");
    }
    let config = read_json(&out.join("config.json"));
    assert_eq!((&config["model_type"], &config["id2label"]["3"]), (&"resnet".into(), &"class | 3".into()));
    assert_eq!(config["label2id"]["class | 6"], 6);
    let preprocessor = read_json(&out.join("preprocessor_config.json"));
    assert_eq!((&preprocessor["size"]["height"], &preprocessor["image_std"][2]), (&13.into(), &0.5.into()));
    let readme = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(
        readme.contains("pipeline_tag: image-classification") && readme.contains("| top-1 accuracy, test | 71.3 %")
    );
    assert_eq!(read_json(&out.join("parity.json"))["examples"].as_array().unwrap().len(), 8);
}

#[test]
fn a_token_folder_has_its_tokenizer() {
    let vocabulary: Vec<String> = (0..29).map(|index| format!("\"w{index}\": {}", index + 1)).collect();
    let json = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {{"type": "Whitespace"}}, "post_processor": null, "decoder": null,
            "model": {{"type": "WordLevel", "vocab": {{"[UNK]": 0, {}}}, "unk_token": "[UNK]"}}}}"#,
        vocabulary.join(", ")
    );
    let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
    let model = find(support::models_of_tokens(), "rotary transformer");
    let folder = tempfile::tempdir().unwrap();
    let missing = write_onnx_folder(folder.path(), &model, &card(&model), &OnnxOptions::default()).unwrap_err();
    assert!(missing.to_string().contains("tokenizer"), "{missing}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let model = model.with_tokenizer(&tokenizer).unwrap();
    write_onnx_folder(folder.path(), &model, &card(&model), &OnnxOptions::default()).unwrap();
    let config = read_json(&folder.path().join("tokenizer_config.json"));
    assert_eq!((&config["pad_token"], &config["model_max_length"]), (&"[UNK]".into(), &12.into()));
    assert_eq!(read_json(&folder.path().join("config.json"))["transformers.js_config"]["dtype"], "fp32");
    assert!(folder.path().join("tokenizer.json").is_file());
}

#[test]
fn an_ngram_folder_has_its_hash() {
    let model = find(support::models_of_ngrams(), "n-gram bag");
    let folder = tempfile::tempdir().unwrap();
    write_onnx_folder(folder.path(), &model, &card(&model), &OnnxOptions::default()).unwrap();
    let settings = read_json(&folder.path().join("ngrams.json"));
    assert_eq!((&settings["n_buckets"], &settings["marked_ends"]), (&50.into(), &true.into()));
    assert!(settings["golden"]["ids"].as_array().unwrap().len() > 50);
    assert!(folder.path().join("ngrams.mjs").is_file() && folder.path().join("ngrams.py").is_file());
}

#[test]
fn eight_bits_of_a_convolutional_network_need_examples() {
    let model = find(support::models_of_values(), "rgb resnet");
    let folder = tempfile::tempdir().unwrap();
    let options = OnnxOptions { quantised: Some(TableBits::Eight), calibration: Vec::new() };
    let error = write_onnx_folder(folder.path(), &model, &card(&model), &options).unwrap_err();
    assert!(matches!(error, ExportError::Unfit(_)) && error.to_string().contains("examples"), "{error}");
}

#[test]
fn four_bits_are_for_tables() {
    let model = find(support::models_of_values(), "mlp on features");
    let folder = tempfile::tempdir().unwrap();
    let options = OnnxOptions { quantised: Some(TableBits::Four), calibration: Vec::new() };
    let error = write_onnx_folder(&folder.path().join("new"), &model, &card(&model), &options).unwrap_err();
    assert!(matches!(error, ExportError::Unfit(_)) && error.to_string().contains("this network has none"), "{error}");
}

#[test]
fn only_an_exported_folder_is_replaced() {
    let model = find(support::models_of_values(), "mlp on features");
    let folder = tempfile::tempdir().unwrap();
    let (exported, models, other) =
        (folder.path().join("exported"), folder.path().join("model"), folder.path().join("other"));
    let options = OnnxOptions { quantised: Some(TableBits::Eight), calibration: vec![Example::Values(Vec::new())] };
    for _ in 0..2 {
        write_onnx_folder(&exported, &model, &card(&model), &options).unwrap();
    }
    save_model(&models, &model, &card(&model)).unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(other.join("notes.txt"), "mine").unwrap();
    for place in [models, other] {
        let before = fs::read_dir(&place).unwrap().count();
        let error = write_onnx_folder(&place, &model, &card(&model), &options).unwrap_err();
        assert!(matches!(error, ExportError::Occupied { .. }), "{error}");
        assert_eq!(fs::read_dir(&place).unwrap().count(), before);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}
