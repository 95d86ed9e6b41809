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

fn config(kind: &str, vocabulary_size: usize) -> TokenizerConfig {
    serde_json::from_value(json!({"kind": kind, "vocabulary_size": vocabulary_size})).unwrap()
}

fn trained(kind: &str, vocabulary_size: usize) -> Tokenizer {
    Tokenizer::make(&config(kind, vocabulary_size), TEXTS.into_iter()).unwrap()
}

fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    tokenizer.encode(text, &mut ids).unwrap();
    ids
}

const KINDS: [(&str, usize); 3] = [("bpe", 300), ("wordpiece", 90), ("unigram", 90)];

#[test]
fn the_same_texts_give_the_same_file_for_any_number_of_threads() {
    for (kind, size) in KINDS {
        let reference = trained(kind, size).to_json().unwrap();
        for n_threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            for _ in 0..3 {
                assert_eq!(pool.install(|| trained(kind, size)).to_json().unwrap(), reference, "{kind}");
            }
        }
    }
}

#[test]
fn files_hold_the_tokenizer() {
    for (kind, size) in KINDS {
        let tokenizer = trained(kind, size);
        let again = Tokenizer::from_json(tokenizer.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(again.to_json().unwrap(), tokenizer.to_json().unwrap());
        assert_eq!(again.vocabulary_size(), tokenizer.vocabulary_size());
        assert!(tokenizer.vocabulary_size() <= size, "{kind}: {}", tokenizer.vocabulary_size());
        for text in TEXTS.into_iter().chain(["", "\u{1F600} 漢字", "THE CAT"]) {
            let ids = ids(&tokenizer, text);
            assert_eq!(ids, self::ids(&again, text));
            assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocabulary_size()));
        }
        assert!(ids(&tokenizer, TEXTS[0]).len() < TEXTS[0].len(), "{kind} finds words");
    }
}

#[test]
fn case_counts_unless_it_is_told_not_to() {
    let folding = json!({"kind": "bpe", "vocabulary_size": 300, "lowercase": true});
    let folding = Tokenizer::make(&serde_json::from_value(folding).unwrap(), TEXTS.into_iter()).unwrap();
    assert_eq!(ids(&folding, "THE CAT"), ids(&folding, "the cat"));
    let plain = trained("bpe", 300);
    assert_ne!(ids(&plain, "THE CAT"), ids(&plain, "the cat"));
}

#[test]
fn long_texts_are_cut() {
    let tokenizer = trained("wordpiece", 90);
    let cut = tokenizer.cut_to(3).unwrap();
    assert_eq!(ids(&cut, TEXTS[0]), ids(&tokenizer, TEXTS[0])[..3]);
    assert!(matches!(tokenizer.cut_to(0), Err(TokenizerError::TooShort { .. })));
}

#[test]
fn special_tokens_stay_when_a_text_is_cut() {
    let mut file: serde_json::Value = serde_json::from_str(&trained("wordpiece", 90).to_json().unwrap()).unwrap();
    file["post_processor"] = json!({"type": "BertProcessing", "sep": ["[UNK]", 0], "cls": ["[UNK]", 0]});
    file["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]"});
    let tokenizer = Tokenizer::from_json(file.to_string().as_bytes()).unwrap();
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
    for (kind, size) in [("bpe", 256), ("wordpiece", 1), ("wordpiece", 1 << 30), ("unigram", 1)] {
        assert!(config(kind, size).validate()[0].to_string().starts_with("vocabulary_size:"));
    }
}

#[test]
fn dropout_of_merges_is_switched_off() {
    let tokenizer = trained("bpe", 300);
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
