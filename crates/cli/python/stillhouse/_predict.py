"""A model folder's predictions."""

from __future__ import annotations

import csv
import os
import struct
import tempfile
from pathlib import Path
from typing import Sequence, Union

import numpy as np
from numpy.typing import NDArray

from ._program import run

Inputs = Union[Sequence[str], Sequence[Path], "NDArray[np.floating]", "NDArray[np.uint8]"]


_PATHS_AT_ONCE = 1000


def labels(model: str | os.PathLike[str]) -> list[str]:
    """The classes of a model folder, in the order of the columns of `predict`."""
    return (Path(model) / "labels.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")


def predict(model: str | os.PathLike[str], inputs: Inputs, *, threads: int | None = None) -> NDArray[np.float32]:
    """Probabilities [N, C] of the inputs, classes in the order of `labels(model)`.

    inputs: texts; pathlib.Path of image files; images [N, H, W] or [N, H, W, 3] of bytes (uint8), of the size that the model takes or
        another; or a matrix [N, F] of features. An empty text has a row of NaN. Tensors are taken as arrays.
    """
    if isinstance(inputs, (str, os.PathLike)):
        raise TypeError("predict takes several inputs: a list of texts or paths, or an array")
    if hasattr(inputs, "__array__"):
        inputs = np.asarray(inputs)
        if inputs.dtype.kind in "OUST":  # texts, for example a column of a data frame
            inputs = inputs.tolist()
    if len(inputs) == 0:
        return np.zeros((0, len(labels(model))), np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "probs.npy"
        if isinstance(inputs, np.ndarray) and inputs.ndim > 2:
            words: list[str | Path] = [_image_files(inputs, folder / "images")]
        elif isinstance(inputs, np.ndarray):
            np.save(folder / "inputs.npy", inputs)
            words = [folder / "inputs.npy"]
        elif all(isinstance(item, str) for item in inputs):
            with open(folder / "inputs.csv", "w", encoding="utf-8", newline="") as file:
                csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text"], *([text] for text in inputs)])
            words = [folder / "inputs.csv", "--column", "text"]
        else:
            # a command line is not long enough for any number of names
            paths = [Path(item) for item in inputs]
            parts = [paths[first : first + _PATHS_AT_ONCE] for first in range(0, len(paths), _PATHS_AT_ONCE)]
            if len(parts) > 1:
                return np.concatenate([predict(model, part, threads=threads) for part in parts])
            words = [*paths]
        run(["predict", model, "--out", out, "-q", *words], threads)
        return np.load(out)


def _image_files(images: NDArray[np.uint8], folder: Path) -> Path:
    """Writes images [N, H, W] or [N, H, W, 3] into a folder, in the order of their names, as BMP files, which need no other package."""
    if images.dtype != np.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3))):
        found = f"an array {list(images.shape)} of {images.dtype}"
        raise TypeError(f"images are arrays [N, H, W] or [N, H, W, 3] of uint8, 0 to 255; found {found}")
    if images.ndim == 3 or images.shape[3] == 1:
        images = np.repeat(images.reshape(*images.shape[:3], 1), 3, axis=3)
    folder.mkdir()
    for number, image in enumerate(images):
        (folder / f"{number:08}.bmp").write_bytes(_bmp(image))
    return folder


def _bmp(image: NDArray[np.uint8]) -> bytes:
    """An image [H, W, 3] as a BMP file of 24 bits: rows from the bottom, blue first, each row filled up to four bytes."""
    height, width, _ = image.shape
    rows = np.zeros((height, (3 * width + 3) // 4 * 4), np.uint8)
    rows[:, : 3 * width] = image[::-1, :, ::-1].reshape(height, 3 * width)
    head = struct.pack("<2sIHHI", b"BM", 54 + rows.size, 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, rows.size, 0, 0, 0, 0) + rows.tobytes()
