//! Predictions and class lists of `merge`: the first byte chooses what they are called.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stillhouse_experiment::{Interrupt, MergeConfig, MergeFormat, Silent, merge_teachers};

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    let Some((&choice, content)) = bytes.split_first() else { return };
    let ending = if choice & 1 == 0 { "npy" } else { "safetensors" };
    let space = if choice & 2 == 0 { "logits" } else { "probs" };
    let dustbin = choice & 4 != 0;
    stillhouse_fuzz::write(&format!("p.{ending}"), content);
    let list = if dustbin { "classes = [0, 1]\ndustbin = true\n" } else { "" };
    let teachers = format!("n_classes = 3\n[[teacher]]\npredictions = \"p.{ending}\"\nspace = \"{space}\"\n{list}");
    let teachers = stillhouse_fuzz::write("teachers.toml", teachers.as_bytes());
    let out = stillhouse_fuzz::folder().join("merged.npy");
    let config = MergeConfig::default();
    let _ = merge_teachers(&teachers, &out, &config, MergeFormat::Npy, &Silent, &Interrupt::default());
});
