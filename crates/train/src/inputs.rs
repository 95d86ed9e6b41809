//! Inputs of models from rows of a split: numbers as they are, texts as the ids of the model's own encoder.
//!
//! Shapes: `B` examples, `H`, `W` height and width, `C` channels, `F` features.

use crate::TrainError;
use candle_core::Tensor;
use stillhouse_core::{InputShape, ViewId};
use stillhouse_data::{IdRows, Inputs, Split, TextEncoder};
use stillhouse_models::{Model, ModelInput, TextInput, TokenRows};

/// How a model's texts become ids; none for a model of numbers, or of tokens and without a tokenizer.
pub(crate) fn text_encoder(model: &Model) -> Option<TextEncoder> {
    match model.config().text_input()? {
        TextInput::Ngrams { ngrams, n_buckets } => Some(TextEncoder::new(move |text, ids| {
            ngrams.hash(text, n_buckets, ids);
            Ok(())
        })),
        TextInput::Tokens { .. } => {
            let tokenizer = model.tokenizer()?.clone();
            Some(TextEncoder::new(move |text, ids| tokenizer.encode(text, ids).map_err(|error| error.to_string())))
        }
    }
}

/// Whether two models make the same inputs of the same examples.
pub(crate) fn reads_alike(a: &Model, b: &Model) -> bool {
    let same_tokenizer = match (a.tokenizer(), b.tokenizer()) {
        (Some(a), Some(b)) => a.is_same(b),
        (None, None) => true,
        _ => false,
    };
    a.input() == b.input() && a.config().text_input() == b.config().text_input() && same_tokenizer
}

/// The inputs of some rows of a split, in the model's own form.
pub(crate) fn read_inputs(
    model: &Model,
    split: &Split,
    rows: &[usize],
    view: Option<ViewId>,
) -> Result<ModelInput, TrainError> {
    let plan: Vec<_> = rows.iter().map(|row| (*row, view)).collect();
    model_input(model, split.inputs(&plan, text_encoder(model).as_ref())?, rows.len())
}

/// The inputs of some texts, in the model's own form.
pub(crate) fn encode_texts(model: &Model, texts: &[&str]) -> Result<ModelInput, TrainError> {
    let encoder = text_encoder(model).ok_or_else(|| mismatch("the model takes no texts"))?;
    let mut ids = IdRows::default();
    texts.iter().try_for_each(|text| ids.push(text, &encoder))?;
    model_input(model, Inputs::Ids(ids), texts.len())
}

/// A batch as the model takes it: `[B, H, W, C]` for images, `[B, F]` for features, rows of ids for texts.
pub(crate) fn model_input(model: &Model, inputs: Inputs, n_examples: usize) -> Result<ModelInput, TrainError> {
    let device = model.device();
    Ok(match (inputs, *model.input(), model.config().text_input()) {
        (Inputs::Values(values), InputShape::Image { channels, height, width }, _) => {
            Tensor::from_vec(values, (n_examples, height, width, channels), device)?.into()
        }
        (Inputs::Values(values), InputShape::Features { n_features }, _) => {
            Tensor::from_vec(values, (n_examples, n_features), device)?.into()
        }
        (Inputs::Ids(ids), _, Some(text_input)) => {
            let (ids, starts) = ids.into_parts();
            let rows = TokenRows::new(ids, starts)?;
            match text_input {
                TextInput::Ngrams { .. } => ModelInput::Bags(rows),
                TextInput::Tokens { .. } => ModelInput::Tokens(rows),
            }
        }
        (Inputs::Values(_), ..) => return Err(mismatch("the model takes texts, the batch holds numbers")),
        (Inputs::Ids(_), ..) => return Err(mismatch("the model takes numbers, the batch holds texts")),
    })
}

fn mismatch(text: &'static str) -> TrainError {
    candle_core::Error::msg(text).into()
}
