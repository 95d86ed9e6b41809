//! Tokenizers: read from a `tokenizer.json` of any model, or trained on texts by byte pair encoding, to the same file
//! in every run.

mod growth;
mod merges;
mod structure;

use self::merges::{Trained, learn_merges};
use self::structure::SpecialId;
use crate::tokenizer_config::MAX_VOCABULARY;
use crate::tokenizer_error::TokenizerError;
use crate::{HubTokenizer, TokenizerConfig, TokenizerTraining};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use stillhouse_files::guarded;
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
    /// the file, for messages
    name: Option<Arc<str>>,
}

/// The files of published tokenizers have up to 35 MB.
const MAX_FILE_BYTES: usize = 256 << 20;
/// One of each kind that tokenizers treat by themselves: letters, digits, signs, spaces, accents, other scripts, emoji, a
/// character that no vocabulary has.
const TRIED_TEXTS: [&str; 8] = [
    "",
    "a \u{10FFFD}",
    "The cat, (12.5 %)!",
    "  two\tspaces\n",
    "e\u{301} \u{e9} \u{df}",
    "\u{6f22}\u{5b57}",
    "\u{1F600}",
    "x",
];
/// Tokens of the vocabulary that are tried as texts.
const N_TRIED_TOKENS: u32 = 64;

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
        let mut bytes = Vec::new();
        let file = stillhouse_files::open(path).map_err(unreadable)?;
        file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let named = |error| TokenizerError(format!("{path_name}: {error}"));
        let tokenizer = Self::from_json(&bytes).map_err(named)?;
        Ok(Self { name: Some(path_name.to_string().into()), ..tokenizer })
    }

    /// Reads the content of a `tokenizer.json`. Its settings of padding and truncation are ignored: padding is never
    /// needed, and the model's config has the number of tokens. Dropout of merges is switched off, see
    /// [`Tokenizer::removed_dropout`].
    ///
    /// # Errors
    /// Content that is no tokenizer, one that has no token for unknown characters, one whose numbers lie outside its
    /// vocabulary, or one with which memory or time would have no bound.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TokenizerError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(TokenizerError(format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let special = structure::check(bytes).map_err(TokenizerError)?;
        // the library panics on some damaged files
        let parsed = guarded(|| {
            let mut inner = tokenizers::Tokenizer::from_bytes(bytes)?;
            inner.with_padding(None);
            inner.with_truncation(None)?;
            let removed_dropout = remove_randomness(&mut inner);
            Ok::<_, tokenizers::Error>(Self { removed_dropout, ..Self::new(inner) })
        });
        let tokenizer = parsed.map_err(bad_format)?.map_err(bad_format)?;
        tokenizer.check_ids(&special)?;
        tokenizer.try_texts(special.len())?;
        Ok(tokenizer)
    }

    /// Refuses numbers of tokens beyond any vocabulary, for which a model would need a table, and special tokens outside of
    /// this one.
    fn check_ids(&self, special: &[SpecialId]) -> Result<(), TokenizerError> {
        let n_tokens = self.vocabulary_size;
        if n_tokens > MAX_VOCABULARY {
            let largest = n_tokens - 1;
            return Err(TokenizerError(format!(
                "a token has the number {largest}, expected numbers below {MAX_VOCABULARY}"
            )));
        }
        match special.iter().find(|(_, id)| *id >= n_tokens as u64) {
            Some((name, id)) => Err(TokenizerError(format!(
                "post_processor gives the special token {name:?} the number {id}, the vocabulary has numbers below {n_tokens}"
            ))),
            None => Ok(()),
        }
    }

    /// Cuts a few texts, so that a vocabulary that lacks its token for the unknown, or a part on which the library panics, is
    /// found now rather than at the first unusual text of a training.
    fn try_texts(&self, n_special: usize) -> Result<(), TokenizerError> {
        let of_vocabulary = (0..N_TRIED_TOKENS).filter_map(|id| self.inner.id_to_token(id));
        let readable = of_vocabulary.map(|token| token.replace("##", "").replace(['\u{2581}', '\u{120}'], " "));
        let mut most = 0;
        for text in TRIED_TEXTS.into_iter().map(str::to_owned).chain(readable) {
            let mut ids = Vec::new();
            self.encode(&text, &mut ids)?;
            most = most.max(ids.len());
        }
        if most > n_special {
            return Ok(());
        }
        Err(TokenizerError(
            "it gives no token for any text that was tried, also not for those of its vocabulary".to_owned(),
        ))
    }

    fn new(inner: tokenizers::Tokenizer) -> Self {
        let largest_id = inner.get_vocab(true).into_values().max();
        let vocabulary_size = largest_id.map_or(0, |id| id as usize + 1);
        Self { inner, vocabulary_size, removed_dropout: None, name: None }
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
        Ok(Self { inner, name: self.name.clone(), ..*self })
    }

    /// Appends the ids of a text's tokens.
    ///
    /// # Errors
    /// A text that the vocabulary cannot express.
    pub fn encode(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        let failed = |error: String| {
            let name = self.name.as_ref().map_or(String::new(), |name| format!("{name}: "));
            TokenizerError(format!("{name}the tokenizer fails on a text: {error}"))
        };
        // the library panics on some texts where the file is damaged; on the loader's threads too
        let encoding = guarded(|| self.inner.encode_fast(text, true).map_err(|error| error.to_string()));
        let encoding = encoding.and_then(|result| result).map_err(failed)?;
        if let Some(id) = encoding.get_ids().iter().find(|id| **id as usize >= self.vocabulary_size) {
            return Err(failed(format!(
                "a token has the number {id}, expected numbers below {}",
                self.vocabulary_size
            )));
        }
        ids.extend_from_slice(encoding.get_ids());
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
fn bad_format(error: impl fmt::Display) -> TokenizerError {
    TokenizerError(format!("no tokenizer as `tokenizers` writes them: {error}"))
}

#[cfg(test)]
mod tests;
