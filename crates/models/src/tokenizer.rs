//! Tokenizers: read from a `tokenizer.json` of any model, or trained on texts by byte pair encoding, to the same file
//! in every run.

mod merges;

use self::merges::{Trained, learn_merges};
use crate::tokenizer_error::TokenizerError;
use crate::{HubTokenizer, TokenizerConfig, TokenizerTraining};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{Lowercase, NFC, NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    ModelWrapper, NormalizedString, Normalizer, OffsetReferential, OffsetType, PostProcessor, PreTokenizedString,
    PreTokenizer, TruncationParams,
};

/// Cuts texts into the tokens of a vocabulary.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    vocabulary_size: usize,
    removed_dropout: Option<f32>,
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("vocabulary_size", &self.vocabulary_size).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Reads or trains the tokenizer of a config; `texts` are read only for a training.
    ///
    /// # Errors
    /// A file that is no tokenizer, a repository that was not fetched, or texts on which training fails.
    pub fn make<'t>(config: &TokenizerConfig, texts: impl Iterator<Item = &'t str>) -> Result<Self, TokenizerError> {
        match config {
            TokenizerConfig::File { path } => Self::load(path),
            TokenizerConfig::Hub(HubTokenizer { repo, .. }) => {
                Err(TokenizerError(format!("the tokenizer of {repo} is to be fetched first")))
            }
            TokenizerConfig::Bpe(training) => train(training, texts),
        }
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// A file that cannot be read or is no tokenizer.
    pub fn load(path: &Path) -> Result<Self, TokenizerError> {
        let path_name = path.display();
        let unreadable = |error| TokenizerError(format!("{path_name}: the tokenizer cannot be read: {error}"));
        let bytes = std::fs::read(path).map_err(unreadable)?;
        Self::from_json(&bytes).map_err(|error| TokenizerError(format!("{path_name}: {error}")))
    }

    /// Reads the content of a `tokenizer.json`. Its settings of padding and truncation are ignored: padding is never
    /// needed, and the model's config has the number of tokens. Dropout of merges is switched off, see
    /// [`Tokenizer::removed_dropout`].
    ///
    /// # Errors
    /// Content that is no tokenizer, or one that has no token for unknown characters.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(bad_format)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(bad_format)?;
        let removed_dropout = remove_randomness(&mut inner);
        let tokenizer = Self { removed_dropout, ..Self::new(inner) };
        // a vocabulary that lacks its token for the unknown is found now rather than at the first unusual text
        tokenizer.encode("a \u{10FFFD}", &mut Vec::new())?;
        Ok(tokenizer)
    }

    fn new(inner: tokenizers::Tokenizer) -> Self {
        let largest_id = inner.get_vocab(true).into_values().max();
        let vocabulary_size = largest_id.map_or(0, |id| id as usize + 1);
        Self { inner, vocabulary_size, removed_dropout: None }
    }

    /// The dropout of merges in the file, which was switched off. The library draws it from the machine's random
    /// numbers, so the same text would have other tokens each time, and the same run another student.
    pub fn removed_dropout(&self) -> Option<f32> {
        self.removed_dropout
    }

    /// The content of a `tokenizer.json`.
    ///
    /// # Errors
    /// A tokenizer that has no such form.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(true).map_err(bad_format)
    }

    /// Whether another tokenizer cuts every text in the same way.
    pub fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || self.vocabulary_size == other.vocabulary_size
                && matches!((self.to_json(), other.to_json()), (Ok(own), Ok(others)) if own == others)
    }

    /// Ids are below this.
    pub fn vocabulary_size(&self) -> usize {
        self.vocabulary_size
    }

    /// The same tokenizer with texts cut to `max_len` tokens, special ones included.
    ///
    /// # Errors
    /// No room for any but the special tokens.
    pub fn cut_to(&self, max_len: usize) -> Result<Self, TokenizerError> {
        let n_special = self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if max_len <= n_special {
            let message = format!("max_len = {max_len} leaves no room for text after {n_special} special tokens");
            return Err(TokenizerError(message));
        }
        let mut inner = self.inner.clone();
        let cut = TruncationParams { max_length: max_len, ..TruncationParams::default() };
        inner.with_truncation(Some(cut)).map_err(bad_format)?;
        Ok(Self { inner, ..*self })
    }

    /// Appends the ids of a text's tokens.
    ///
    /// # Errors
    /// A text that the vocabulary cannot express.
    pub fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let failed = |error| TokenizerError(format!("the tokenizer fails on a text: {error}"));
        ids.extend_from_slice(self.inner.encode_fast(text, true).map_err(failed)?.get_ids());
        Ok(())
    }
}

/// Switches off everything random, so that a text's tokens are a function of the text; returns the dropout of merges.
fn remove_randomness(inner: &mut tokenizers::Tokenizer) -> Option<f32> {
    match inner.get_model() {
        ModelWrapper::BPE(model) => {
            let dropout = model.dropout?;
            let mut model = model.clone();
            model.dropout = None;
            inner.with_model(model);
            Some(dropout).filter(|dropout| *dropout > 0.0)
        }
        ModelWrapper::Unigram(model) if model.alpha.is_some() => {
            let mut model = model.clone();
            (model.alpha, model.nbest_size) = (None, None);
            inner.with_model(model);
            None
        }
        _ => None,
    }
}

/// Trains byte pair encoding on bytes.
fn train<'t>(training: &TokenizerTraining, texts: impl Iterator<Item = &'t str>) -> Result<Tokenizer, TokenizerError> {
    let mut normalizers = vec![NormalizerWrapper::from(NFC)];
    normalizers.extend(training.lowercase.then_some(NormalizerWrapper::from(Lowercase)));
    let normalizer = Sequence::new(normalizers);
    let words = ByteLevel::new(false, false, true);
    let counts = count_words(texts, &normalizer, &words)?;
    let Trained { tokens, merges } = learn_merges(&counts, &ByteLevel::alphabet().into_iter().collect(), training);
    let vocabulary = tokens.into_iter().zip(0..).collect::<tokenizers::models::bpe::Vocab>();
    let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(training_failed)?;
    let mut inner = tokenizers::Tokenizer::new(model);
    inner.with_normalizer(Some(normalizer)).map_err(training_failed)?;
    inner.with_pre_tokenizer(Some(words));
    // written and read back: the tokenizer in memory is the one that its file holds
    Tokenizer::from_json(Tokenizer::new(inner).to_json()?.as_bytes())
}

/// How often each word occurs, in alphabetical order: training must not depend on the order of a hash map.
fn count_words<'t>(
    texts: impl Iterator<Item = &'t str>,
    normalizer: &impl Normalizer,
    splitter: &impl PreTokenizer,
) -> Result<BTreeMap<String, u64>, TokenizerError> {
    let mut counts = BTreeMap::new();
    for text in texts {
        let mut text = NormalizedString::from(text);
        normalizer.normalize(&mut text).map_err(training_failed)?;
        let mut words = PreTokenizedString::from(text);
        splitter.pre_tokenize(&mut words).map_err(training_failed)?;
        for (word, _, _) in words.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
            match counts.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(counts.insert(word.to_owned(), 1)),
            }
        }
    }
    Ok(counts)
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn training_failed(error: tokenizers::Error) -> TokenizerError {
    TokenizerError(format!("the tokenizer cannot be trained: {error}"))
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn bad_format(error: tokenizers::Error) -> TokenizerError {
    TokenizerError(format!("no tokenizer as `tokenizers` writes them: {error}"))
}

#[cfg(test)]
mod tests;
