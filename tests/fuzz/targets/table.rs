//! Tables with a delimiter: the first byte of an input chooses the ending and the settings.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    let Some((&choice, content)) = bytes.split_first() else { return };
    let ending = if choice & 1 == 0 { "csv" } else { "tsv" };
    stillhouse_fuzz::write(&format!("t.{ending}"), content);
    let settings = ["", "header = false\ntext = 1\nlabel = 2", "quotes = false", "skip_empty = true\nwindows = { length = 8, train_stride = 4 }"];
    let settings = settings[usize::from(choice >> 1) % settings.len()];
    stillhouse_fuzz::load(&format!("kind = \"table\"\npath = \"FOLDER/t.{ending}\"\n{settings}"));
    stillhouse_fuzz::init_of(&format!("t.{ending}"));
});
