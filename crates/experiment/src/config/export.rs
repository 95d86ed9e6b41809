//! `[export]`: files for other programs that a run ends with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stillhouse_core::Problem;
use stillhouse_models::WEIGHT_BITS;

/// Bits of a weight in pages and C source where no number was chosen; in ONNX folders, of the second network.
pub(crate) const DEFAULT_BITS: u8 = 8;
/// Bits of tables of n-grams and tokens in ONNX folders, where the rest has eight.
pub(crate) const BITS_OF_TABLES: u8 = 4;
/// All of them: weights as the model has them.
pub(crate) const ALL_BITS: u8 = 32;
/// Examples that a page offers; more would be a list to scroll.
pub(crate) const MAX_EXAMPLES: usize = 24;

/// Files for other programs that a run ends with, made of the student that ships, or of the student where none ships.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportConfig {
    /// Forms to write, each into `export/<form>` of the run's folder.
    #[schemars(length(min = 1))]
    pub to: Vec<ExportForm>,
    /// Bits of a weight. `html` and `c`: 2 to 8 at most, or 32 for weights as the student has them; 8 by default. `onnx`: 8 adds a
    /// second network in eight bits, 4 one with tables of n-grams or tokens in four.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [2, 3, 4, 5, 6, 7, 8, 32]))]
    pub bits: Option<u8>,
    /// Title of the page of `html`; the student's name by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Inputs that the page of `html` offers to try, as `predict` takes them: texts, rows of numbers, or names of image files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_EXAMPLES))]
    pub examples: Vec<String>,
}

/// Forms of exported models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportForm {
    /// A folder with ONNX files.
    Onnx,
    /// One HTML file that runs the network and opens by double click.
    Html,
    /// C99 source that allocates nothing.
    C,
}

impl ExportForm {
    /// As configs and the command line write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Html => "html",
            Self::C => "c",
        }
    }
}

impl ExportConfig {
    /// What could not be written, each with a key relative to the table. `has_foreign_tokenizer` is whether the student has one that
    /// this program did not train, `reads_texts` whether it has tables of n-grams or tokens.
    pub(super) fn contradictions(&self, has_foreign_tokenizer: bool, reads_texts: bool) -> Vec<Problem> {
        let mut problems = Vec::new();
        let has = |form| self.to.contains(&form);
        let most = WEIGHT_BITS[1];
        match self.bits {
            Some(bits) if bits < most && has(ExportForm::Onnx) && !(bits == BITS_OF_TABLES && reads_texts) => {
                let tables = if reads_texts { format!(" or, for its tables, {BITS_OF_TABLES}") } else { String::new() };
                let text = format!("\"onnx\" has a network in {ALL_BITS} bits and one in {most}{tables}, found {bits}");
                problems.push(
                    Problem::new("bits", text).hint("leave \"onnx\" out of `to`, or write it with `stillhouse export`"),
                );
            }
            _ => {}
        }
        for (key, is_given) in [("title", self.title.is_some()), ("examples", !self.examples.is_empty())] {
            if is_given && !has(ExportForm::Html) {
                problems.push(Problem::new(key, "is for the page, expected \"html\" in `to`, or none"));
            }
        }
        if let Some(twice) = self.to.iter().enumerate().find(|(nth, form)| self.to[..*nth].contains(form)) {
            problems.push(Problem::new(format!("to[{}]", twice.0), format!("\"{}\" a second time", twice.1.name())));
        }
        if has(ExportForm::Html) && has_foreign_tokenizer {
            let text = "a page cannot cut texts as a tokenizer from elsewhere does, expected a `student.tokenizer` of kind \"bpe\"";
            problems.push(Problem::new("to", text).hint("\"onnx\", whose folder has the tokenizer for other programs"));
        }
        problems
    }
}
