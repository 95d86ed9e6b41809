//! Tables in JSON and JSON lines.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    for name in ["t.json", "t.jsonl"] {
        stillhouse_fuzz::write(name, bytes);
        stillhouse_fuzz::load(&format!("kind = \"table\"\npath = \"FOLDER/{name}\""));
        stillhouse_fuzz::init_of(name);
    }
});
