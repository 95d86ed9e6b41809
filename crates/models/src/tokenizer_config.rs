//! The config of a tokenizer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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
    /// Byte pair encoding on bytes (Sennrich et al. 2016, arXiv:1508.07909), which can express every text, trained on
    /// the training split.
    Bpe(TokenizerTraining),
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
    /// Tokens of the vocabulary, at most; small data gives fewer.
    pub vocabulary_size: usize,
    /// Count upper and lower case as the same.
    #[serde(default)]
    pub lowercase: bool,
    /// Occurrences that two adjacent pieces need before they are merged into one.
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
    /// Everything out of range, one sentence each, beginning with the key.
    pub fn validate(&self) -> Vec<String> {
        let Self::Bpe(training) = self else { return Vec::new() };
        let found = training.vocabulary_size;
        if (N_BYTES + 1..=MAX_VOCABULARY).contains(&found) {
            return Vec::new();
        }
        vec![format!("vocabulary_size: must be between {} and {MAX_VOCABULARY}, found {found}", N_BYTES + 1)]
    }
}
