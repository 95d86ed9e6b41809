//! `model.h`.

use super::arrays::comment;
use super::memory::Memory;
use crate::graph::{Graph, GraphInput};
use std::fmt::Write;
use stillhouse_models::ModelCard;

/// The header: sizes of the input and the scratch buffer, functions, labels.
pub(super) fn header(card: &ModelCard, graph: &Graph, memory: &Memory) -> String {
    let mut text = format!("/* {}, written by stillhouse. README.md says how to call it. */\n", comment(&card.name));
    text += "#ifndef MODEL_H\n#define MODEL_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n";
    text += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
    let _ = writeln!(text, "#define MODEL_CLASSES {}", graph.n_outputs());
    let _ = writeln!(text, "#define MODEL_SCRATCH {} /* floats */", memory.size());
    for (name, size) in sizes(graph.input()) {
        let _ = writeln!(text, "#define MODEL_{name} {size}");
    }
    text += "\n/* One label for each class, in UTF-8. */\nextern const char *const model_labels[MODEL_CLASSES];\n\n";
    let _ = writeln!(text, "/* {} */\n{};\n", what(graph.input()), signature(graph));
    if matches!(graph.input(), GraphInput::Ngrams { .. }) {
        text += IDS;
    }
    text + SOFTMAX
}

/// `model_logits` without its body.
pub(super) fn signature(graph: &Graph) -> String {
    let input = match graph.input() {
        GraphInput::Image { .. } => "const uint8_t *pixels",
        GraphInput::Features { .. } => "const double *features",
        GraphInput::Tokens { .. } => "const uint32_t *ids, size_t n_ids",
        GraphInput::Ngrams { .. } => "const char *text",
    };
    format!("void model_logits({input}, float *scratch, float *logits)")
}

fn sizes(input: GraphInput) -> Vec<(&'static str, usize)> {
    match input {
        GraphInput::Image { channels, height, width } => {
            vec![("CHANNELS", channels), ("HEIGHT", height), ("WIDTH", width)]
        }
        GraphInput::Features { n_features } => vec![("FEATURES", n_features)],
        GraphInput::Tokens { vocabulary_size, max_len } => {
            vec![("VOCABULARY", vocabulary_size), ("MAX_TOKENS", max_len)]
        }
        GraphInput::Ngrams { n_buckets } => vec![("BUCKETS", n_buckets)],
    }
}

fn what(input: GraphInput) -> &'static str {
    match input {
        GraphInput::Image { channels: 1, .. } => {
            "Logits [MODEL_CLASSES] of a grey image, pixels [MODEL_HEIGHT][MODEL_WIDTH].\n   \
            scratch has MODEL_SCRATCH floats, whose content does not matter."
        }
        GraphInput::Image { .. } => {
            "Logits [MODEL_CLASSES] of a colour image, pixels [MODEL_HEIGHT][MODEL_WIDTH][MODEL_CHANNELS].\n   \
            scratch has MODEL_SCRATCH floats, whose content does not matter."
        }
        GraphInput::Features { .. } => {
            "Logits [MODEL_CLASSES] of numbers [MODEL_FEATURES] as they are in the data, not normalised.\n   \
            scratch has MODEL_SCRATCH floats, whose content does not matter."
        }
        GraphInput::Tokens { .. } => {
            "Logits [MODEL_CLASSES] of a text's tokens, below MODEL_VOCABULARY; more than MODEL_MAX_TOKENS are cut.\n   \
            scratch has MODEL_SCRATCH floats, whose content does not matter."
        }
        GraphInput::Ngrams { .. } => {
            "Logits [MODEL_CLASSES] of a text in UTF-8, of any length, which ends with a zero byte.\n   \
            scratch has MODEL_SCRATCH floats, whose content does not matter."
        }
    }
}

const IDS: &str = "/* The ids of a text's n-grams, below MODEL_BUCKETS: writes up to `capacity` of them and returns how many there are. */
size_t model_ids(const char *text, uint32_t *ids, size_t capacity);

";

const SOFTMAX: &str =
    "/* Probabilities [MODEL_CLASSES] of logits divided by a temperature above 0; at 1 they are the network's own.
   probs may be logits. */
void model_softmax(const float *logits, float temperature, float *probs);

#ifdef __cplusplus
}
#endif

#endif
";
