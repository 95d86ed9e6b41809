//! Parquet files, as texts and as images.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    stillhouse_fuzz::write("pq/train.parquet", bytes);
    stillhouse_fuzz::load("kind = \"table\"\npath = \"FOLDER/pq\"");
    stillhouse_fuzz::load("kind = \"hub_images\"\npath = \"FOLDER/pq\"\nlabel = \"label\"");
});
