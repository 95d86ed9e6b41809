"""The pipeline of a stillhouse config as a straightforward PyTorch script, for configs of MLPs with dustbin specialists:

    python pipeline.py ../pipeline_mnist.toml --idx FOLDER --threads 2
    python pipeline.py ../pipeline_glyphs.toml --npy FOLDER --threads 2

Generalist, spectral clusters of its prediction covariance, one specialist with a dustbin for each, a plain ensemble of
the same compute, the merge of Hinton, Vinyals and Dean's equation 5, soft targets, the student and its twins. Prints one
line of JSON. N examples, C classes, M specialists."""

import argparse
import copy
import gzip
import json
import math
import resource
import time
import tomllib
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import models

N_MERGE_STEPS = 100
MERGE_BATCH = 4096


class Split(NamedTuple):
    inputs: torch.Tensor  # [N, F]
    labels: torch.Tensor  # [N]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--idx", type=Path, help="folder with the four files of MNIST")
    parser.add_argument("--npy", type=Path, help="folder that the example export_npy wrote")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--clusters", type=Path, help="clustering.json of a run of stillhouse, for the same specialists")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = tomllib.loads(arguments.config.read_text())
    torch.manual_seed(config["seed"])
    start = time.perf_counter()
    train, valid, test = read_idx(arguments.idx) if arguments.idx else read_npy(arguments.npy)
    accuracies = run(config, train, valid, test, given_clusters(arguments.clusters))
    line = {
        "side": "pytorch",
        "workload": arguments.config.stem,
        "n_threads": arguments.threads,
        "elapsed_s": time.perf_counter() - start,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "top1": accuracies,
    }
    print(json.dumps(line))


def given_clusters(path: Path | None) -> list[torch.Tensor] | None:
    return path and [torch.tensor(own["members"]) for own in json.loads(path.read_text())["clustering"]]


def run(
    config: dict, train: Split, valid: Split, test: Split, given: list[torch.Tensor] | None
) -> dict[str, float]:
    n_classes = int(train.labels.max()) + 1
    generalist = new_model(config["generalist"]["model"], train, n_classes)
    train_model(generalist, config["generalist"]["training"], lambda: train, hard_loss)
    clusters = spectral_clusters(predict(generalist, valid), config["clustering"]["method"]["n_clusters"])
    # found on the clock all the same
    clusters = given or clusters
    specialists = [train_specialist(generalist, config["specialists"]["training"], train, own) for own in clusters]

    ensemble = [generalist]
    for _ in range(n_equal_cost(config, train, clusters, n_classes) - 1):
        member = new_model(config["generalist"]["model"], train, n_classes)
        train_model(member, config["generalist"]["training"], lambda: train, hard_loss)
        ensemble.append(member)

    def merged(split: Split) -> torch.Tensor:
        return merge(predict(generalist, split), [(own, predict(net, split)) for own, net in zip(clusters, specialists)])

    def averaged(split: Split) -> torch.Tensor:
        return torch.stack([predict(member, split) for member in ensemble]).mean(0)

    teachers: dict[str, Callable[[Split], torch.Tensor]] = {
        "student": merged,
        "student_generalist": lambda split: predict(generalist, split),
        "student_generalist_ensemble": averaged,
    }
    students = {"student_hard": train_student(config["student"], train, n_classes, None)}
    for name, teacher in teachers.items():
        students[name] = train_student(config["student"], train, n_classes, teacher(train))

    probs = {name: predict(student, test) for name, student in students.items()}
    probs |= {"generalist": predict(generalist, test), "ensemble": merged(test), "generalist_ensemble": averaged(test)}
    return {name: top1(probs, test) for name, probs in probs.items()}


