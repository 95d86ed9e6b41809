//! safetensors files of features with their labels in a text file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    stillhouse_fuzz::write("x.safetensors", bytes);
    stillhouse_fuzz::write("y.txt", "0\n1\n".repeat(20).as_bytes());
    stillhouse_fuzz::load(
        "kind = \"features\"\ntrain = \"FOLDER/x.safetensors\"\ntrain_labels = \"FOLDER/y.txt\"\n\
         test = \"FOLDER/x.safetensors\"\ntest_labels = \"FOLDER/y.txt\"",
    );
});
