"""The workloads of ../workloads.toml: random examples, models and optimizers, as one would write them in PyTorch."""

import argparse
import tomllib
from pathlib import Path

import torch
from torch import nn

import models

WORKLOADS = Path(__file__).parent.parent / "workloads.toml"
# Every step of an epoch finds a whole batch.
BATCHES_PER_EPOCH = 16
# The learning rate matters to no time; this one keeps random labels from diverging.
LEARNING_RATE = 1e-4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that every program takes; the sizes replace those of the workload."""
    parser.add_argument("--workloads", type=Path, default=WORKLOADS)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--width", type=int, help="of every hidden layer of an MLP")
    parser.add_argument("--classes", type=int)


def load(name: str, arguments: argparse.Namespace) -> dict:
    """One table of the workloads with the sizes of the command line."""
    workloads = tomllib.loads(arguments.workloads.read_text())
    if name not in workloads:
        raise SystemExit(f"no workload {name}; expected one of {', '.join(workloads)}")
    workload = workloads[name]
    given = {"steps": arguments.steps, "batch_size": arguments.batch_size, "n_classes": arguments.classes}
    workload.update({key: value for key, value in given.items() if value is not None})
    if arguments.width is not None:
        workload["model"]["widths"] = [arguments.width for _ in workload["model"]["widths"]]
    return workload


def examples(workload: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Random inputs and labels for one epoch, in memory as the model takes them."""
    n = workload["batch_size"] * BATCHES_PER_EPOCH
    shape = workload["input"]
    labels = torch.randint(workload["n_classes"], (n,))
    match shape["kind"]:
        case "features":
            inputs = torch.randn(n, shape["n_features"])
        case "image":
            inputs = torch.randn(n, shape["channels"], shape["height"], shape["width"])
        case "text":
            inputs = ngrams(torch.randint(27, (n, shape["n_characters"])), workload["model"])
        case "tokens":
            inputs = torch.randint(shape["vocabulary_size"], (n, shape["n_tokens"]))
        case kind:
            raise SystemExit(f"no examples of kind {kind}")
    return inputs, labels


def ngrams(letters: torch.Tensor, config: dict) -> torch.Tensor:
    """Buckets `[N, n-grams of a text]` of all n-grams of texts `[N, letters]`, hashed by multiplication."""
    fewest, most = config["ngrams"]["characters"]
    found = []
    for length in range(fewest, most + 1):
        windows = letters.unfold(1, length, 1)
        numbers = (windows * 27 ** torch.arange(length)).sum(-1) + 27**4 * length
        found.append(numbers * 2654435761 % 2**32 * config["n_buckets"] // 2**32)
    return torch.cat(found, 1)


def optimizers(model: nn.Module, config: dict, fused: bool) -> list[torch.optim.Optimizer]:
    """One optimizer, and another one for parameters with sparse gradients where there are such."""
    sparse = [module.weight for module in model.modules() if getattr(module, "sparse", False)]
    dense = [parameter for parameter in model.parameters() if all(parameter is not other for other in sparse)]
    match config["kind"]:
        case "adamw":
            decay = config.get("weight_decay", 0.01)
            found = [torch.optim.AdamW(dense, lr=LEARNING_RATE, weight_decay=decay, fused=fused)]
        case "sgd":
            found = [torch.optim.SGD(dense, lr=LEARNING_RATE, momentum=config["momentum"], fused=fused)]
        case kind:
            raise SystemExit(f"no optimizer of kind {kind}")
    return found + ([torch.optim.SparseAdam(sparse, lr=LEARNING_RATE)] if sparse else [])


class Training:
    """A model with its optimizers and examples. `variant` lists, joined by +, what is tried: `fused` optimizers,
    `channels_last` images, `sparse` gradients of an embedding bag, `compile` for torch.compile."""

    def __init__(self, workload: dict, data: tuple[torch.Tensor, torch.Tensor], variant: str = "eager"):
        tricks = variant.split("+")
        self.batch_size = workload["batch_size"]
        self.inputs, self.labels = data
        model = models.build(workload["model"], workload["input"], workload["n_classes"], "sparse" in tricks)
        if "channels_last" in tricks:
            model = model.to(memory_format=torch.channels_last)
            self.inputs = self.inputs.to(memory_format=torch.channels_last)
        self.optimizers = optimizers(model, workload["optimizer"], "fused" in tricks)
        self.model = torch.compile(model) if "compile" in tricks else model
        self.rows = iter(())

    def step(self) -> float:
        """One batch: forward, backward, update."""
        rows = next(self.rows, None)
        if rows is None:
            self.rows = iter(torch.randperm(len(self.labels)).split(self.batch_size))
            rows = next(self.rows)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self.model(self.inputs[rows]), self.labels[rows])
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss.item()
