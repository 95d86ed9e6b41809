//! The tokenizers of models of tokens: trained on the training split, or read from a file.

use crate::error::{ExperimentError, Result};
use crate::files::write_whole;
use crate::networks::network::model_error;
use crate::seal::sealed_file;
use crate::session::Session;
use crate::stage::Stage;
use crate::store::run_stage;
use std::path::Path;
use std::sync::Arc;
use stillhouse_core::{InputShape, Problem};
use stillhouse_models::{ModelError, Tokenizer, TokenizerConfig, TokenizerError};

/// Raise this when tokenizers are trained in another way.
const CODE_VERSION: u32 = 8;
const TOKENIZER: &str = "tokenizer.json";

/// The tokenizer that a config asks for.
pub(crate) fn tokenizer(session: &Session<'_>, config: &TokenizerConfig) -> Result<Arc<Tokenizer>> {
    if !session.data.train.is_text() {
        let problem = Problem::new("tokenizer", "needs texts, the data has none");
        return Err(model_error(ModelError::Config(vec![problem])));
    }
    let stage = tokenizer_stage(session, config);
    if let Some(known) = session.tokenizers.0.lock().expect("no holder panics").get(stage.key()) {
        return Ok(known.clone());
    }
    let produce = |folder: &Path| {
        let texts: Vec<_> = (0..session.data.train.len()).map(|row| session.data.train.read_text(row, None)).collect();
        let made = Tokenizer::make(config, texts.iter().map(AsRef::as_ref)).map_err(tokenizer_error)?;
        write_whole(&folder.join(TOKENIZER), made.to_json().map_err(tokenizer_error)?.as_bytes())
    };
    let load = |folder: &Path| Tokenizer::load(&folder.join(TOKENIZER)).map_err(tokenizer_error);
    let plan = || unreachable!("a plan records the stage in make_tokenizers and makes no tokenizer");
    let made = Arc::new(run_stage(session.context, &stage, plan, produce, load)?);
    warn_of_dropout(session, config, &stage);
    session.tokenizers.0.lock().expect("no holder panics").insert(stage.key().to_owned(), made.clone());
    Ok(made)
}

/// The stage's own file has no dropout any more, so the given one is looked at, also where the stage was done before.
fn warn_of_dropout(session: &Session<'_>, config: &TokenizerConfig, stage: &Stage) {
    let TokenizerConfig::File { path } = config else { return };
    if let Some(dropout) = Tokenizer::load(path).ok().and_then(|given| given.removed_dropout()) {
        let name = path.display();
        let why = "with it, two equal runs would give different students";
        session.context.warn(stage.name(), format!("{name}: its dropout of merges, {dropout}, is switched off: {why}"));
    }
}

/// The stage of a tokenizer; that of a file depends on its content.
pub(crate) fn tokenizer_stage(session: &Session<'_>, config: &TokenizerConfig) -> Stage {
    match config {
        TokenizerConfig::File { path } => {
            // a file that cannot be read is an error as soon as the stage is asked for
            let content = blake3::hash(&stillhouse_files::read(path).unwrap_or_default()).to_hex().to_string();
            Stage::new("tokenizer", CODE_VERSION, None, &content)
        }
        trained => Stage::new("tokenizer", CODE_VERSION, None, &(&session.data.fingerprint, trained)),
    }
}

/// What a model with this tokenizer takes in, and the tokenizer, without training one: an untrained tokenizer is assumed to
/// reach its configured vocabulary size.
pub(crate) fn planned_input(
    session: &Session<'_>,
    config: Option<&TokenizerConfig>,
) -> Result<(InputShape, Option<Arc<Tokenizer>>)> {
    let Some(config) = config else { return Ok((session.data.input.shape, None)) };
    let path = match config {
        TokenizerConfig::File { path } => path.clone(),
        TokenizerConfig::Hub(_) => unreachable!("tokenizers of the hub are fetched with the data"),
        TokenizerConfig::Bpe(training) => match session.context.artifact(&tokenizer_stage(session, config)) {
            Some(folder) => sealed_file(&folder, TOKENIZER)?,
            None => return Ok((InputShape::Tokens { vocabulary_size: training.vocabulary_size }, None)),
        },
    };
    let tokenizer = Arc::new(Tokenizer::load(&path).map_err(tokenizer_error)?);
    Ok((InputShape::Tokens { vocabulary_size: tokenizer.vocabulary_size() }, Some(tokenizer)))
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn tokenizer_error(error: TokenizerError) -> ExperimentError {
    ExperimentError::BadData(anyhow::Error::msg(error.to_string()))
}
