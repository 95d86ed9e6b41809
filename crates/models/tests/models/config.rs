//! Configs as people write them.

use crate::cases::{FEATURES, IMAGE, TEXT, bag, mlp, resnet};
use stillhouse_core::{InputShape, Ngrams, in_words};
use stillhouse_models::{BlockKind, ConvNetConfig, MlpConfig, ModelConfig, NgramBagConfig, ResNetConfig};

fn parsed(json: &str) -> Result<ModelConfig, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn problems(config: &ModelConfig, input: &InputShape) -> String {
    in_words(&config.validate(input).err().unwrap_or_default())
}

#[test]
fn short_configs_take_the_defaults() {
    assert_eq!(parsed(r#"{"kind": "mlp", "widths": [4]}"#).unwrap(), mlp(&[4]));
    let convnet = ConvNetConfig { widths: vec![8], convs_per_stage: 1, hidden: None, dropout: 0.0 };
    assert_eq!(parsed(r#"{"kind": "convnet", "widths": [8]}"#).unwrap(), ModelConfig::ConvNet(convnet));
    assert_eq!(parsed(r#"{"kind": "resnet", "depth": 20, "width": 32}"#).unwrap(), resnet(20, 32));
}

#[test]
fn what_is_written_is_read_back() {
    for (config, _) in crate::cases::every_case() {
        assert_eq!(parsed(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    }
}

#[test]
fn unknown_keys_and_kinds_are_refused() {
    assert!(parsed(r#"{"kind": "mlp", "widths": [4], "droput": 0.5}"#).unwrap_err().contains("droput"));
    assert!(parsed(r#"{"kind": "mpl", "widths": [4]}"#).unwrap_err().contains("mpl"));
}

#[test]
fn blocks_of_a_resnet_are_basic_unless_told_otherwise() {
    let config = parsed(r#"{"kind": "resnet", "depth": 8, "width": 4}"#).unwrap();
    assert_eq!(config, resnet(8, 4));
    let separable = ResNetConfig { block: BlockKind::Separable, ..ResNetConfig::new(8, 4) };
    let config = parsed(r#"{"kind": "resnet", "depth": 8, "width": 4, "block": "separable"}"#).unwrap();
    assert_eq!(config, ModelConfig::ResNet(separable));
    assert!(parsed(r#"{"kind": "resnet", "depth": 8, "block": "seperable"}"#).unwrap_err().contains("seperable"));
}

#[test]
fn a_depth_that_no_net_has_is_named() {
    assert_eq!(problems(&resnet(21, 16), &IMAGE), "depth: must be 6n + 2 (8, 14, 20, ...), found 21");
    let of_2 = problems(&resnet(2, 16), &IMAGE);
    assert!(of_2.contains("depth: must be between 4 and 2000, found 2"), "{of_2}");
    let of_0 = problems(&resnet(0, 16), &IMAGE);
    assert!(of_0.contains("depth: must be between 4 and 2000, found 0"), "{of_0}");
    assert_eq!(problems(&resnet(6_000_002, 16), &IMAGE), "depth: must be between 4 and 2000, found 6000002");
    let four =
        ResNetConfig { depth: 20, width: None, widths: Some(vec![4; 4]), stem_width: None, block: BlockKind::Basic };
    assert_eq!(problems(&ModelConfig::ResNet(four), &IMAGE), "depth: must be 8n + 2 (10, 18, 26, ...), found 20");
}

#[test]
fn all_problems_are_told_at_once_each_by_its_key() {
    let config =
        ModelConfig::Mlp(MlpConfig { widths: vec![8, 0], dropout: 1.0, input_dropout: f64::NAN, max_norm: Some(0.0) });
    let problems = config.validate(&FEATURES).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["widths[1]", "dropout", "input_dropout", "max_norm"]);
    let config = ConvNetConfig { widths: vec![], convs_per_stage: 3, hidden: Some(0), dropout: -0.1 };
    let problems = ModelConfig::ConvNet(config).validate(&IMAGE).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["widths", "convs_per_stage", "hidden", "dropout"]);
    let ngrams = Ngrams { words: Some([2, 1]), ..Ngrams::default() };
    let config =
        NgramBagConfig { hidden: vec![0], dropout: 1.0, embedding_dropout: -1.0, ngrams, ..NgramBagConfig::new(0, 0) };
    let problems = ModelConfig::NgramBag(config).validate(&TEXT).unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(keys, ["n_buckets", "width", "hidden[0]", "dropout", "embedding_dropout", "ngrams.words"]);
    let config =
        ResNetConfig { depth: 8, width: Some(0), widths: Some(vec![]), stem_width: Some(0), block: BlockKind::Basic };
    assert_eq!(ModelConfig::ResNet(config).validate(&IMAGE).unwrap_err().len(), 4);
}

#[test]
fn convolutions_need_images_and_everything_needs_values() {
    let problem = problems(&resnet(8, 4), &FEATURES);
    assert_eq!(problem, "kind: \"resnet\" needs images, the data has 12 features per example; hint: kind = \"mlp\"");
    let problem = problems(&mlp(&[4]), &TEXT);
    assert_eq!(problem, "kind: \"mlp\" needs numbers, the data has texts; hint: kind = \"ngram_bag\"");
    let problem = problems(&ModelConfig::NgramBag(bag(4)), &IMAGE);
    assert_eq!(problem, "kind: \"ngram_bag\" needs texts, the data has images; hint: kind = \"resnet\"");
    assert!(problems(&mlp(&[4]), &InputShape::Features { n_features: 0 }).contains("no values"));
    assert_eq!(problems(&mlp(&[4]), &IMAGE), "");
}
