use super::*;
use serde_json::json;

const TEXTS: [&str; 8] = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "Größe über alles, sagte die Größe",
    "a cat and a dog and another cat",
    "über den Wolken, unter den Wolken",
    "sagte der Hund zur Katze auf der Matte",
    "on and on and on, the log said",
    "unter der Matte, über dem Hund",
];

fn config(vocabulary_size: usize) -> TokenizerConfig {
    serde_json::from_value(json!({"kind": "bpe", "vocabulary_size": vocabulary_size})).unwrap()
}

fn trained(vocabulary_size: usize) -> Tokenizer {
    Tokenizer::make(&config(vocabulary_size), TEXTS.into_iter()).unwrap()
}

/// Files of the models that are read, though not trained: WordPiece, Unigram and whole words.
fn untrained_files() -> [serde_json::Value; 3] {
    let word_piece = json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "the": 1, "c": 2, "##at": 3, "m": 4, "on": 5, "s": 6}});
    let unigram = json!({"type": "Unigram", "unk_id": 0, "byte_fallback": false,
        "vocab": [["[UNK]", 0.0], ["the", -1.0], ["at", -1.5], ["c", -2.0], ["s", -2.0], ["m", -2.0], ["on", -2.0]]});
    let word_level =
        json!({"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "the": 1, "cat": 2, "on": 3}});
    [word_piece, unigram, word_level].map(|model| {
        json!({"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "added_tokens": [],
            "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null, "model": model})
    })
}

fn read(file: &serde_json::Value) -> Tokenizer {
    Tokenizer::from_json(file.to_string().as_bytes()).unwrap()
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, &mut ids).unwrap();
    ids
}

#[test]
fn the_same_texts_give_the_same_file_for_any_number_of_threads() {
    let reference = trained(300).to_json().unwrap();
    for n_threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        for _ in 0..3 {
            assert_eq!(pool.install(|| trained(300)).to_json().unwrap(), reference);
        }
    }
}

#[test]
fn files_hold_the_tokenizer() {
    for tokenizer in untrained_files().iter().map(read).chain([trained(300)]) {
        let again = Tokenizer::from_json(tokenizer.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(again.to_json().unwrap(), tokenizer.to_json().unwrap());
        assert_eq!(again.vocabulary_size(), tokenizer.vocabulary_size());
        for text in TEXTS.into_iter().chain(["", "\u{1F600} 漢字", "THE CAT"]) {
            let ids = ids(&tokenizer, text);
            assert_eq!(ids, self::ids(&again, text));
            assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocabulary_size()));
        }
        assert!(ids(&tokenizer, TEXTS[0]).len() < TEXTS[0].len(), "it finds words");
    }
    assert!(trained(300).vocabulary_size() <= 300);
}

#[test]
fn every_model_of_the_library_can_be_read() {
    let expected = [vec![1, 2, 3, 5, 0], vec![1, 3, 2, 6, 0], vec![1, 2, 3, 0]];
    for (file, expected) in untrained_files().iter().zip(expected) {
        assert_eq!(ids(&read(file), "the cat on zz"), expected, "{}", file["model"]["type"]);
    }
}

#[test]
fn case_counts_unless_it_is_told_not_to() {
    let folding = json!({"kind": "bpe", "vocabulary_size": 300, "lowercase": true});
    let folding = Tokenizer::make(&serde_json::from_value(folding).unwrap(), TEXTS.into_iter()).unwrap();
    assert_eq!(ids(&folding, "THE CAT"), ids(&folding, "the cat"));
    let plain = trained(300);
    assert_ne!(ids(&plain, "THE CAT"), ids(&plain, "the cat"));
}

#[test]
fn long_texts_are_cut() {
    let tokenizer = trained(300);
    let cut = tokenizer.cut_to(3).unwrap();
    assert_eq!(ids(&cut, TEXTS[0]), ids(&tokenizer, TEXTS[0])[..3]);
    let error = tokenizer.cut_to(0).unwrap_err().to_string();
    assert_eq!(error, "max_len = 0 leaves no room for text after 0 special tokens");
}

