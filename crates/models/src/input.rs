//! A batch as a model takes it: numbers, bags of hashed n-grams, or rows of tokens.
//!
//! [`ModelConfig::text_input`] gives the form in which an architecture takes texts. For [`TextInput::Ngrams`] the model
//! is built for `InputShape::Text {}`, and [`TextInput::hash`] hashes each text. For [`TextInput::Tokens`] the caller
//! has a tokenizer: the model is built for `InputShape::Tokens { vocabulary_size }`, and each text is cut into at most
//! `max_len` tokens.
//!
//! Shapes: `B` batch, `H`, `W` height and width, `C` channels, `F` features.

use crate::{ModelConfig, ModelError};
use candle_core::{Result as TensorResult, Tensor};
use stillhouse_core::{InputShape, Ngrams};
use stillhouse_ops::TokenRows;

/// A batch of inputs.
#[derive(Clone, Debug)]
pub enum ModelInput {
    /// images `[B, H, W, C]` or features `[B, F]`
    Values(Tensor),
    /// the hashed n-grams of each text
    Bags(TokenRows),
    /// the tokens of each text, in their order; there is no padding
    Tokens(TokenRows),
}

impl From<Tensor> for ModelInput {
    fn from(values: Tensor) -> Self {
        Self::Values(values)
    }
}

impl ModelInput {
    /// Number of examples, `B`.
    pub fn n_examples(&self) -> usize {
        match self {
            Self::Values(values) => values.dims().first().copied().unwrap_or(0),
            Self::Bags(bags) => bags.n_rows(),
            Self::Tokens(tokens) => tokens.n_rows(),
        }
    }

    /// Kind and size of the batch in words, for messages.
    fn describe(&self) -> String {
        match self {
            Self::Values(values) => format!("numbers of shape {:?}", values.dims()),
            Self::Bags(bags) => format!("{} bags of ids up to {}", bags.n_rows(), bags.largest_id()),
            Self::Tokens(tokens) => {
                let (n, longest) = (tokens.n_rows(), tokens.longest());
                format!("{n} texts of up to {longest} tokens, with ids up to {}", tokens.largest_id())
            }
        }
    }
}

/// The form in which an architecture takes texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextInput {
    /// a bag of hashed n-grams, [`ModelInput::Bags`]
    Ngrams {
        /// which n-grams are counted
        ngrams: Ngrams,
        /// ids are below this
        n_buckets: usize,
    },
    /// the ids of the model's own tokenizer, [`ModelInput::Tokens`]
    Tokens {
        /// longer texts are cut, special tokens included
        max_len: usize,
    },
}

impl TextInput {
    /// The bags of some texts; none for an architecture that wants tokens.
    ///
    /// # Errors
    /// More than `u32::MAX` n-grams in one batch.
    pub fn hash<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> TensorResult<Option<ModelInput>> {
        let Self::Ngrams { ngrams, n_buckets } = self else { return Ok(None) };
        let bags = texts.into_iter().map(|text| {
            let mut buckets = Vec::new();
            ngrams.hash(text, *n_buckets, &mut buckets);
            buckets
        });
        Ok(Some(ModelInput::Bags(TokenRows::of(bags)?)))
    }
}

/// Checks that a batch is what a model of this config and input shape takes.
pub(crate) fn check_input(config: &ModelConfig, shape: &InputShape, inputs: &ModelInput) -> Result<(), ModelError> {
    let (fits, expected) = match (*shape, inputs) {
        (InputShape::Image { channels, height, width }, _) => (
            has_shape(inputs, &[height, width, channels]),
            format!("numbers of shape [B, {height}, {width}, {channels}]"),
        ),
        (InputShape::Features { n_features }, _) => {
            (has_shape(inputs, &[n_features]), format!("numbers of shape [B, {n_features}]"))
        }
        (InputShape::Text {} | InputShape::Tokens { .. }, _) => check_text(config, shape, inputs),
    };
    if fits { Ok(()) } else { Err(ModelError::input(inputs.describe(), expected)) }
}

fn has_shape(inputs: &ModelInput, of_example: &[usize]) -> bool {
    matches!(inputs, ModelInput::Values(values) if values.rank() > 0 && values.dims()[1..] == *of_example)
}

fn check_text(config: &ModelConfig, shape: &InputShape, inputs: &ModelInput) -> (bool, String) {
    match (config.text_input(), shape) {
        (Some(TextInput::Ngrams { n_buckets, .. }), _) => {
            let fits = matches!(inputs, ModelInput::Bags(bags) if (bags.largest_id() as usize) < n_buckets);
            (fits, format!("bags of ids below {n_buckets}"))
        }
        (Some(TextInput::Tokens { max_len }), InputShape::Tokens { vocabulary_size }) => {
            let fits =
                |batch: &TokenRows| (batch.largest_id() as usize) < *vocabulary_size && batch.longest() <= max_len;
            let fits = matches!(inputs, ModelInput::Tokens(batch) if fits(batch));
            (fits, format!("texts of up to {max_len} tokens, with ids below {vocabulary_size}"))
        }
        _ => (false, format!("nothing: kind = \"{}\" cannot be built for {shape:?}", config.kind())),
    }
}
