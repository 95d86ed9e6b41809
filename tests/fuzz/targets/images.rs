//! Images in every format that is read; the content says which it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Once;

/// Two small grey images, so that the data have two classes.
const PGM: &[u8] = include_bytes!("../corpus/images/grey.png");

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    static OTHERS: Once = Once::new();
    OTHERS.call_once(|| {
        for class in ["a", "b"] {
            for number in 0..12 {
                stillhouse_fuzz::write(&format!("images/train/{class}/{number}.png"), PGM);
            }
            stillhouse_fuzz::write(&format!("images/test/{class}/0.png"), PGM);
        }
    });
    stillhouse_fuzz::write("images/train/a/x.png", bytes);
    stillhouse_fuzz::load("kind = \"image_folder\"\npath = \"FOLDER/images\"\nsize = [4, 4]\nchannels = 3");
});