#[test]
fn special_tokens_stay_when_a_text_is_cut() {
    let [mut file, ..] = untrained_files();
    file["post_processor"] = json!({"type": "BertProcessing", "sep": ["[UNK]", 0], "cls": ["[UNK]", 0]});
    file["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]"});
    let tokenizer = read(&file);
    let whole = ids(&tokenizer, TEXTS[0]);
    assert!(whole.len() < 64, "padding is left aside");
    let cut = ids(&tokenizer.cut_to(4).unwrap(), TEXTS[0]);
    assert_eq!((cut.len(), cut[0], cut[3]), (4, 0, 0));
    assert_eq!(cut[1..3], whole[1..3]);
    assert!(tokenizer.cut_to(2).is_err());
}

#[test]
fn bad_files_and_sizes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let absent = Tokenizer::load(&path).unwrap_err().to_string();
    assert!(absent.contains("tokenizer.json"), "{absent}");
    std::fs::write(&path, "{\"version\": \"1.0\"}").unwrap();
    let broken = Tokenizer::load(&path).unwrap_err().to_string();
    assert!(broken.contains("tokenizer.json") && broken.contains("no tokenizer"), "{broken}");
    for size in [256, 1 << 30] {
        assert!(config(size).validate()[0].to_string().starts_with("vocabulary_size:"));
    }
}

#[test]
fn dropout_of_merges_is_switched_off() {
    let tokenizer = trained(300);
    let mut file: serde_json::Value = serde_json::from_str(&tokenizer.to_json().unwrap()).unwrap();
    assert_eq!(tokenizer.removed_dropout(), None);
    file["model"]["dropout"] = json!(0.5);
    let with_dropout = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
    assert_eq!(with_dropout.removed_dropout(), Some(0.5));
    for _ in 0..20 {
        assert_eq!(ids(&with_dropout, TEXTS[0]), ids(&tokenizer, TEXTS[0]));
    }
    assert_eq!(with_dropout.to_json().unwrap(), tokenizer.to_json().unwrap(), "the model's own file has none");
    assert_eq!(with_dropout.cut_to(5).unwrap().removed_dropout(), Some(0.5));
}

/// A file of whole words, to be damaged.
fn word_level() -> serde_json::Value {
    untrained_files()[2].clone()
}

/// A file whose content is damaged so that the library panics, asks for all memory, or never ends.
fn refusal(file: &serde_json::Value) -> String {
    Tokenizer::from_json(file.to_string().as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_library_that_panics_is_a_bad_file() {
    let text = word_level().to_string();
    let syntax =
        text.replace("\"decoder\":null", "\"decoder\":{\"type\":\"WordPiece\",prefix:\"##\",\"cleanup\":true}");
    assert_ne!(text, syntax);
    let error = Tokenizer::from_json(syntax.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("no tokenizer as `tokenizers` writes them"), "{error}");
    let mut pieces = word_level();
    pieces["pre_tokenizer"] = json!({"type": "FixedLength", "length": 0});
    let error = refusal(&pieces);
    assert!(error.contains("the tokenizer fails on a text"), "{error}");
    let mut prefix = word_level();
    prefix["model"] = json!({"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]],
        "continuing_subword_prefix": "####"});
    refusal(&prefix);
    let mut table = word_level();
    for content in ["AAAA", "CAAAAAAAAAAAAAAAYQ==", "/////w=="] {
        table["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": content});
        refusal(&table);
        table["normalizer"] = json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, table["normalizer"]]});
        refusal(&table);
    }
    assert!(!stillhouse_files::is_guarded());
}

