//! Writes the examples of a config's `[data]` table as `.npy` files, split as a run would split them, for programs that
//! are compared with this one.
//!
//! ```text
//! cargo run --release -p stillhouse-data --example export_npy -- DATA.json OUT_DIR
//! ```
//!
//! `DATA.json` holds the table's keys, as in `{"kind": "glyphs", "n_classes": 200}`; only images can be exported. For each
//! of train, valid and test: `<split>.npy`, `[N, H * W * C]` bytes, and `<split>_labels.npy`, `[N]` class numbers.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use stillhouse_core::Seed;
use stillhouse_data::{DataConfig, LoadContext, NoProgress, Preview, Split, npy_head};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [config, out] = &words[..] else { return Err("usage: export_npy DATA.json OUT_DIR".into()) };
    let text = std::fs::read_to_string(config).map_err(|error| format!("{config}: {error}"))?;
    let config: DataConfig = serde_json::from_str(&text).map_err(|error| format!("{config}: {error}"))?;
    let dataset = config.load(&LoadContext::new(Seed(0), &NoProgress))?;
    println!("{}", dataset.describe());
    let splits = [("train", dataset.train), ("valid", dataset.valid), ("test", dataset.test.unseal())];
    splits.iter().try_for_each(|(name, split)| export(split, Path::new(out), name))
}

fn export(split: &Split, folder: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    let n_values = split.input().shape.n_values();
    let file = |name: String| File::create(folder.join(name)).map(BufWriter::new);
    let mut images = file(format!("{name}.npy"))?;
    images.write_all(&npy_head("|u1", &[split.len(), n_values]))?;
    for row in 0..split.len() {
        let Preview::Picture(image) = split.preview(row, None)? else { return Err("expected images".into()) };
        images.write_all(&image.pixels)?;
    }
    images.flush()?;
    let mut labels = file(format!("{name}_labels.npy"))?;
    labels.write_all(&npy_head("<u4", &[split.len()]))?;
    split.labels().iter().try_for_each(|class| labels.write_all(&class.0.to_le_bytes()))?;
    Ok(labels.flush()?)
}