def read_idx(folder: Path) -> tuple[Split, Split, Split]:
    """MNIST, the last tenth of its training images held out for validation."""

    def read(name: str, header: int) -> np.ndarray:
        path = folder / name
        data = gzip.open(f"{path}.gz").read() if not path.exists() else path.read_bytes()
        return np.frombuffer(data, np.uint8, offset=header)

    def split(prefix: str) -> tuple[np.ndarray, np.ndarray]:
        return read(f"{prefix}-images-idx3-ubyte", 16).reshape(-1, 784), read(f"{prefix}-labels-idx1-ubyte", 8)

    (images, labels), test = split("train"), split("t10k")
    n_train = len(labels) * 9 // 10
    return normalised((images[:n_train], labels[:n_train]), (images[n_train:], labels[n_train:]), test)


def read_npy(folder: Path) -> tuple[Split, Split, Split]:
    return normalised(*((np.load(folder / f"{name}.npy"), np.load(folder / f"{name}_labels.npy"))
                        for name in ("train", "valid", "test")))


def normalised(*splits: tuple[np.ndarray, np.ndarray]) -> tuple[Split, ...]:
    """Bytes to floats of mean 0 and deviation 1 on the first split."""
    floats = [(torch.from_numpy(images.astype(np.float32)) / 255, torch.from_numpy(labels.astype(np.int64)))
              for images, labels in splits]
    mean, std = floats[0][0].mean(), floats[0][0].std()
    return tuple(Split((images - mean) / std, labels) for images, labels in floats)


def new_model(config: dict, train: Split, n_outputs: int) -> nn.Sequential:
    return models.mlp(config, train.inputs.shape[1], n_outputs)


def hard_loss(logits: torch.Tensor, split: Split, rows: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits, split.labels[rows])


def train_model(model: nn.Module, training: dict, epoch_rows: Callable[[], Split], loss_of: Callable) -> None:
    """One epoch after the other over what `epoch_rows` gives."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01, fused=True)
    batch_size, n_epochs = training["batch_size"], training["n_epochs"]
    n_steps = max(1, len(epoch_rows().labels) // batch_size) * n_epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training["schedule"]["peak_learning_rate"], n_steps)
    model.train()
    for _ in range(n_epochs):
        split = epoch_rows()
        for rows in torch.randperm(len(split.labels)).split(batch_size)[: n_steps // n_epochs]:
            optimizer.zero_grad(set_to_none=True)
            loss_of(model(split.inputs[rows]), split, rows).backward()
            optimizer.step()
            schedule.step()


@torch.inference_mode()
def predict(model: nn.Module, split: Split) -> torch.Tensor:
    model.eval()
    return torch.cat([F.softmax(model(batch), 1) for batch in split.inputs.split(1024)])


def spectral_clusters(probs: torch.Tensor, n_clusters: int) -> list[torch.Tensor]:
    """K-means on the first eigenvectors of the normalised covariance of the predictions `[N, C]`."""
    affinity = torch.cov(probs.double().T).clamp(min=0).fill_diagonal_(0)
    scale = affinity.sum(1).clamp(min=1e-12).rsqrt()
    points = F.normalize(torch.linalg.eigh(scale[:, None] * affinity * scale).eigenvectors[:, -n_clusters:])
    centres = points[torch.randperm(len(points))[:n_clusters]]
    for _ in range(50):
        nearest = torch.cdist(points, centres).argmin(1)
        centres = torch.stack([points[nearest == k].mean(0) if (nearest == k).any() else centres[k]
                               for k in range(n_clusters)])
    clusters = [(nearest == k).nonzero().flatten() for k in range(n_clusters)]
    return [own for own in clusters if 1 < len(own) < probs.shape[1]]


def train_specialist(generalist: nn.Module, training: dict, train: Split, own: torch.Tensor) -> nn.Module:
    """The generalist's body under a head of the own classes and a dustbin; half of its examples are its own."""
    net = copy.deepcopy(generalist)
    head: nn.Linear = net[-1]
    others = torch.ones(head.out_features, dtype=torch.bool)
    others[own] = False
    net[-1] = nn.Linear(head.in_features, len(own) + 1)
    with torch.no_grad():
        net[-1].weight.copy_(torch.cat([head.weight[own], head.weight[others].mean(0, keepdim=True)]))
        net[-1].bias.copy_(torch.cat([head.bias[own], head.bias[others].mean()[None] + math.log(int(others.sum()))]))
    local = torch.full((head.out_features,), len(own))
    local[own] = torch.arange(len(own))
    labels = local[train.labels]
    own_rows, other_rows = (labels < len(own)).nonzero().flatten(), (labels == len(own)).nonzero().flatten()

    def epoch_rows() -> Split:
        drawn = other_rows[torch.randperm(len(other_rows))[: len(own_rows)]]
        rows = torch.cat([own_rows, drawn])
        return Split(train.inputs[rows], labels[rows])

    train_model(net, training, epoch_rows, hard_loss)
    prior, share = len(own_rows) / len(labels), max(0.5, len(own_rows) / len(labels))
    with torch.no_grad():  # from the odds of the training to the true ones
        net[-1].bias[-1] += math.log((1 - prior) / prior) - math.log((1 - share) / share)
    return net


