//! Random examples in memory, read as those of any dataset.

use crate::options::{Input, Workload};
use image::RgbImage;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use serde_json::json;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use stillhouse_core::Seed;
use stillhouse_data::{DataConfig, Dataset, LoadContext, NoProgress, Split};
use stillhouse_models::Tokenizer;

/// Every step of an epoch finds a whole batch.
const BATCHES_PER_EPOCH: usize = 16;
/// Fewest classes that the generator of labels makes.
const MIN_CLASSES: usize = 10;

/// Enough examples for some batches, all classes among them.
pub fn examples(workload: &Workload) -> Result<Split, Box<dyn Error>> {
    let n_examples = workload.batch_size * BATCHES_PER_EPOCH;
    let per_class = n_examples.div_ceil(workload.n_classes);
    match workload.input {
        Input::Features { n_features } => features(workload.n_classes, per_class, n_features),
        Input::Image { channels: 3, height, width } => images(workload.n_classes, per_class, height, width),
        Input::Text { n_characters } => {
            let letter = |rng: &mut ChaCha8Rng| char::from(LETTERS[rng.next_u32() as usize % LETTERS.len()]);
            texts(workload.n_classes, per_class, |rng| (0..n_characters).map(|_| letter(rng)).collect())
        }
        Input::Tokens { n_tokens, vocabulary_size } => {
            let word = |rng: &mut ChaCha8Rng| word(rng.next_u32() as usize % vocabulary_size);
            let text = |rng: &mut ChaCha8Rng| (0..n_tokens).map(|_| word(rng)).collect::<Vec<_>>().join(" ");
            texts(workload.n_classes, per_class, text)
        }
        Input::Image { channels, .. } => Err(format!("images of {channels} channels: expected 3").into()),
    }
}

/// Glyphs lend their labels, and their pixels are replaced.
fn features(n_classes: usize, per_class: usize, n_features: usize) -> Result<Split, Box<dyn Error>> {
    if n_classes < MIN_CLASSES {
        return Err(format!("{n_classes} classes: expected at least {MIN_CLASSES}").into());
    }
    // a little more than is needed, since validation examples are taken away
    let config = format!(
        "kind = \"glyphs\"\nn_classes = {n_classes}\ntrain_per_class = {}\ntest_per_class = 1\nvalid_fraction = 0.01",
        per_class + 2
    );
    let split = load(&config)?.train;
    let mut rng = Seed(1).rng();
    let value = |_| (rng.next_u32() as f32 / u32::MAX as f32 - 0.5) * 12_f32.sqrt();
    let values = (0..split.len() * n_features).map(value).collect();
    Ok(split.with_features(values, n_features))
}

/// Noise, written as PNG files, which are gone when they are read.
fn images(n_classes: usize, per_class: usize, height: usize, width: usize) -> Result<Split, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut rng = Seed(1).rng();
    // more than is needed, since validation and test examples are taken away
    for class in 0..n_classes {
        let class_folder = folder.path().join("train").join(format!("{class:05}"));
        std::fs::create_dir_all(&class_folder)?;
        for index in 0..per_class + 2 {
            let mut pixels = vec![0; 3 * height * width];
            rng.fill_bytes(&mut pixels);
            let image = RgbImage::from_raw(width as u32, height as u32, pixels).expect("three bytes for each pixel");
            image.save(class_folder.join(format!("{index}.png")))?;
        }
    }
    Ok(load(&format!("kind = \"image_folder\"\npath = {}\nvalid_fraction = 0.01", quoted(folder.path())))?.train)
}

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz.";

/// The word of a token.
fn word(token: usize) -> String {
    format!("w{token}")
}

/// Reads a text of words as their tokens.
pub fn tokenizer(vocabulary_size: usize) -> Result<Tokenizer, Box<dyn Error>> {
    let vocabulary: BTreeMap<String, usize> = (0..vocabulary_size).map(|token| (word(token), token)).collect();
    let tokenizer = json!({
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": word(0) },
    });
    Ok(Tokenizer::from_json(tokenizer.to_string().as_bytes())?)
}

/// Random texts, written as a table.
fn texts(
    n_classes: usize,
    per_class: usize,
    mut text: impl FnMut(&mut ChaCha8Rng) -> String,
) -> Result<Split, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut rng = Seed(1).rng();
    let mut table = "text,label\n".to_owned();
    // more than is needed, since validation and test examples are taken away
    for row in 0..n_classes * (per_class + 2) {
        table += &format!("{},class {}\n", text(&mut rng), row % n_classes);
    }
    let path = folder.path().join("train.csv");
    std::fs::write(&path, table)?;
    let path = quoted(&path);
    Ok(load(&format!("kind = \"table\"\ntrain = {path}\ntext = \"text\"\nlabel = \"label\"\nvalid_fraction = 0.01"))?
        .train)
}

fn quoted(path: &Path) -> toml::Value {
    toml::Value::String(path.display().to_string())
}

fn load(config: &str) -> Result<Dataset, Box<dyn Error>> {
    let config: DataConfig = toml::from_str(config)?;
    Ok(config.load(&LoadContext::new(Seed(0), &NoProgress))?)
}
