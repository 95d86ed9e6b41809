//! Tokenizers: loaded from a `tokenizer.json`, or trained on texts, to the same file in every run.

mod merges;
mod unigram;

use self::merges::{Alphabet, Trained, learn_merges};
use self::unigram::learn_pieces;
use crate::tokenizer_error::TokenizerError;
use crate::{TokenizerConfig, TokenizerTraining};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{Lowercase, NFC, NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{
    AddedToken, ModelWrapper, NormalizedString, Normalizer, OffsetReferential, OffsetType, PostProcessor,
    PreTokenizedString, PreTokenizer, TruncationParams,
};

/// Stands for what the vocabulary has no tokens for.
const UNKNOWN: &str = "[UNK]";

/// Stands for a space, which belongs to the word behind it.
const SPACE: char = '\u{2581}';

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
    /// Loads or trains what a config asks for; `texts` are looked at only for a training.
    ///
    /// # Errors
    /// A file that is no tokenizer.
    pub fn make<'t>(config: &TokenizerConfig, texts: impl Iterator<Item = &'t str>) -> Result<Self, TokenizerError> {
        match config {
            TokenizerConfig::File { path } => Self::load(path),
            TokenizerConfig::Hub(place) => Err(TokenizerError::NotFetched(place.repo.clone())),
            TokenizerConfig::Bpe(training) => {
                let splitter = Splitter::new(training, ByteLevel::new(false, false, true));
                let alphabet = Alphabet::Given(ByteLevel::alphabet().into_iter().collect());
                let trained = learn_merges(&splitter.count_words(texts)?, &alphabet, training);
                let Trained { tokens, merges } = trained;
                let vocabulary = tokens.into_iter().zip(0..).collect::<tokenizers::models::bpe::Vocab>();
                let model = BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(training_failed)?;
                splitter.with_model(model, None)
            }
            TokenizerConfig::WordPiece(training) => {
                let splitter = Splitter::new(training, BertPreTokenizer);
                let alphabet = Alphabet::Found { continuation: "##", first: UNKNOWN };
                let trained = learn_merges(&splitter.count_words(texts)?, &alphabet, training);
                let vocabulary = trained.tokens.into_iter().zip(0..).collect::<tokenizers::models::bpe::Vocab>();
                let model = WordPiece::builder().vocab(vocabulary).unk_token(UNKNOWN.to_owned());
                splitter.with_model(model.build().map_err(training_failed)?, Some(UNKNOWN))
            }
            TokenizerConfig::Unigram(training) => {
                let splitter = Splitter::new(training, Metaspace::new(SPACE, PrependScheme::Always, true));
                let pieces = learn_pieces(&splitter.count_words(texts)?, training.vocabulary_size - 1, training);
                let vocabulary = std::iter::once((UNKNOWN.to_owned(), 0.0)).chain(pieces).collect();
                let model = Unigram::from(vocabulary, Some(0), false).map_err(training_failed)?;
                splitter.with_model(model, Some(UNKNOWN))
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
    /// is never needed, and the model knows how many tokens it takes. Dropout of merges is switched off, see
    /// [`Tokenizer::removed_dropout`].
    ///
    /// # Errors
    /// Content that is no tokenizer, or one that has no token for unknown characters.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        let format = |error: tokenizers::Error| TokenizerError::Format(error.to_string());
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(format)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(format)?;
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

    /// The dropout of merges that the file asked for and that was switched off. The library draws it from the machine's
    /// random numbers, so the same text would have other tokens each time, and the same run another student.
    pub fn removed_dropout(&self) -> Option<f32> {
        self.removed_dropout
    }

    /// The content of a `tokenizer.json`.
    ///
    /// # Errors
    /// A tokenizer that has no such form.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        self.inner.to_string(true).map_err(|error| TokenizerError::Format(error.to_string()))
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

/// Makes a text's tokens a function of the text; returns the dropout of merges that was asked for.
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

/// How a text falls into words before the vocabulary comes into play.
struct Splitter {
    normalizer: NormalizerWrapper,
    words: PreTokenizerWrapper,
}

impl Splitter {
    fn new(training: &TokenizerTraining, words: impl Into<PreTokenizerWrapper>) -> Self {
        let mut normalizers = vec![NormalizerWrapper::from(NFC)];
        normalizers.extend(training.lowercase.then_some(NormalizerWrapper::from(Lowercase)));
        Self { normalizer: Sequence::new(normalizers).into(), words: words.into() }
    }

    /// How often each word occurs, in the order of the alphabet.
    fn count_words<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Result<BTreeMap<String, u64>, TokenizerError> {
        let mut counts = BTreeMap::new();
        for text in texts {
            let mut text = NormalizedString::from(text);
            self.normalizer.normalize(&mut text).map_err(training_failed)?;
            let mut words = PreTokenizedString::from(text);
            self.words.pre_tokenize(&mut words).map_err(training_failed)?;
            for (word, _, _) in words.get_splits(OffsetReferential::Normalized, OffsetType::Byte) {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(word.to_owned(), 1)),
                }
            }
        }
        Ok(counts)
    }

    /// The tokenizer that its file holds: what was trained is written and read back.
    fn with_model(self, model: impl Into<ModelWrapper>, special: Option<&str>) -> Result<Tokenizer, TokenizerError> {
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(Some(self.normalizer)).map_err(training_failed)?;
        inner.with_pre_tokenizer(Some(self.words));
        let special: Vec<AddedToken> = special.iter().map(|token| AddedToken::from(*token, true)).collect();
        inner.add_special_tokens(special).map_err(training_failed)?;
        Tokenizer::from_json(Tokenizer::new(inner).to_json()?.as_bytes())
    }
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` asks for
fn training_failed(error: tokenizers::Error) -> TokenizerError {
    TokenizerError::Training(error.to_string())
}

#[cfg(test)]
mod tests;
