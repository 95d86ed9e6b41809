//! `parity.json`: some inputs and the logits that this program computes of them, so that anyone can check a reader.
//!
//! Inputs are drawn or written here, never taken from training data: an exported folder is passed on.
//!
//! Shapes: `B` inputs, `H`, `W` height and width, `C` channels.

use super::json;
use crate::ExportError;
use crate::graph::{Example, Graph};
use candle_core::Tensor;
use rayon::prelude::*;
use serde::Serialize;
use stillhouse_core::{InputShape, Seed};
use stillhouse_models::{Mode, Model, ModelCard, ModelError, ModelInput, TextInput, TokenRows};

/// Inputs; of those with many numbers there are fewer, so that the file stays small.
const N_INPUTS: usize = 8;
const N_LARGE_INPUTS: usize = 2;
const LARGE: usize = 20_000;
/// A graph whose probabilities differ by more is not the model.
const MAX_DISTANCE: f64 = 1e-4;

/// Texts of different lengths, scripts and cases; none is long.
const TEXTS: [&str; 8] = [
    "Where is my card?",
    "I",
    "All human beings are born free and equal in dignity and rights.",
    "Alle Menschen sind frei und gleich an W\u{fc}rde und Rechten geboren.",
    "\u{412}\u{441}\u{435} \u{43b}\u{44e}\u{434}\u{438} \u{440}\u{43e}\u{436}\u{434}\u{430}\u{44e}\u{442}\u{441}\u{44f} \
     \u{441}\u{432}\u{43e}\u{431}\u{43e}\u{434}\u{43d}\u{44b}\u{43c}\u{438}",
    "\u{4eba}\u{4eba}\u{751f}\u{800c}\u{81ea}\u{7531}",
    "please   TRANSFER\t100 dollars, thanks!!",
    "why was I charged twice for the same thing yesterday, and when will the money be back on my account?",
];

/// One input in the form that a reader hands to the network, but for padding and, for pixels, normalisation.
#[derive(Serialize)]
#[serde(untagged)]
enum Input {
    /// bytes `[H, W, C]`, before they are normalised
    Pixels {
        pixels: Vec<u8>,
        shape: [usize; 3],
    },
    /// normalised features
    Features {
        features: Vec<f32>,
    },
    Tokens {
        text: &'static str,
        input_ids: Vec<u32>,
    },
    Ngrams {
        text: &'static str,
        ngram_ids: Vec<u32>,
    },
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    input: Input,
    logits: Vec<f32>,
}

/// The inputs with their logits, and how far the graph is from them.
pub(super) struct Parity {
    rows: Vec<Row>,
    distance: f64,
}

impl Parity {
    /// Draws inputs and runs model and graph on them.
    pub(super) fn of(model: &Model, card: &ModelCard, graph: &Graph) -> Result<Self, ExportError> {
        let inputs = inputs(model, card)?;
        let logits = model.forward(&batch(model, card, &inputs)?, Mode::Eval)?;
        let logits: Vec<Vec<f32>> = logits.to_vec2().map_err(ModelError::from)?;
        let distance = |(input, expected): (&Input, &Vec<f32>)| {
            let found = probs(&graph.logits(&example(input, card)));
            found.iter().zip(probs(expected)).map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max)
        };
        let distance = inputs.par_iter().zip(&logits).map(distance).reduce(|| 0.0, f64::max);
        let rows = inputs.into_iter().zip(logits).map(|(input, logits)| Row { input, logits }).collect();
        Ok(Self { rows, distance })
    }

    /// Refuses a graph that is not the model: an error of this program, which must not leave it.
    pub(super) fn check(&self) -> Result<(), ExportError> {
        if self.distance <= MAX_DISTANCE {
            return Ok(());
        }
        let distance = self.distance;
        Err(ExportError::Unfit(format!(
            "the exported network gives probabilities that differ by {distance:.1e} from the model's, expected at most \
             {MAX_DISTANCE:.0e}: an error of this program\n  hint: please report it with the model's config.json"
        )))
    }

    pub(super) fn n_examples(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn distance(&self) -> f64 {
        self.distance
    }

    pub(super) fn file(&self) -> Result<Vec<u8>, ExportError> {
        let rows: Vec<String> = self.rows.iter().map(json).collect::<Result<_, _>>()?;
        Ok(format!("{{\"examples\": [\n{}\n]}}\n", rows.join(",\n")).into_bytes())
    }
}

