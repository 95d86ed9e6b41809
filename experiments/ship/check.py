"""Holds exported folders against onnx, onnxruntime and, where they are installed, optimum, transformers.js and onnxruntime-web.

    pip install -r experiments/ship/requirements.txt
    pip install -r experiments/ship/requirements_optimum.txt            # optional, 6 GB: it brings torch
    npm install --ignore-scripts @huggingface/transformers@4            # optional, in any folder; brings onnxruntime-web
    python experiments/ship/check.py FOLDER... [--node FOLDER_OF_NODE_MODULES]

Each folder comes from `stillhouse export MODEL --to onnx [--bits 8|4] --out FOLDER`. A network in floats has to give the
probabilities of parity.json to 1e-5; what eight bits change is printed. Exit code 1 if anything is wrong.
"""

import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime

MAX_DISTANCE = 1e-5


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def padded(rows):
    """Rows of ids as one array, and the mask. Padding has an id of its own, so that a missing mask is noticed."""
    width = max(1, *map(len, rows))
    ids = np.array([row + [1] * (width - len(row)) for row in rows], np.int64)
    return ids, np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], np.int64)


def feed(folder, examples):
    """The inputs of the network for all examples in one batch."""
    if "pixels" in examples[0]:
        preprocessor = read_json(folder / "preprocessor_config.json")
        pixels = np.array([example["pixels"] for example in examples], np.float32).reshape(-1, *examples[0]["shape"])
        pixels = np.broadcast_to(pixels, (*pixels.shape[:3], 3)) / np.float32(255)
        mean, std = (np.array(preprocessor[key], np.float32) for key in ("image_mean", "image_std"))
        return {"pixel_values": np.ascontiguousarray(((pixels - mean) / std).transpose(0, 3, 1, 2))}
    if "features" in examples[0]:
        return {"features": np.array([example["features"] for example in examples], np.float32)}
    key = "input_ids" if "input_ids" in examples[0] else "ngram_ids"
    ids, mask = padded([example[key] for example in examples])
    return {key: ids, "attention_mask": mask}


def probs(logits):
    exps = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def check_network(path, inputs, expected):
    """Largest difference of a probability to the program's, and how many top classes are equal."""
    onnx.checker.check_model(str(path), full_check=True)
    (logits,) = session(path).run(["logits"], inputs)
    found = probs(logits)
    same = int((found.argmax(-1) == expected.argmax(-1)).sum())
    return np.abs(found - expected).max(), same


def check_ngrams(folder):
    for command in (["node", "ngrams.mjs"], [sys.executable, "ngrams.py"]):
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            print(f"  {command[0]} is not installed: {command[1]} not checked")


def check_transformers_js(folder, modules, examples):
    """The pipeline of transformers.js on the folder as it is, against the same logits."""
    script = pathlib.Path(__file__).with_name("transformers_js.mjs").resolve()
    command = ["node", str(script), str(modules.resolve()), str(folder.resolve())]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    labels = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")[:-1]
    distance = 0.0
    for example, found in zip(examples, json.loads(answer)):
        expected = dict(zip(labels, probs(np.array(example["logits"]))))
        distance = max([distance, *(abs(expected[line["label"]] - line["score"]) for line in found)])
    return distance


def check_onnxruntime_web(path, modules, inputs, expected):
    """The network in the wasm build of onnxruntime: largest difference of a probability, and how many top classes are equal."""
    feeds = {
        name: {"type": str(values.dtype), "dims": values.shape, "data": values.ravel().tolist()}
        for name, values in inputs.items()
    }
    script = pathlib.Path(__file__).with_name("onnxruntime_web.mjs").resolve()
    command = ["node", str(script), str(modules.resolve()), str(path.resolve())]
    answer = subprocess.run(command, input=json.dumps(feeds), check=True, capture_output=True, text=True).stdout
    answer = json.loads(answer)
    found = probs(np.array(answer["data"]).reshape(answer["dims"]))
    return np.abs(found - expected).max(), int((found.argmax(-1) == expected.argmax(-1)).sum())


def check_optimum(folder, examples):
    """A pipeline of transformers on the folder as it is, run by optimum.onnxruntime: largest difference of a score."""
    from optimum.onnxruntime import ORTModelForImageClassification, ORTModelForSequenceClassification
    from PIL import Image
    from transformers import AutoImageProcessor, AutoTokenizer, pipeline

    network = {"subfolder": "onnx", "file_name": "model.onnx"}
    if (folder / "preprocessor_config.json").exists():
        model = ORTModelForImageClassification.from_pretrained(folder, **network)
        processor = AutoImageProcessor.from_pretrained(folder)
        classify = pipeline("image-classification", model=model, image_processor=processor)
        pixels = [np.array(example["pixels"], np.uint8).reshape(example["shape"]) for example in examples]
        inputs = [Image.fromarray(image.squeeze()).convert("RGB") for image in pixels]
    else:
        model = ORTModelForSequenceClassification.from_pretrained(folder, **network)
        classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(folder))
        inputs = [example["text"] for example in examples]
    labels = (folder / "labels.txt").read_text(encoding="utf-8").split("\n")[:-1]
    distance = 0.0
    for example, found in zip(examples, classify(inputs, top_k=5)):
        expected = dict(zip(labels, probs(np.array(example["logits"]))))
        distance = max([distance, *(abs(expected[line["label"]] - line["score"]) for line in found)])
    return distance


def check(folder, modules):
    examples = read_json(folder / "parity.json")["examples"]
    expected = probs(np.array([example["logits"] for example in examples]))
    inputs, is_right = feed(folder, examples), True
    for name in ("model.onnx", "model_quantized.onnx"):
        path = folder / "onnx" / name
        if path.exists():
            distance, same = check_network(path, inputs, expected)
            print(f"  {name}: {path.stat().st_size} bytes, {distance:.1e}, top-1 equal {same}/{len(examples)}")
            is_right &= name != "model.onnx" or (distance < MAX_DISTANCE and same == len(examples))
            if modules and (modules / "node_modules/onnxruntime-web").exists():
                distance, same = check_onnxruntime_web(path, modules, inputs, expected)
                print(f"  {name} in onnxruntime-web: {distance:.1e}, top-1 equal {same}/{len(examples)}")
                is_right &= name != "model.onnx" or (distance < MAX_DISTANCE and same == len(examples))
    if (folder / "ngrams.json").exists():
        check_ngrams(folder)
    has_pipeline = (folder / "preprocessor_config.json").exists() or (folder / "tokenizer.json").exists()
    if has_pipeline and importlib.util.find_spec("optimum"):
        distance = check_optimum(folder, examples)
        print(f"  optimum.onnxruntime and transformers, as it is: {distance:.1e}")
        is_right &= distance < 1e-4
    if modules and has_pipeline:
        distance = check_transformers_js(folder, modules, examples)
        print(f"  transformers.js, as it is: {distance:.1e}")
        is_right &= distance < 1e-4
    return is_right


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--node", type=pathlib.Path, help="folder in which @huggingface/transformers is installed")
    arguments = parser.parse_args()
    results = []
    for folder in arguments.folders:
        print(folder)
        results.append(check(folder, arguments.node))
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
