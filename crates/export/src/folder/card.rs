//! The card of an exported folder, `README.md`.

use super::{BYTES, FLOATS, OnnxSummary};
use crate::graph::GraphInput;
use crate::onnx::OPSET;
use std::fmt::Write;
use stillhouse_models::{Model, ModelCard};

/// The card: front matter for hubs, numbers, how to load the folder in each language.
pub(super) fn card(model: &Model, card: &ModelCard, input: GraphInput, summary: &OnnxSummary) -> String {
    let library = if task(input).is_some() { "transformers.js" } else { "onnxruntime" };
    let tags = ["onnx", "stillhouse", "knowledge-distillation"];
    let mut text = card.hub.front_matter(&line(&card.name), library, task(input), &tags);
    let _ = writeln!(text, "# {}\n", line(&card.name));
    let (kind, n_labels, n_parameters) = (model.config().kind(), card.labels.len(), model.n_parameters());
    let _ = writeln!(
        text,
        "A `{kind}` with {n_parameters} parameters that knows {n_labels} classes, trained and exported with stillhouse.\n"
    );
    text.push_str("| | |\n|---|---|\n");
    for (name, value) in &card.numbers {
        let _ = writeln!(text, "| {} | {} |", cell(name), cell(value));
    }
    for (file, n_bytes) in summary.files.iter().filter(|(file, _)| file == FLOATS || file == BYTES) {
        let _ = writeln!(text, "| `{file}` | {n_bytes} bytes |");
    }
    let _ = writeln!(
        text,
        "| largest difference of a probability to stillhouse, {} inputs | {:.1e} |",
        summary.n_parity, summary.parity_distance
    );
    if let Some(recipe) = &summary.quantisation {
        let _ = writeln!(text, "| quantisation of `{BYTES}` | {} |", cell(recipe));
    }
    text.push_str(&usage(card, input));
    text.push_str(&FILES.replace("OPSET", &OPSET.to_string()));
    text
}

/// The task's name on hubs, where a pipeline of the transformers libraries loads the folder.
fn task(input: GraphInput) -> Option<&'static str> {
    match input {
        GraphInput::Image { .. } => Some("image-classification"),
        GraphInput::Tokens { .. } => Some("text-classification"),
        GraphInput::Features { .. } | GraphInput::Ngrams { .. } => None,
    }
}

fn usage(card: &ModelCard, input: GraphInput) -> String {
    match input {
        GraphInput::Image { channels, height, width } => IMAGES
            .replace("SHAPE", &format!("[batch, {channels}, {height}, {width}]"))
            .replace("NORMALISATION", "(pixel / 255 - image_mean) / image_std, both in `preprocessor_config.json`"),
        GraphInput::Tokens { max_len, .. } => TOKENS.replace("LENGTH", &max_len.to_string()),
        GraphInput::Ngrams { .. } => NGRAMS.to_owned(),
        GraphInput::Features { n_features } => {
            let offset = if card.input.offset.is_empty() { "" } else { "- np.array(spec[\"offset\"]) " };
            FEATURES.replace("N_FEATURES", &n_features.to_string()).replace("OFFSET ", offset)
        }
    }
}

const IMAGES: &str = r#"
## Use

Python, with `optimum.onnxruntime` and `transformers`:

```python
from optimum.onnxruntime import ORTModelForImageClassification
from transformers import AutoImageProcessor, pipeline
model = ORTModelForImageClassification.from_pretrained("FOLDER", subfolder="onnx", file_name="model.onnx")
classify = pipeline("image-classification", model=model, image_processor=AutoImageProcessor.from_pretrained("FOLDER"))
classify("picture.png")
```

JavaScript, with `@huggingface/transformers`:

```js
const classify = await pipeline("image-classification", "FOLDER", { dtype: "fp32" }); // or "q8"
await classify("picture.png");
```

onnxruntime alone: the input `pixel_values` has the shape SHAPE, RGB, NORMALISATION; images of another size are stretched. The
output is `logits`.
"#;

const TOKENS: &str = r#"
## Use

Texts are cut to LENGTH tokens; longer ones are an error of the network, so say `truncation=True`.

Python, with `optimum.onnxruntime` and `transformers`:

```python
from optimum.onnxruntime import ORTModelForSequenceClassification
from transformers import AutoTokenizer, pipeline
model = ORTModelForSequenceClassification.from_pretrained("FOLDER", subfolder="onnx", file_name="model.onnx")
classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained("FOLDER"))
classify("a text", truncation=True)
```

JavaScript, with `@huggingface/transformers`:

```js
const classify = await pipeline("text-classification", "FOLDER", { dtype: "fp32" }); // or "q8"
await classify("a text");
```

onnxruntime alone: the inputs `input_ids` and `attention_mask` (1 for a token, 0 for padding) have the shape [batch, sequence],
64-bit integers. The output is `logits`.
"#;

const NGRAMS: &str = r#"
## Use

The network reads ids of hashed n-grams. `ngrams.py` and `ngrams.mjs` compute them, without any package.

Python, with `onnxruntime`:

```python
import json, numpy as np, onnxruntime
from ngrams import batch
settings = json.load(open("ngrams.json", encoding="utf-8"))
labels = open("labels.txt", encoding="utf-8").read().split("\n")
ids, mask = (np.array(rows, np.int64) for rows in batch(["a text"], settings))
session = onnxruntime.InferenceSession("onnx/model.onnx")
(logits,) = session.run(["logits"], {"ngram_ids": ids, "attention_mask": mask})
print(labels[logits[0].argmax()])
```

JavaScript, with `onnxruntime-node` or `onnxruntime-web`:

```js
import { batch } from "./ngrams.mjs";
const { ids, mask, dims } = batch(["a text"], settings); // settings: ngrams.json
const session = await ort.InferenceSession.create("onnx/model.onnx");
const { logits } = await session.run({
  ngram_ids: new ort.Tensor("int64", ids, dims), attention_mask: new ort.Tensor("int64", mask, dims),
});
```
"#;

const FEATURES: &str = r#"
## Use

Python, with `onnxruntime`; `values` has the shape [batch, N_FEATURES]:

```python
import json, numpy as np, onnxruntime
spec = json.load(open("config.json", encoding="utf-8"))["stillhouse"]["input"]
features = (values OFFSET - np.array(spec["mean"])) / np.array(spec["std"])
session = onnxruntime.InferenceSession("onnx/model.onnx")
(logits,) = session.run(["logits"], {"features": features.astype(np.float32)})
```
"#;

const FILES: &str = "
## Check

`parity.json` holds inputs and the logits that stillhouse computes of them; pixels are bytes `[height, width, channels]`
before normalisation, features are normalised. The ONNX files are of opset OPSET; their metadata say architecture, labels,
normalisation and quantisation.
";

fn line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn cell(text: &str) -> String {
    line(text).replace('|', "\\|")
}
