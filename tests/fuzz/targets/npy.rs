//! npy files of features and of labels: the first two bytes say how long the labels are.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    let [low, high, content @ ..] = bytes else { return };
    let n_label_bytes = usize::from(u16::from_le_bytes([*low, *high]));
    let (labels, features) = content.split_at(n_label_bytes.min(content.len()));
    stillhouse_fuzz::write("x.npy", features);
    stillhouse_fuzz::write("y.npy", labels);
    stillhouse_fuzz::load(
        "kind = \"features\"\ntrain = \"FOLDER/x.npy\"\ntrain_labels = \"FOLDER/y.npy\"\n\
         test = \"FOLDER/x.npy\"\ntest_labels = \"FOLDER/y.npy\"",
    );
});