def n_equal_cost(config: dict, train: Split, clusters: list[torch.Tensor], n_classes: int) -> int:
    """Generalists for the compute of the generalist and the specialists, two at least."""
    widths = [train.inputs.shape[1], *config["generalist"]["model"]["widths"]]
    body = sum(a * b for a, b in zip(widths, widths[1:]))
    generalist = (body + widths[-1] * n_classes) * len(train.labels) * config["generalist"]["training"]["n_epochs"]

    def cost(own: torch.Tensor) -> float:
        n_own = int(torch.isin(train.labels, own).sum())
        n_rows = n_own + min(n_own, len(train.labels) - n_own)
        return (body + widths[-1] * (len(own) + 1)) * n_rows * config["specialists"]["training"]["n_epochs"]

    return max(2, math.ceil(1 + sum(map(cost, clusters)) / generalist - 0.05))


def merge(general: torch.Tensor, special: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Equation 5 by expectation maximisation, a batch at a time: every dustbin is split over its classes in proportion
    to the present guess, and all teachers are averaged. `general` is `[N, C]`, each specialist `[N, L + 1]`."""
    outside = torch.ones(general.shape[1], len(special))  # [C, M]
    for m, (own, _) in enumerate(special):
        outside[own, m] = 0
    merged = []
    for start in range(0, len(general), MERGE_BATCH):
        guess = fixed = general[start : start + MERGE_BATCH].clamp(min=1e-12)
        parts = [probs[start : start + MERGE_BATCH] for _, probs in special]
        for (own, _), probs in zip(special, parts):
            fixed = fixed.index_add(1, own, probs[:, :-1])
        dustbins = torch.stack([probs[:, -1] for probs in parts], 1)  # [B, M]
        for _ in range(N_MERGE_STEPS):
            ratios = dustbins / (guess @ outside).clamp(min=1e-30)
            guess = (fixed + guess * (ratios @ outside.T)) / (1 + len(special))
        merged.append(guess)
    return torch.cat(merged)


def train_student(config: dict, train: Split, n_classes: int, targets: torch.Tensor | None) -> nn.Module:
    student = new_model(config["model"], train, n_classes)
    distillation = config["distillation"]
    temperature = distillation["loss"]["temperature"]
    softened = None if targets is None else F.softmax(targets.clamp(min=1e-12).log() / temperature, 1)

    def loss(logits: torch.Tensor, split: Split, rows: torch.Tensor) -> torch.Tensor:
        hard = F.cross_entropy(logits, split.labels[rows])
        if softened is None:
            return hard
        soft = F.cross_entropy(logits / temperature, softened[rows]) * temperature**2
        return distillation["task_loss_weight"] * hard + distillation["distill_loss_weight"] * soft

    train_model(student, config["training"], lambda: train, loss)
    return student


def top1(probs: torch.Tensor, split: Split) -> float:
    return float((probs.argmax(1) == split.labels).float().mean())


if __name__ == "__main__":
    main()
