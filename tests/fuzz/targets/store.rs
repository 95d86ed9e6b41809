//! Stores of soft targets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stillhouse_core::Temperature;
use stillhouse_targets::SoftTargets;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    let path = stillhouse_fuzz::write("store.safetensors", bytes);
    let Ok(targets) = SoftTargets::open(&path) else { return };
    let temperature = Temperature::new(2.0).expect("above 0");
    let keys = targets.keys();
    let _ = targets.batch(&keys[..keys.len().min(8)], temperature);
    let _ = targets.dense_batch(&keys[..keys.len().min(8)], temperature);
});
