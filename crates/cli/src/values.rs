//! Values of options: from the words of the command line, or why they are none.

use serde::de::DeserializeOwned;
use std::num::NonZeroUsize;
use stillhouse_experiment::{Budget, Gate, TopN};

/// When a run stops.
#[derive(Clone, Debug)]
pub struct Until {
    /// name of a stage that trains
    pub stage: String,
    /// of its epochs
    pub share: f64,
}

/// `student:0.25`.
pub fn until(text: &str) -> Result<Until, String> {
    let parts = text.rsplit_once(':').and_then(|(stage, share)| Some((stage, share.parse::<f64>().ok()?)));
    let (stage, share) = parts
        .filter(|(stage, share)| !stage.is_empty() && *share > 0.0 && *share < 1.0)
        .ok_or("expected the name of a stage and a share above 0 and below 1, for example student:0.25")?;
    Ok(Until { stage: stage.to_owned(), share })
}

/// `2e14`, or `5x` for five generalists.
pub fn budget(text: &str) -> Result<Budget, String> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value > 0.0);
    let generalists = text.strip_suffix('x').map(|text| number(text).map(Budget::Generalists));
    generalists
        .unwrap_or_else(|| number(text).map(Budget::Flops))
        .ok_or_else(|| "expected a number above 0, as 2e14, or `5x` for five generalists".into())
}

/// `8GiB`, `500MB`, `1.5 GiB`, or a plain number of bytes.
pub fn memory(text: &str) -> Result<u64, String> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (text[..number_end].parse::<f64>().ok(), text[number_end..].trim());
    let unit = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)).map(|(_, n_bytes)| *n_bytes);
    let n_bytes = number.zip(unit).map(|(number, unit)| (number * unit as f64) as u64);
    n_bytes.filter(|n_bytes| *n_bytes > 0).ok_or_else(|| "expected a size above 0, as `8GiB` or `500MB`".into())
}

/// Units of memory; decimal ones are multiples of 1000, binary ones of 1024.
const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A number above 0 and at most 1.
pub fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "expected a number above 0 and at most 1".into())
}

/// A number between 0 and 100.
pub fn points(text: &str) -> Result<f64, String> {
    let points = text.parse::<f64>().ok().filter(|points| (0.0..=100.0).contains(points));
    points.ok_or_else(|| "expected a number between 0 and 100".into())
}

/// A setting by the name that it has in a config.
pub fn named<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

/// 2 to 8, or 32.
pub fn bits(text: &str) -> Result<u8, String> {
    let bits = text.parse().ok().filter(|bits| (2..=8).contains(bits) || *bits == 32);
    bits.ok_or_else(|| "expected 2 to 8, or 32".into())
}

/// `all`, or `top_n:N`.
pub fn gate(text: &str) -> Result<Gate, String> {
    let n = text.strip_prefix("top_n:").and_then(|n| n.parse::<NonZeroUsize>().ok());
    match (text, n) {
        ("all", _) => Ok(Gate::All {}),
        (_, Some(n)) => Ok(Gate::TopN(TopN { n: n.get() })),
        _ => Err("expected `all` or `top_n:N` with N from 1".into()),
    }
}