#[test]
fn templates_name_the_text_once_and_special_tokens_that_are_there() {
    let with = |single: serde_json::Value, special: serde_json::Value| {
        let mut file = word_level();
        file["post_processor"] =
            json!({"type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": special});
        file["post_processor"]["pair"] =
            json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}]);
        file
    };
    let text = || json!({"Sequence": {"id": "A", "type_id": 0}});
    let special = |id: &str| json!({"SpecialToken": {"id": id, "type_id": 0}});
    let unk = |ids: Vec<u64>| json!({"[UNK]": {"id": "[UNK]", "tokens": vec!["[UNK]"; ids.len()], "ids": ids}});
    assert_eq!(ids(&read(&with(json!([special("[UNK]"), text()]), unk(vec![0]))), "the cat"), [0, 1, 2]);
    for (file, expected) in [
        (with(json!([]), json!({})), "has the text 0 times, expected once"),
        (with(json!([special("[UNK]")]), unk(vec![0])), "has the text 0 times"),
        (with(json!([text(), text()]), json!({})), "has the text 2 times"),
        (with(json!([special("[X]"), text()]), json!({})), "names \"[X]\", which special_tokens lacks"),
        (
            with(json!([special("[UNK]"), text()]), unk(vec![4_000_000_000])),
            "the number 4000000000, the vocabulary has",
        ),
        (with(json!([special("[UNK]"), text()]), unk(vec![0; 9000])), "more than 8192 special tokens"),
    ] {
        let error = refusal(&file);
        assert!(error.contains(expected), "{error}");
    }
    let mut bert = word_level();
    bert["post_processor"] = json!({"type": "BertProcessing", "sep": ["[SEP]", 999_999], "cls": ["[UNK]", 0]});
    let error = refusal(&bert);
    assert!(error.contains("the special token \"[SEP]\" the number 999999"), "{error}");
}

#[test]
fn numbers_and_lengths_have_bounds() {
    let mut numbers = word_level();
    numbers["model"]["vocab"]["cat"] = json!(4_000_000_000_u32);
    assert!(refusal(&numbers).contains("a token has the number 4000000000, expected numbers below 4194304"));
    let mut grows = word_level();
    let replace = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(100)});
    grows["normalizer"] = json!({"type": "Sequence", "normalizers": vec![replace; 20]});
    assert!(refusal(&grows).contains("times as long"));
    let mut prepends = word_level();
    prepends["normalizer"] = json!({"type": "Prepend", "prepend": "a".repeat(1 << 20)});
    assert!(refusal(&prepends).contains("1048576 bytes in front of each text"));
    let [mut word_piece, ..] = untrained_files();
    word_piece["model"]["max_input_chars_per_word"] = json!(1_000_000_000);
    assert!(refusal(&word_piece).contains("max_input_chars_per_word is 1000000000"));
    let mut steps = word_level();
    steps["normalizer"] = json!({"type": "Sequence", "normalizers": vec![json!({"type": "NFC"}); 2000]});
    let error = refusal(&steps);
    assert!(error.contains("2001 steps"), "{error}");
}

#[test]
fn a_file_that_gives_no_tokens_is_refused_and_a_strange_alphabet_is_not() {
    let mut nothing = word_level();
    nothing["normalizer"] = json!({"type": "Replace", "pattern": {"Regex": "."}, "content": ""});
    nothing["pre_tokenizer"] = json!({"type": "WhitespaceSplit"});
    let error = refusal(&nothing);
    assert!(error.contains("gives no token for any text"), "{error}");
    let mut strange = word_level();
    strange["model"] = json!({"type": "BPE", "vocab": {"\u{3b1}": 0, "\u{3b2}": 1}, "merges": []});
    assert_eq!(ids(&read(&strange), "\u{3b2}\u{3b1}"), [1, 0]);
}

#[test]
fn a_pointer_of_git_lfs_and_a_mark_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n").unwrap();
    assert!(Tokenizer::load(&path).unwrap_err().to_string().contains("git lfs pull"));
    std::fs::write(&path, format!("\u{feff}{}", word_level())).unwrap();
    assert_eq!(ids(&Tokenizer::load(&path).unwrap(), "the cat"), [1, 2]);
}

#[test]
fn a_panic_at_a_later_text_is_an_error_with_the_files_name() {
    let mut file = word_level();
    // the index of the table leads outside of it for one character alone
    let mut index = vec![0_u8; 4 * 1024];
    let offset: u32 = 0x200 << 10;
    index[0..4].copy_from_slice(&0_u32.to_le_bytes());
    let place = 4 * usize::from(b'q');
    index[place..place + 4].copy_from_slice(&(offset | u32::from(b'q') | 1 << 8 | 1 << 9).to_le_bytes());
    let table = [&(index.len() as u32).to_le_bytes()[..], &index, b"z\0"].concat();
    let table = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, table);
    file["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": table});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tok.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let tokenizer = Tokenizer::load(&path).unwrap();
    let error = tokenizer.encode("quick", &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("tok.json: the tokenizer fails on a text"), "{error}");
}
