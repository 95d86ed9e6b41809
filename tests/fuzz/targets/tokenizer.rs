//! tokenizer.json: parsed, cut, written again, and used on texts of several scripts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stillhouse_models::Tokenizer;

fuzz_target!(init: stillhouse_fuzz::init(), |bytes: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(bytes) else { return };
    let mut ids = Vec::new();
    for text in ["", "a", "The quick brown fox", "\u{e9}t\u{e9} \u{4e2d}\u{6587} \u{1f600}", "aaaaaaaaaaaaaaaaaaaaaaaa", "\u{0}\t\n"] {
        ids.clear();
        let _ = tokenizer.encode(text, &mut ids);
    }
    let _ = tokenizer.cut_to(4);
    let _ = tokenizer.to_json();
});
