//! A model as C99 source: weights as constant arrays, straight-line calls to small kernels, no allocation, and nothing of the
//! library but `math.h`, `stdint.h` and `string.h`.
//!
//! | file | holds |
//! |---|---|
//! | `model.h` | sizes, and the functions that a program calls |
//! | `model.c` | labels, weights, the kernels that the network needs, the calls |
//! | `test.c` | inputs with the logits that this program computed for them |
//! | `README.md` | how to compile and call it |

mod arrays;
mod calls;
mod header;
mod lowercase;
mod memory;
mod program;
mod readme;
mod text;

use crate::ExportError;
use crate::graph::{Graph, GraphInput};
use crate::packed::PackedGraph;
use crate::place::{ExportKind, check_place, write_folder};
use crate::samples::samples;
use arrays::{array, comment, float};
use calls::Calls;
use memory::Memory;
use std::fmt::Write;
use std::path::Path;
use stillhouse_models::{Model, ModelCard};

/// Writes a folder with the source of a model, with so many bits a weight at most (2 to 8; without a number, as the model has them), and returns its files with their bytes. An older exported folder is replaced.
///
/// # Errors
/// Weights that cannot be read, a place that holds something else, or a disk that refuses.
pub fn write_c_folder(
    folder: &Path,
    model: &Model,
    card: &ModelCard,
    bits: Option<u8>,
) -> Result<Vec<(String, u64)>, ExportError> {
    check_place(folder, ExportKind::C)?;
    let packed = PackedGraph::of(model, bits)?;
    let graph = packed.graph();
    let samples = samples(model, card, graph)?;
    let memory = Memory::of(graph, longest_text(graph));
    let files = [
        ("model.h", header::header(card, graph, &memory)),
        ("model.c", source(model, card, &packed, &memory)),
        ("test.c", program::test_program(card, graph, &samples)),
        ("README.md", readme::readme(card, &packed, &memory)),
    ];
    write_folder(folder, ExportKind::C, &files)
}

/// Tokens that a text has at most; n-grams are added up one by one and need no room.
fn longest_text(graph: &Graph) -> usize {
    match graph.input() {
        GraphInput::Tokens { max_len, .. } => max_len,
        GraphInput::Image { .. } | GraphInput::Features { .. } | GraphInput::Ngrams { .. } => 0,
    }
}

fn source(model: &Model, card: &ModelCard, packed: &PackedGraph, memory: &Memory) -> String {
    let graph = packed.graph();
    let mut calls = Calls { graph, memory, kernels: ["matrix"].into() };
    let body = calls.of_nodes();
    let mut text = format!("/* {}, written by stillhouse. */\n\n", comment(&card.name));
    text += "#include \"model.h\"\n#include <math.h>\n#include <string.h>\n\n";
    let _ = writeln!(text, "const char *const model_labels[MODEL_CLASSES] = {{");
    for label in &card.labels {
        let _ = writeln!(text, "    {},", arrays::string(label));
    }
    text += "};\n\n";
    text += &kernels(include_str!("kernels.c"), |name| calls.kernels.contains(name));
    text.push('\n');
    text += &arrays::constants(packed);
    text += &text::functions(model);
    text += &normalisation(card, graph);
    text += &logits(graph, memory, &body);
    text + SOFTMAX
}

/// The pieces of a C file behind the marks `/* @name */` that are wanted, in the file's order.
fn kernels(file: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    let pieces = file.split("/* @").skip(1).filter_map(|piece| piece.split_once(" */\n"));
    pieces.filter(|(name, _)| is_wanted(name)).map(|(_, piece)| piece).collect()
}

/// Means and deviations, and the function that applies them.
fn normalisation(card: &ModelCard, graph: &Graph) -> String {
    let constants = || {
        let (mean, std) = (card.input.mean.iter(), card.input.std.iter());
        array("\nstatic const float", "mean", mean.map(|value| float(*value)))
            + &array("static const float", "deviation", std.map(|value| float(*value)))
    };
    match graph.input() {
        GraphInput::Image { .. } => constants() + READ_PIXELS,
        GraphInput::Features { n_features } => {
            let offsets = (0..n_features).map(|index| format!("{:?}", card.input.offset_of(index)));
            constants() + &array("static const double", "offset", offsets) + READ_FEATURES
        }
        GraphInput::Tokens { .. } | GraphInput::Ngrams { .. } => String::new(),
    }
}

const READ_PIXELS: &str = "
/* [height][width][channels] in bytes to [channels][height][width], normalised */
static void read_pixels(const uint8_t *pixels, float *out)
{
    const size_t n = MODEL_HEIGHT * MODEL_WIDTH;
    size_t i, c;
    for (c = 0; c < MODEL_CHANNELS; c++)
        for (i = 0; i < n; i++)
            out[c * n + i] = ((float)pixels[i * MODEL_CHANNELS + c] / 255.0f - mean[c]) / deviation[c];
}
";

const READ_FEATURES: &str = "
static void read_features(const double *features, float *out)
{
    size_t i;
    for (i = 0; i < MODEL_FEATURES; i++)
        out[i] = ((float)(features[i] - offset[i]) - mean[i]) / deviation[i];
}
";

fn logits(graph: &Graph, memory: &Memory, body: &str) -> String {
    let prepare = match graph.input() {
        GraphInput::Image { .. } => "    read_pixels(pixels, scratch);\n",
        GraphInput::Features { .. } => "    read_features(features, scratch);\n",
        GraphInput::Tokens { .. } => "    if (n_ids > MODEL_MAX_TOKENS)\n        n_ids = MODEL_MAX_TOKENS;\n",
        GraphInput::Ngrams { .. } => "",
    };
    let row = format!("    float *const row = scratch + {};\n", memory.row());
    format!("\n{}\n{{\n{row}{prepare}{body}}}\n", header::signature(graph))
}

const SOFTMAX: &str = "
void model_softmax(const float *logits, float temperature, float *probs)
{
    float largest = logits[0], sum = 0;
    size_t i;
    for (i = 1; i < MODEL_CLASSES; i++)
        largest = fmaxf(largest, logits[i]);
    for (i = 0; i < MODEL_CLASSES; i++)
        sum += probs[i] = expf((logits[i] - largest) / temperature);
    for (i = 0; i < MODEL_CLASSES; i++)
        probs[i] /= sum;
}
";
