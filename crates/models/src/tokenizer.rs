//! Tokenizers: loaded from a `tokenizer.json`, or trained on texts, to the same file in every run.
//!
//! The trainers of the `tokenizers` crate go through hash maps whose order is random, and number tokens and break ties in
//! that order. Here they run in a pool of one thread and with hash seeds that are always the same.

use crate::tokenizer_error::TokenizerError;
use crate::{TokenizerConfig, TokenizerTraining};
use ahash::RandomState;
use ahash::random_state::RandomSource;
use std::fmt;
use std::path::Path;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::{Lowercase, NFC, NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::{AddedToken, ModelWrapper, PostProcessor, TruncationParams};

/// Stands for what the vocabulary has no tokens for.
const UNKNOWN: &str = "[UNK]";

/// Cuts texts into the tokens of a vocabulary.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    vocabulary_size: usize,
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("vocabulary_size", &self.vocabulary_size).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Loads or trains what a config asks for; `texts` are looked at only for a training.
    ///
    /// # Errors
    /// A file that is no tokenizer, or texts with more distinct characters than the vocabulary has room for.
    pub fn make<'t>(
        config: &TokenizerConfig,
        texts: impl Iterator<Item = &'t str> + Send,
    ) -> Result<Self, TokenizerError> {
        match config {
            TokenizerConfig::File { path } => Self::load(path),
            TokenizerConfig::Bpe(training) => {
                let trainer = BpeTrainer::builder()
                    .show_progress(false)
                    .vocab_size(training.vocabulary_size)
                    .min_frequency(training.min_frequency)
                    .initial_alphabet(ByteLevel::alphabet().into_iter().collect());
                let pieces = ByteLevel::new(false, false, true);
                Self::train(training, BPE::default(), pieces, trainer.build(), texts)
            }
            TokenizerConfig::WordPiece(training) => {
                let trainer = WordPieceTrainer::builder()
                    .show_progress(false)
                    .vocab_size(training.vocabulary_size)
                    .min_frequency(training.min_frequency)
                    .special_tokens(vec![unknown_token()]);
                let model = WordPiece::builder().unk_token(UNKNOWN.to_owned()).build().map_err(training_failed)?;
                Self::train(training, model, BertPreTokenizer, trainer.build(), texts)
            }
            TokenizerConfig::Unigram(training) => {
                let trainer = UnigramTrainer::builder()
                    .show_progress(false)
                    .vocab_size(training.vocabulary_size as u32)
                    .special_tokens(vec![unknown_token()])
                    .unk_token(Some(UNKNOWN.to_owned()))
                    .build();
                let trainer = trainer.map_err(|error| TokenizerError::Training(error.to_string()))?;
                Self::train(training, Unigram::default(), Metaspace::default(), trainer, texts)
            }
        }
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// A file that cannot be read or is no tokenizer.
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let bytes = std::fs::read(path).map_err(|source| TokenizerError::Io { path: path.to_owned(), source })?;
        Self::from_json(&bytes).map_err(|error| error.at(path))
    }

    /// Reads the content of a `tokenizer.json`. What it says of padding and of cutting long texts is left aside: padding
    /// is never needed, and the model knows how many tokens it takes.
    ///
    /// # Errors
    /// Content that is no tokenizer, or one that has no token for unknown characters.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        let format = |error: tokenizers::Error| TokenizerError::Format(error.to_string());
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(format)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(format)?;
        let tokenizer = Self::new(inner);
        // a vocabulary that lacks its token for the unknown is found now rather than at the first unusual text
        tokenizer.encode("a \u{10FFFD}", &mut Vec::new())?;
        Ok(tokenizer)
    }

    fn new(inner: tokenizers::Tokenizer) -> Self {
        let largest_id = inner.get_vocab(true).into_values().max();
        Self { inner, vocabulary_size: largest_id.map_or(0, |id| id as usize + 1) }
    }

    fn train<'t>(
        training: &TokenizerTraining,
        model: impl Into<ModelWrapper>,
        pieces: impl Into<PreTokenizerWrapper>,
        trainer: impl Into<TrainerWrapper>,
        texts: impl Iterator<Item = &'t str> + Send,
    ) -> Result<Self, TokenizerError> {
        fix_hash_seeds()?;
        let mut normalizers = vec![NormalizerWrapper::from(NFC)];
        normalizers.extend(training.lowercase.then_some(NormalizerWrapper::from(Lowercase)));
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(Some(Sequence::new(normalizers))).map_err(training_failed)?;
        inner.with_pre_tokenizer(Some(pieces));
        let mut trainer = trainer.into();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.map_err(|error| TokenizerError::Training(error.to_string()))?;
        pool.install(|| inner.train(&mut trainer, texts).map(|_| ())).map_err(training_failed)?;
        // what was trained is read back, so that a fresh tokenizer is the one that its file holds
        Self::from_json(Self::new(inner).to_json()?.as_bytes())
    }

    /// The content of a `tokenizer.json`.
    ///
    /// # Errors
    /// A tokenizer that has no such form.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(true).map_err(|error| TokenizerError::Format(error.to_string()))
    }

    /// Ids are below this.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// The same tokenizer that cuts texts to so many tokens, special ones included.
    ///
    /// # Errors
    /// No room for anything beside the special tokens.
    pub fn cut_to(&self, max_len: usize) -> Result<Self, TokenizerError> {
        let n_special = self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if max_len <= n_special {
            return Err(TokenizerError::TooShort { max_len, n_special });
        }
        let mut inner = self.inner.clone();
        let cut = TruncationParams { max_length: max_len, ..TruncationParams::default() };
        inner.with_truncation(Some(cut)).map_err(|error| TokenizerError::Format(error.to_string()))?;
        Ok(Self { inner, ..*self })
    }

    /// Appends the ids of a text's tokens.
    ///
    /// # Errors
    /// A text that the vocabulary cannot express.
    pub fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let encoding = self.inner.encode_fast(text, true);
        ids.extend_from_slice(encoding.map_err(|error| TokenizerError::Encode(error.to_string()))?.get_ids());
        Ok(())
    }
}

fn unknown_token() -> AddedToken {
    AddedToken::from(UNKNOWN, true)
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn training_failed(error: tokenizers::Error) -> TokenizerError {
    TokenizerError::Training(error.to_string())
}

/// Always the same seed.
struct SameSeed;

impl RandomSource for SameSeed {
    fn gen_hasher_seed(&self) -> usize {
        0
    }
}

/// Makes the maps that the trainers use go through their content in the same order in every process.
fn fix_hash_seeds() -> Result<(), TokenizerError> {
    match RandomState::set_random_source(SameSeed) {
        Ok(()) | Err(true) => Ok(()),
        Err(false) => Err(TokenizerError::Training("something else in this process drew hash seeds before".into())),
    }
}

#[cfg(test)]
mod tests;
