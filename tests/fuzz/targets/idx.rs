//! idx files of images and of labels, zipped or not: the first byte says how long the labels are.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    let Some((&n_label_bytes, content)) = bytes.split_first() else { return };
    let (labels, images) = content.split_at(usize::from(n_label_bytes).min(content.len()));
    for split in ["train", "t10k"] {
        stillhouse_fuzz::write(&format!("idx/{split}-images-idx3-ubyte"), images);
        stillhouse_fuzz::write(&format!("idx/{split}-labels-idx1-ubyte"), labels);
    }
    stillhouse_fuzz::load("kind = \"idx\"\npath = \"FOLDER/idx\"\ntranspose = true");
});
