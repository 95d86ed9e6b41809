//! Which tokenizer a model of tokens gets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use stillhouse_core::{Problem, check_values};

/// Where a tokenizer comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenizerConfig {
    /// A `tokenizer.json` that is there already.
    File {
        /// the file
        path: PathBuf,
    },
    /// A `tokenizer.json` of a model repository of the hub.
    Hub(HubTokenizer),
    /// Byte pair encoding on bytes (Sennrich et al. 2016, arXiv:1508.07909), which can express every text, trained on the
    /// training split.
    Bpe(TokenizerTraining),
    /// WordPiece (Schuster and Nakajima 2012) on words and punctuation marks, trained on the training split.
    #[serde(rename = "wordpiece")]
    WordPiece(TokenizerTraining),
    /// Unigram (Kudo 2018, arXiv:1804.10959) on words with their spaces, trained on the training split.
    Unigram(TokenizerTraining),
}

/// A tokenizer's file on the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubTokenizer {
    /// Repository, `owner/name`.
    pub repo: String,
    /// Branch, tag or commit; a run pins it to a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The file in it.
    #[serde(default = "default_file")]
    pub file: String,
}

fn default_file() -> String {
    "tokenizer.json".to_owned()
}

/// How a tokenizer is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenizerTraining {
    /// Tokens of the vocabulary; fewer where the texts do not give so many.
    #[schemars(range(min = 2, max = MAX_VOCABULARY))]
    pub vocabulary_size: usize,
    /// Count upper and lower case as the same.
    #[serde(default)]
    pub lowercase: bool,
    /// Occurrences that two pieces side by side need to become one, or that a piece needs to be tried.
    #[serde(default = "default_min_frequency")]
    pub min_frequency: u64,
}

fn default_min_frequency() -> u64 {
    2
}

/// Single bytes, which `bpe` always has.
const N_BYTES: usize = 256;
/// A typing error beyond this.
const MAX_VOCABULARY: usize = 1 << 22;

impl TokenizerConfig {
    /// Everything that is wrong with the values.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = check_values(self);
        if let Self::Bpe(TokenizerTraining { vocabulary_size, .. }) = self
            && (2..=N_BYTES).contains(vocabulary_size)
        {
            let text = format!("must be above {N_BYTES}, the single bytes, found {vocabulary_size}");
            problems.push(Problem::new("vocabulary_size", text));
        }
        problems
    }
}
