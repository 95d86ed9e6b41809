//! `test.c`: inputs, and the logits that this program computed for them.

use super::arrays::{array, comment, float, lines, string};
use crate::graph::{Example, Graph, GraphInput};
use crate::samples::{Raw, Sample};
use std::fmt::Write;
use stillhouse_models::ModelCard;

/// A program that exits with 0 where all logits are within a ten-thousandth of the largest.
pub(super) fn test_program(card: &ModelCard, graph: &Graph, samples: &[Sample]) -> String {
    let mut text = format!("/* {}: compares logits with those of stillhouse. */\n\n", comment(&card.name));
    text += "#include \"model.h\"\n#include <math.h>\n#include <stdio.h>\n\n";
    let _ = writeln!(text, "static const float expected[{}][MODEL_CLASSES] = {{", samples.len());
    for sample in samples {
        let _ = writeln!(text, "{{\n{}}},", lines(sample.logits.iter().map(|logit| float(*logit))));
    }
    text += "};\nstatic float scratch[MODEL_SCRATCH], logits[MODEL_CLASSES], probs[MODEL_CLASSES];\n\n";
    text += COMPARE;
    text += &inputs(graph, samples);
    text += "int main(void)\n{\n    int failures = 0;\n";
    for (index, sample) in samples.iter().enumerate() {
        text += &run(index, sample, graph);
        let _ = writeln!(text, "    failures += compare({index});");
    }
    text + "    return failures == 0 ? 0 : 1;\n}\n"
}

const COMPARE: &str = "static int compare(size_t sample)
{
    float largest = 1, worst = 0, sum = 0;
    size_t i, best = 0;
    model_softmax(logits, 2, probs);
    for (i = 0; i < MODEL_CLASSES; i++) {
        largest = fmaxf(largest, fabsf(expected[sample][i]));
        worst = fmaxf(worst, fabsf(logits[i] - expected[sample][i]));
        sum += probs[i];
        if (logits[i] > logits[best])
            best = i;
    }
    printf(\"input %d: %s, logits differ by %g\\n\", (int)sample, model_labels[best], worst);
    return !(worst <= 1e-4f * largest) || !(fabsf(sum - 1) < 1e-4f);
}

";

/// Data of the inputs that are not computed.
fn inputs(graph: &Graph, samples: &[Sample]) -> String {
    let mut text = String::new();
    for (index, sample) in samples.iter().enumerate() {
        if let Raw::Numbers(numbers) = &sample.raw {
            let numbers = numbers.iter().map(|number| format!("{number:?}"));
            text += &array("static const double", &format!("features_{index}"), numbers);
        }
        if let Example::Ids(ids) = &sample.example {
            // an array of no elements is no C
            text += &array("static const uint32_t", &format!("ids_{index}"), ids.iter().chain([&0]));
        }
    }
    text + match graph.input() {
        GraphInput::Image { .. } => PIXELS,
        GraphInput::Ngrams { .. } => COMPARE_IDS,
        GraphInput::Tokens { .. } | GraphInput::Features { .. } => "\n",
    }
}

const PIXELS: &str = "static uint8_t pixels[MODEL_HEIGHT * MODEL_WIDTH * MODEL_CHANNELS];

static void fill_pixels(uint32_t seed)
{
    uint32_t i;
    for (i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)((uint32_t)((i + 1) * (2 * seed + 1) * 2654435761u) >> 24);
}

";

const COMPARE_IDS: &str = "
static int compare_ids(const char *text, const uint32_t *expected_ids, size_t n)
{
    uint32_t ids[1024];
    size_t i;
    if (model_ids(text, ids, 1024) != n)
        return 1;
    for (i = 0; i < n; i++)
        if (ids[i] != expected_ids[i])
            return 1;
    return 0;
}

";

fn run(index: usize, sample: &Sample, graph: &Graph) -> String {
    let n_ids = if let Example::Ids(ids) = &sample.example { ids.len() } else { 0 };
    match (&sample.raw, graph.input()) {
        (Raw::Pixels(seed), _) => format!("    fill_pixels({seed});\n    model_logits(pixels, scratch, logits);\n"),
        (Raw::Numbers(_), _) => format!("    model_logits(features_{index}, scratch, logits);\n"),
        (Raw::Text(text), GraphInput::Ngrams { .. }) => {
            let text = string(text);
            format!(
                "    failures += compare_ids({text}, ids_{index}, {n_ids});\n    model_logits({text}, scratch, logits);\n"
            )
        }
        (Raw::Text(text), _) => {
            format!("    /* {} */\n    model_logits(ids_{index}, {n_ids}, scratch, logits);\n", string(text))
        }
    }
}
