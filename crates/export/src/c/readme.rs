//! `README.md` of a folder of C source.

use super::memory::Memory;
use crate::graph::GraphInput;
use crate::packed::PackedGraph;
use std::fmt::Write;
use stillhouse_models::ModelCard;

/// How to compile and call the source, with its sizes and the card's numbers.
pub(super) fn readme(card: &ModelCard, packed: &PackedGraph, memory: &Memory) -> String {
    let mut text = format!("# {}, in C\n\n", card.name.replace(['\n', '\r'], " "));
    let _ = writeln!(
        text,
        "{} classes. {} bytes of constant weights ({}), {} bytes of scratch memory, no allocation; `math.h` and `string.h` are\n\
        all that it needs of the library.\n",
        packed.graph().n_outputs(),
        packed.n_bytes(),
        packed.bits_in_words(),
        memory.size() * size_of::<f32>(),
    );
    text += "    cc -std=c99 -Wall -Werror -O2 model.c test.c -lm -o test && ./test\n\n";
    text +=
        "The test compares logits with those of `stillhouse` and exits with 0 when they agree. In your program:\n\n";
    let _ = writeln!(
        text,
        "    #include \"model.h\"\n\n    static float scratch[MODEL_SCRATCH], logits[MODEL_CLASSES], probs[MODEL_CLASSES];\n\n    \
        {}\n    model_softmax(logits, 1.0f, probs);          /* above 1: softer, as students are taught */\n",
        call(packed.graph().input()),
    );
    text += note(packed.graph().input());
    text += "Nothing is kept between calls, so threads may share the model, each with its own scratch memory.\n\n";
    if let Some(bits) = packed.rounded_to() {
        let _ = writeln!(text, "The numbers are those of the model before its weights were rounded to {bits} bits.\n");
    }
    text += "| | |\n|---|---|\n";
    for (name, value) in &card.numbers {
        let _ = writeln!(text, "| {} | {} |", name.replace('|', "\\|"), value.replace('|', "\\|"));
    }
    text
}

fn call(input: GraphInput) -> &'static str {
    match input {
        GraphInput::Image { .. } => {
            "model_logits(pixels, scratch, logits);       /* uint8_t [height][width][channels] */"
        }
        GraphInput::Features { .. } => "model_logits(features, scratch, logits);     /* double [MODEL_FEATURES] */",
        GraphInput::Tokens { .. } => "model_logits(ids, n_ids, scratch, logits);   /* uint32_t [n_ids] */",
        GraphInput::Ngrams { .. } => "model_logits(\"where is my card?\", scratch, logits);",
    }
}

fn note(input: GraphInput) -> &'static str {
    match input {
        GraphInput::Image { .. } => {
            "Pixels are bytes, 0 to 255, of the network's size; resizing is the caller's. The network normalises them.\n\n"
        }
        GraphInput::Features { .. } => "Numbers are as they are in the data; the network normalises them.\n\n",
        GraphInput::Tokens { .. } => {
            "The tokenizer is not part of the source: ids come from the model's `tokenizer.json`, special tokens included.\n\n"
        }
        GraphInput::Ngrams { .. } => {
            "Texts are UTF-8 and end with a zero byte. Their n-grams are hashed and added one by one, so a text may have any length.\n\n"
        }
    }
}
