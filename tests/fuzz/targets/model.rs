//! Model folders: the two bytes in front say how long config.json is; the weights follow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stillhouse_models::load_model;
use stillhouse_train::Device;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    let [low, high, content @ ..] = bytes else { return };
    let n_config_bytes = usize::from(u16::from_le_bytes([*low, *high]));
    let (config, weights) = content.split_at(n_config_bytes.min(content.len()));
    stillhouse_fuzz::write("model/config.json", config);
    stillhouse_fuzz::write("model/labels.txt", b"a\nb\nc\n");
    stillhouse_fuzz::write("model/model.safetensors", weights);
    let _ = load_model(&stillhouse_fuzz::folder().join("model"), &Device::Cpu);
});
