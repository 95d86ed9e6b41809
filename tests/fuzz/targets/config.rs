//! Configs: read, checked, and written as they were understood.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stillhouse_experiment::config::{ConfigSource, Experiment};

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    let path = stillhouse_fuzz::write("c.toml", bytes);
    let source = ConfigSource::File(path);
    if let Ok(experiment) = Experiment::load(&source, &[]) {
        let _ = experiment.to_toml();
    }
});
