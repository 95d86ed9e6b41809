//! The config of a tokenizer.

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
        #[schemars(extend("examples" = ["tokenizer.json"]))]
        #[schemars(extend("format" = "path"))]
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
    #[schemars(extend("examples" = ["owner/name"]))]
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
    #[schemars(range(min = MIN_VOCABULARY, max = MAX_VOCABULARY))]
    #[schemars(extend("examples" = [4000]))]
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

/// The 256 single bytes, which `bpe` always has, and one token more.
const MIN_VOCABULARY: usize = 257;
/// A typing error beyond this.
pub(crate) const MAX_VOCABULARY: usize = 1 << 22;

impl TokenizerConfig {
    /// Everything that is wrong with the values.
    pub fn validate(&self) -> Vec<Problem> {
        check_values(self)
    }
}