fn inputs(model: &Model, card: &ModelCard) -> Result<Vec<Input>, ExportError> {
    let n_inputs = if model.input().n_values() > LARGE { N_LARGE_INPUTS } else { N_INPUTS };
    let seeds = (0..n_inputs as u64).map(|index| Seed(0).derive("parity", index).0);
    Ok(match (*model.input(), model.config().text_input()) {
        (InputShape::Image { channels, height, width }, _) => {
            let shape = [height, width, channels];
            seeds.map(|seed| Input::Pixels { pixels: picture(seed, shape, &card.input.mean), shape }).collect()
        }
        (InputShape::Features { n_features }, _) => {
            // a mean of 0 and a deviation of 1, as the features that a model is trained on have them
            let spread = |noise: f64| ((noise - 0.5) * 12.0_f64.sqrt()) as f32;
            seeds.map(|seed| Input::Features { features: noise(seed, n_features).map(spread).collect() }).collect()
        }
        (_, Some(TextInput::Ngrams { ngrams, n_buckets })) => {
            let hashed = |text| {
                let mut ngram_ids = Vec::new();
                ngrams.hash(text, n_buckets, &mut ngram_ids);
                Input::Ngrams { text, ngram_ids }
            };
            TEXTS.into_iter().map(hashed).collect()
        }
        (shape, _) => {
            let missing = || ExportError::Unfit(format!("a model of {shape:?} needs a tokenizer"));
            let tokenizer = model.tokenizer().ok_or_else(missing)?;
            let cut = |text| {
                let mut input_ids = Vec::new();
                tokenizer.encode(text, &mut input_ids).map_err(ModelError::from)?;
                Ok(Input::Tokens { text, input_ids })
            };
            TEXTS.into_iter().map(cut).collect::<Result<_, ExportError>>()?
        }
    })
}

/// Numbers from 0 to 1.
fn noise(seed: u64, n_values: usize) -> impl Iterator<Item = f64> {
    (0..n_values as u64).map(move |index| (Seed(seed).derive("noise", index).0 >> 11) as f64 / (1_u64 << 53) as f64)
}

const N_RECTANGLES: usize = 6;

/// Bytes `[H, W, C]` of a picture: rectangles of drawn places and colours on the mean colour of the model's data. Plain
/// noise would be further from any real image than eight bits can express.
fn picture(seed: u64, [height, width, channels]: [usize; 3], mean: &[f32]) -> Vec<u8> {
    let ground = |index: usize| (mean[index % channels].clamp(0.0, 1.0) * 255.0).round() as u8;
    let mut pixels: Vec<u8> = (0..height * width * channels).map(ground).collect();
    let drawn: Vec<f64> = noise(seed, N_RECTANGLES * (4 + channels)).collect();
    for rectangle in drawn.chunks_exact(4 + channels) {
        let start = |share: f64, size: usize| (share * size as f64) as usize;
        let (top, left) = (start(rectangle[0], height), start(rectangle[1], width));
        // up to a third of each side
        let (rows, columns) = (1 + start(rectangle[2], height / 3), 1 + start(rectangle[3], width / 3));
        for row in top..(top + rows).min(height) {
            for column in left..(left + columns).min(width) {
                let pixel = &mut pixels[(row * width + column) * channels..][..channels];
                pixel.iter_mut().zip(&rectangle[4..]).for_each(|(byte, colour)| *byte = (colour * 255.0).round() as u8);
            }
        }
    }
    pixels
}

/// Pixels `[H, W, C]` as the model takes them.
fn normalised(pixels: &[u8], card: &ModelCard) -> Vec<f32> {
    let (mean, std) = (&card.input.mean, &card.input.std);
    let of_value = |(index, pixel): (usize, &u8)| {
        let channel = index % mean.len();
        (f32::from(*pixel) / 255.0 - mean[channel]) / std[channel]
    };
    pixels.iter().enumerate().map(of_value).collect()
}

fn example(input: &Input, card: &ModelCard) -> Example {
    match input {
        Input::Pixels { pixels, shape } => Example::of_pixels(&normalised(pixels, card), *shape),
        Input::Features { features } => Example::Values(features.clone()),
        Input::Tokens { input_ids: ids, .. } | Input::Ngrams { ngram_ids: ids, .. } => Example::Ids(ids.clone()),
    }
}

fn batch(model: &Model, card: &ModelCard, inputs: &[Input]) -> Result<ModelInput, ExportError> {
    let numbers = |input: &Input| match input {
        Input::Pixels { pixels, .. } => normalised(pixels, card),
        Input::Features { features } => features.clone(),
        Input::Tokens { .. } | Input::Ngrams { .. } => Vec::new(),
    };
    let ids = |input: &Input| match example(input, card) {
        Example::Ids(ids) => ids,
        Example::Values(_) => Vec::new(),
    };
    let values = || inputs.iter().flat_map(numbers).collect::<Vec<f32>>();
    let rows = || TokenRows::of(inputs.iter().map(ids));
    let batch = match (*model.input(), model.config().text_input()) {
        (InputShape::Image { channels, height, width }, _) => {
            Tensor::from_vec(values(), (inputs.len(), height, width, channels), model.device()).map(ModelInput::Values)
        }
        (InputShape::Features { n_features }, _) => {
            Tensor::from_vec(values(), (inputs.len(), n_features), model.device()).map(ModelInput::Values)
        }
        (_, Some(TextInput::Ngrams { .. })) => rows().map(ModelInput::Bags),
        _ => rows().map(ModelInput::Tokens),
    };
    Ok(batch.map_err(ModelError::from)?)
}

fn probs(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f64> = logits.iter().map(|logit| f64::from(logit - largest).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|exp| exp / sum).collect()
}
