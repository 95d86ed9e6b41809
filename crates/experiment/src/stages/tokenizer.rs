//! The tokenizers of models of tokens: trained on the training split, or read from a file.

use super::Workshop;
use super::training::model_error;
use crate::error::{ExperimentError, Result};
use crate::files::write_whole;
use crate::store::{Stage, run_stage};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use stillhouse_core::{InputShape, Problem};
use stillhouse_models::{ModelError, Tokenizer, TokenizerConfig, TokenizerError};

const TOKENIZER: &str = "tokenizer.json";

/// The tokenizers of a run that were made or read so far, by the keys of their stages.
#[derive(Default)]
pub(crate) struct Tokenizers(Mutex<HashMap<String, Arc<Tokenizer>>>);

/// Makes every tokenizer that the config asks for, so that no training has to wait for one.
pub(crate) fn make_tokenizers(shop: &Workshop<'_>) -> Result<()> {
    let config = shop.config;
    let of_generalist = config.generalist.as_ref().and_then(|generalist| generalist.tokenizer.as_ref());
    let wanted = [of_generalist, config.specialist_tokenizer(), config.student.tokenizer.as_ref()];
    wanted.into_iter().flatten().try_for_each(|config| tokenizer(shop, config).map(|_| ()))
}

/// The tokenizer that a config asks for.
pub(super) fn tokenizer(shop: &Workshop<'_>, config: &TokenizerConfig) -> Result<Arc<Tokenizer>> {
    if !shop.train.is_text() {
        let problem = Problem::new("tokenizer", "needs texts, the data has none");
        return Err(model_error(ModelError::Config(vec![problem])));
    }
    let stage = tokenizer_stage(shop, config);
    if let Some(known) = shop.tokenizers.0.lock().expect("no holder panics").get(stage.key()) {
        return Ok(known.clone());
    }
    let produce = |folder: &Path| {
        let texts: Vec<_> = (0..shop.train.len()).map(|row| shop.train.read_text(row, None)).collect();
        let made = Tokenizer::make(config, texts.iter().map(AsRef::as_ref)).map_err(tokenizer_error)?;
        write_whole(&folder.join(TOKENIZER), made.to_json().map_err(tokenizer_error)?.as_bytes())
    };
    let load = |folder: &Path| Tokenizer::load(&folder.join(TOKENIZER)).map_err(tokenizer_error);
    let made = Arc::new(run_stage(shop.context, &stage, produce, load)?);
    warn_of_dropout(shop, config, &stage);
    shop.tokenizers.0.lock().expect("no holder panics").insert(stage.key().to_owned(), made.clone());
    Ok(made)
}

/// The stage's own file has no dropout any more, so the given one is looked at, also where the stage was done before.
fn warn_of_dropout(shop: &Workshop<'_>, config: &TokenizerConfig, stage: &Stage) {
    let TokenizerConfig::File { path } = config else { return };
    if let Some(dropout) = Tokenizer::load(path).ok().and_then(|given| given.removed_dropout()) {
        let name = path.display();
        let why = "with it, two equal runs would give different students";
        shop.context.warn(stage.name(), format!("{name}: its dropout of merges, {dropout}, is switched off: {why}"));
    }
}

/// The stage of a tokenizer; that of a file depends on its content.
pub(crate) fn tokenizer_stage(shop: &Workshop<'_>, config: &TokenizerConfig) -> Stage {
    let content = match config {
        // a file that cannot be read is an error as soon as the stage is asked for
        TokenizerConfig::File { path } => blake3::hash(&std::fs::read(path).unwrap_or_default()).to_hex().to_string(),
        trained => format!("{} {trained:?}", shop.fingerprint),
    };
    Stage::new("tokenizer", None, &content)
}

/// What a model with this tokenizer takes in, and the tokenizer; one that is not trained yet counts with the size that it
/// may have.
pub(crate) fn planned_input(
    shop: &Workshop<'_>,
    config: Option<&TokenizerConfig>,
) -> Result<(InputShape, Option<Arc<Tokenizer>>)> {
    let Some(config) = config else { return Ok((shop.input.shape, None)) };
    let of = |vocabulary_size| InputShape::Tokens { vocabulary_size };
    let is_done = || tokenizer_stage(shop, config).is_done(shop.context.stages_dir());
    let made = match config {
        TokenizerConfig::Bpe(training) | TokenizerConfig::WordPiece(training) | TokenizerConfig::Unigram(training)
            if !is_done() =>
        {
            return Ok((of(training.vocabulary_size), None));
        }
        TokenizerConfig::File { path } => Arc::new(Tokenizer::load(path).map_err(tokenizer_error)?),
        TokenizerConfig::Bpe(_)
        | TokenizerConfig::WordPiece(_)
        | TokenizerConfig::Unigram(_)
        | TokenizerConfig::Hub(_) => tokenizer(shop, config)?,
    };
    Ok((of(made.vocabulary_size()), Some(made)))
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn tokenizer_error(error: TokenizerError) -> ExperimentError {
    ExperimentError::BadData(anyhow::Error::msg(error.to_string()))
}
