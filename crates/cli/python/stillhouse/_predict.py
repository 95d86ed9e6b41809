"""A model folder's predictions."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path
from typing import Sequence, Union

import numpy as np
from numpy.typing import NDArray

from ._program import run

Inputs = Union[Sequence[str], Sequence[Path], "NDArray[np.floating]"]


def labels(model: str | os.PathLike[str]) -> list[str]:
    """The classes of a model folder, in the order of the columns of `predict`."""
    return (Path(model) / "labels.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")


def predict(model: str | os.PathLike[str], inputs: Inputs, *, threads: int | None = None) -> NDArray[np.float32]:
    """Probabilities [N, C] of the inputs, classes in the order of `labels(model)`.

    inputs: texts; paths of image files; or a matrix [N, F] of features. An empty text has a row of NaN.
    """
    if len(inputs) == 0:
        return np.zeros((0, len(labels(model))), np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "probs.npy"
        if isinstance(inputs, np.ndarray):
            np.save(folder / "inputs.npy", inputs)
            words: list[str | Path] = [folder / "inputs.npy"]
        elif all(isinstance(item, str) for item in inputs):
            with open(folder / "inputs.csv", "w", encoding="utf-8", newline="") as file:
                csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *([text] for text in inputs)])
            words = [folder / "inputs.csv", "--column", "text"]
        else:
            words = [Path(item) for item in inputs]
        run(["predict", model, "--out", out, "-q", *words], threads)
        return np.load(out)
