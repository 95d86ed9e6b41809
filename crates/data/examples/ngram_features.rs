//! Turns labelled texts into a matrix of hashed character n-grams, for `kind = "features"`.
//!
//! ```text
//! cargo run --release -p stillhouse-data --example ngram_features -- \
//!     train.tsv out/train --window 20 --stride 20 --features 1024 --max-per-class 200
//! ```
//!
//! The input has lines `label<TAB>group<TAB>text`. Texts of one label are joined and cut into windows of characters; each
//! window becomes one row: its character n-grams of length 1 to 4, hashed into signed buckets, scaled to a mean square of 1.
//! Writes `<out>.npy` (f32, `[N, F]`) and `<out>.labels.txt` (one name a line).

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use stillhouse_data::npy_head;

struct Options {
    window: usize,
    stride: usize,
    n_features: usize,
    max_per_class: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: ngram_features INPUT.tsv OUT [--window N] [--stride N] [--features N] [--max-per-class N]";
    let [input, out, rest @ ..] = &words[..] else { return Err(usage.into()) };
    let options = parse(rest)?;
    let texts = read_texts(input)?;
    let mut rows = Vec::new();
    let mut labels = BufWriter::new(File::create(format!("{out}.labels.txt"))?);
    let mut n_rows = 0;
    for (label, text) in &texts {
        for window in windows(text, &options) {
            rows.extend(features(window, options.n_features));
            writeln!(labels, "{label}")?;
            n_rows += 1;
        }
    }
    labels.flush()?;
    let mut file = BufWriter::new(File::create(format!("{out}.npy"))?);
    file.write_all(&npy_head("<f4", &[n_rows, options.n_features]))?;
    rows.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))?;
    file.flush()?;
    println!("{} labels, {n_rows} windows, {} features", texts.len(), options.n_features);
    Ok(())
}

fn parse(words: &[String]) -> Result<Options, Box<dyn Error>> {
    let mut options = Options { window: 20, stride: 20, n_features: 1024, max_per_class: usize::MAX };
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0]).into()) };
        let value: usize = value.parse().map_err(|_| format!("{name} {value}: expected a whole number"))?;
        match name.as_str() {
            "--window" => options.window = value.max(1),
            "--stride" => options.stride = value.max(1),
            "--features" => options.n_features = value.max(1),
            "--max-per-class" => options.max_per_class = value.max(1),
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(options)
}

/// The texts of each label, in lower case, joined with spaces.
fn read_texts(path: &str) -> Result<BTreeMap<String, Vec<char>>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut texts: BTreeMap<String, Vec<char>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let mut columns = line.splitn(3, '\t');
        let (Some(label), Some(_), Some(text)) = (columns.next(), columns.next(), columns.next()) else {
            return Err(format!("{path}: line {}: expected label, group and text with tabs between", index + 1).into());
        };
        let joined = texts.entry(label.to_owned()).or_default();
        joined.extend(text.to_lowercase().chars());
        joined.push(' ');
    }
    Ok(texts)
}

/// Windows at even distances; where there are too many, the distance grows.
fn windows<'a>(text: &'a [char], options: &Options) -> impl Iterator<Item = &'a [char]> {
    let n_possible = text.len().saturating_sub(options.window) / options.stride + 1;
    let stride = options.stride * n_possible.div_ceil(options.max_per_class);
    let starts = (0..=text.len().saturating_sub(options.window)).step_by(stride);
    starts.map(|start| &text[start..(start + options.window).min(text.len())])
}

fn features(window: &[char], n_features: usize) -> Vec<f32> {
    let mut row = vec![0.0_f32; n_features];
    for length in 1..=4 {
        for gram in window.windows(length) {
            let hash = hash(gram);
            let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
            row[(hash % n_features as u64) as usize] += sign;
        }
    }
    let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt().max(1.0);
    // a mean square of 1: what the first layer of a net is initialised for
    let scale = (n_features as f32).sqrt() / norm;
    row.iter_mut().for_each(|value| *value *= scale);
    row
}

/// FNV-1a with a final mix.
fn hash(gram: &[char]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ gram.len() as u64;
    for byte in gram.iter().flat_map(|letter| (*letter as u32).to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}
