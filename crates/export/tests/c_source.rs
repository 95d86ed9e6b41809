//! The C source of every architecture compiles without a warning, and its test program agrees.

mod support;

use std::path::Path;
use std::process::Command;
use stillhouse_core::{InputShape, Ngrams};
use stillhouse_export::write_c_folder;
use stillhouse_models::{Model, ModelConfig, NgramBagConfig, WeightBits};

/// N-grams with every setting, and all other architectures.
fn models() -> Vec<(String, Model)> {
    use support::{models_of_large_images, models_of_ngrams, models_of_values, models_with_tokenizers};
    let mut models: Vec<(String, Model)> =
        [models_of_values(), models_of_large_images(), models_of_ngrams(), models_with_tokenizers()]
            .into_iter()
            .flatten()
            .map(|(name, model)| (name.to_owned(), model))
            .collect();
    for (characters, words) in [(Some([2, 3]), Some([1, 2])), (None, Some([1, 1]))] {
        for (lowercase, marked_ends) in [(true, true), (true, false), (false, false)] {
            let ngrams = Ngrams { characters, words, lowercase, marked_ends };
            let config = ModelConfig::NgramBag(NgramBagConfig { ngrams, ..NgramBagConfig::new(500, 17) });
            models.push((format!("{ngrams:?}"), support::model(&config, &InputShape::Text {})));
        }
    }
    models
}

/// Whether the machine has a C compiler; the project's own build needs one.
fn has_compiler() -> bool {
    Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn compile_and_run(folder: &Path) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let compiled = Command::new("cc")
        .args([
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-O1",
            "model.c",
            "test.c",
            "-lm",
            "-o",
            "test",
        ])
        .current_dir(folder)
        .output()
        .unwrap();
    if !compiled.status.success() {
        return Err(text(&compiled.stderr));
    }
    let run = Command::new(folder.join("test")).output().unwrap();
    if run.status.success() { Ok(text(&run.stdout)) } else { Err(text(&run.stdout)) }
}

#[test]
fn the_test_program_agrees() {
    if !has_compiler() {
        return;
    }
    for (name, model) in models() {
        let folder = tempfile::tempdir().unwrap();
        let bits = [Some(3), Some(4), Some(8), Some(2), None];
        // compiling takes longer than all else, so each architecture takes its turn of the bits
        let bits = bits[name.len() % bits.len()];
        // in all weights: an export would give these small ones eight
        let rounded = bits.map(|bits| WeightBits::uniform(&model, bits).rounded(&model).unwrap());
        let model = rounded.as_ref().unwrap_or(&model);
        let place = folder.path().join("c");
        let files = write_c_folder(&place, model, &support::card(model), None).unwrap();
        assert_eq!(files.len(), 4);
        if let Err(message) = compile_and_run(&place) {
            panic!("{name}, {bits:?}: {message}");
        }
    }
}

#[test]
fn the_source_allocates_nothing() {
    for (name, model) in models() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("c");
        write_c_folder(&place, &model, &support::card(&model), Some(8)).unwrap();
        let source = std::fs::read_to_string(place.join("model.c")).unwrap();
        assert!(!source.contains("alloc(") && !source.contains("stdio") && !source.contains("stdlib"), "{name}");
        let readme = std::fs::read_to_string(place.join("README.md")).unwrap();
        assert!(readme.contains("-std=c99 -Wall -Werror"), "{name}");
    }
}
