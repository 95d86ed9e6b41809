"""Stores of soft targets, mapped into memory."""

from __future__ import annotations

import json
import os
from typing import Sequence

import numpy as np
from numpy.typing import NDArray

_TYPES = {"U8": "<u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "I64": "<i8", "F32": "<f4"}
_ZERO = 65535
_STEPS = 65534


class SoftTargets:
    """Soft targets that a run or `stillhouse merge --format store` wrote: N rows over C classes.

    example_ids: [N], ascending; `examples.csv` of `stillhouse targets export` says which examples they are.
    view_ids: [N], -1 for an example as it is.
    layout: "dense", or "sparse" for the most probable classes of a row and the mass of all others.
    temperatures: at which a sparse store can be read.
    labels: names of the classes, in the order of a row.
    info: what the store says of itself: its teachers, its data, the augmentation of the views.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        with open(path, "rb") as file:
            n_bytes = int.from_bytes(file.read(8), "little")
            size = os.fstat(file.fileno()).st_size
            head = json.loads(file.read(n_bytes)) if 0 < n_bytes < size else {}
        metadata = head.get("__metadata__", {})
        if metadata.get("format") != "stillhouse-soft-targets":
            raise ValueError(f"{self.path}: no store of soft targets")
        description = json.loads(metadata["description"])
        if description["version"] != 2:
            raise ValueError(f"{self.path}: found version {description['version']}, expected 2")
        self.info: dict = description["info"]
        self._columns = {}
        for name, about in head.items():
            if name != "__metadata__":
                start = 8 + n_bytes + about["data_offsets"][0]
                dtype = np.dtype(_TYPES[about["dtype"]])
                self._columns[name] = np.memmap(path, dtype, "r", start, tuple(about["shape"]))
        self.example_ids: NDArray[np.uint64] = self._columns["example_ids"]
        self.view_ids: NDArray[np.int64] = self._columns["view_ids"]
        self.layout: str = self.info["layout"]["kind"]
        self.temperatures: list[float] = self.info["layout"].get("temperatures", [])
        self.labels: list[str] = self.info["labels"]

    def __len__(self) -> int:
        return len(self.example_ids)

    def probs(self, rows: slice | Sequence[int] = slice(None), temperature: float = 1.0) -> NDArray[np.float32]:
        """Rows of a dense store, [n, C], softened to a temperature: p ** (1 / T), divided by its sum."""
        if self.layout != "dense":
            raise ValueError(f"{self.path}: keeps some classes of a row only; use top()")
        probs = np.asarray(self._columns["probs"][rows])
        if temperature == 1.0:
            return probs
        soft = probs.astype(np.float64) ** (1.0 / temperature)
        return (soft / soft.sum(1, keepdims=True)).astype(np.float32)

    def top(
        self, rows: slice | Sequence[int] = slice(None), temperature: float = 1.0
    ) -> tuple[NDArray[np.integer], NDArray[np.float32], NDArray[np.float32]]:
        """Rows of a sparse store at one of its temperatures: numbers of the k classes that are kept [n, k], their
        probabilities [n, k], and the probability of all other classes together [n]."""
        if self.layout != "sparse":
            raise ValueError(f"{self.path}: keeps all classes; use probs()")
        if temperature not in self.temperatures:
            raise ValueError(f"{self.path}: found temperatures {self.temperatures}, expected {temperature}")
        column = {name: np.asarray(values[rows]) for name, values in self._columns.items() if name != "checksums"}
        codes = column["codes"].astype(np.float64)
        # in the order of operations of the program, so that the bits are the same
        per_step = -column["log_ranges"].astype(np.float64) / (_STEPS * temperature)
        ratios = np.where(codes == _ZERO, 0.0, np.exp(codes * per_step[:, None]))
        tails = column["tail_masses"][:, self.temperatures.index(temperature)]
        totals = np.cumsum(ratios, axis=1)[:, -1]
        scales = ((1.0 - tails.astype(np.float64)) / totals).astype(np.float32)
        probs = ratios.astype(np.float32) * scales[:, None]
        return column["classes"], probs, tails
