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
