//! Inputs that every model of a kind can read, with the logits of a graph for them: exports carry them, so that their readers can
//! be checked where they run.

use crate::graph::{Example, Graph, GraphInput};
use stillhouse_core::InputSpec;
use stillhouse_models::{Model, ModelCard, ModelError, TextInput};

/// An input as a user gives it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    /// any text
    Text(String),
    /// numbers of all features
    Numbers(Vec<f64>),
    /// the bytes of an image `[H, W, C]`, which [`pixel`] computes from this seed
    Pixels(u32),
}

/// An input with what a graph makes of it.
pub(crate) struct Sample {
    pub(crate) raw: Raw,
    pub(crate) example: Example,
    pub(crate) logits: Vec<f32>,
}

/// White space of several kinds, letters that change in lower case (one of them to two code points), accents, other scripts.
const TEXTS: [&str; 4] = ["é a", "Where is my card?", "\tZwei\u{a0} WÖRTER, ΣΑΣ İ\n", "漢字 🙂 ''' 12,5"];
const SEEDS: [u32; 2] = [1, 2];

/// Byte `index` of the image of a seed: Knuth's multiplicative hash, which is one line in every language.
pub(crate) fn pixel(seed: u32, index: u32) -> u8 {
    const KNUTH: u32 = 2_654_435_761;
    ((index + 1).wrapping_mul(2 * seed + 1).wrapping_mul(KNUTH) >> 24) as u8
}

/// Inputs of a model, and the logits that `graph` computes for them.
pub(crate) fn samples(model: &Model, card: &ModelCard, graph: &Graph) -> Result<Vec<Sample>, ModelError> {
    let raws: Vec<Raw> = match graph.input() {
        GraphInput::Image { .. } => SEEDS.map(Raw::Pixels).to_vec(),
        GraphInput::Features { .. } => SEEDS.map(|seed| Raw::Numbers(numbers(&card.input, seed))).to_vec(),
        GraphInput::Tokens { .. } | GraphInput::Ngrams { .. } => TEXTS.map(|text| Raw::Text(text.into())).to_vec(),
    };
    let sample = |raw: Raw| {
        let example = example(model, card, graph, &raw)?;
        Ok(Sample { logits: graph.logits(&example), raw, example })
    };
    raws.into_iter().map(sample).collect()
}

/// Two deviations on both sides of the means.
fn numbers(input: &InputSpec, seed: u32) -> Vec<f64> {
    let of_feature = |(index, (mean, std)): (usize, (&f32, &f32))| {
        let deviations = (f64::from(pixel(seed, index as u32)) - 128.0) / 64.0;
        input.offset_of(index) + f64::from(*mean) + f64::from(*std) * deviations
    };
    input.mean.iter().zip(&input.std).enumerate().map(of_feature).collect()
}

/// An input as the graph takes it, prepared as `stillhouse predict` prepares it.
fn example(model: &Model, card: &ModelCard, graph: &Graph, raw: &Raw) -> Result<Example, ModelError> {
    let InputSpec { mean, std, offset, .. } = &card.input;
    Ok(match (raw, graph.input()) {
        (Raw::Numbers(numbers), _) => {
            let shifted = |index: usize| (numbers[index] - offset.get(index).unwrap_or(&0.0)) as f32;
            Example::Values((0..numbers.len()).map(|index| (shifted(index) - mean[index]) / std[index]).collect())
        }
        (Raw::Pixels(seed), GraphInput::Image { channels, height, width }) => {
            let n_pixels = height * width;
            let value = |index: usize| {
                let channel = index / n_pixels;
                let byte = pixel(*seed, (index % n_pixels * channels + channel) as u32);
                (f32::from(byte) / 255.0 - mean[channel]) / std[channel]
            };
            Example::Values((0..channels * n_pixels).map(value).collect())
        }
        (Raw::Pixels(_), input) => unreachable!("no pixels for {input:?}"),
        (Raw::Text(text), _) => {
            let mut ids = Vec::new();
            match (model.config().text_input(), model.tokenizer()) {
                (Some(TextInput::Ngrams { ngrams, n_buckets }), _) => ngrams.hash(text, n_buckets, &mut ids),
                (_, Some(tokenizer)) => tokenizer.encode(text, &mut ids)?,
                (form, None) => unreachable!("texts for {form:?} without a tokenizer"),
            }
            Example::Ids(ids)
        }
    })
}
