//! The generator as a dataset.

use super::{config, load, raw_image};
use crate::{DataConfig, LoadContext};
use serde_json::json;
use stillhouse_core::{Seed, in_words};

fn glyphs() -> serde_json::Value {
    json!({"kind": "glyphs", "n_classes": 12, "train_per_class": 10, "test_per_class": 3})
}

#[test]
fn classes_and_sizes() {
    let dataset = load(glyphs()).unwrap();
    assert_eq!((dataset.train.len(), dataset.valid.len(), dataset.test.len()), (108, 12, 36));
    let mut names = dataset.labels.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 12);
}

#[test]
fn drawing_ahead_or_on_demand_is_the_same() {
    let load = |memory_limit_bytes| {
        let context = LoadContext { memory_limit_bytes, ..LoadContext::quiet(Seed(0)) };
        config(glyphs()).load(&context).unwrap()
    };
    let (ahead, on_demand) = (load(None), load(Some(1000)));
    assert_eq!(ahead.fingerprint, on_demand.fingerprint);
    assert_eq!(ahead.input, on_demand.input);
    for row in 0..ahead.valid.len() {
        assert_eq!(raw_image(&ahead.valid, row), raw_image(&on_demand.valid, row));
    }
}

#[test]
fn every_key_that_changes_an_example_changes_the_fingerprint() {
    let original = load(glyphs()).unwrap().fingerprint;
    for (key, value) in [("seed", json!(1)), ("difficulty", json!(0.6)), ("train_per_class", json!(11))] {
        let mut changed = glyphs();
        changed[key] = value;
        assert_ne!(load(changed).unwrap().fingerprint, original, "{key}");
    }
}

#[test]
fn nothing_held_out_is_refused() {
    let mut config = glyphs();
    config["valid_fraction"] = json!(0.0);
    assert!(load(config).unwrap_err().to_string().starts_with("valid_fraction: must"));
}

#[test]
fn training_examples_never_reach_the_numbers_of_test_examples() {
    let mut values = glyphs();
    values["train_per_class"] = json!((1 << 28) / 12);
    assert!(config(values.clone()).validate().is_empty());
    values["train_per_class"] = json!((1 << 28) / 12 + 1);
    assert!(config(values.clone()).validate()[0].message.contains("at most 268435456"));
    values["train_per_class"] = json!(1u64 << 32);
    assert!(config(values).validate()[0].key == "train_per_class");
}

#[test]
fn bad_values_are_all_named_at_once() {
    let values = json!({
        "kind": "glyphs", "n_classes": 9, "train_per_class": 0, "test_per_class": 0, "difficulty": 1.5, "valid_fraction": 1.0
    });
    let messages = in_words(&config(values).validate());
    for key in ["n_classes", "train_per_class", "test_per_class", "difficulty", "valid_fraction"] {
        assert!(messages.contains(&format!("{key}: must")), "{messages}");
    }
    assert!(serde_json::from_value::<DataConfig>(json!({"kind": "glyphs", "classes": 9})).is_err());
}
