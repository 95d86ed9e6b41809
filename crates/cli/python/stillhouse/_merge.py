"""Predictions of several models become one distribution over all classes."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._program import run

Space = Literal["probs", "log_probs", "logits"]


@dataclass(frozen=True)
class Teacher:
    """A model's predictions for N examples.

    predictions: [N, C] for a model of every class; [N, L + 1] for a specialist on L classes with the dustbin (all other
        classes together) last; [N, L] for a model that compares its own classes only.
    space: what the numbers are.
    classes: class numbers of the columns; None for every class.
    dustbin: whether the last column is a dustbin.
    weight: in the merge, a generalist's being 1.
    """

    predictions: ArrayLike
    space: Space = "probs"
    classes: Sequence[int] | None = None
    dustbin: bool = False
    weight: float = 1.0


def merge(
    teachers: Sequence[Teacher | ArrayLike],
    *,
    rule: Literal["exact", "em_step", "arithmetic_mean", "geometric_mean"] = "exact",
    gate: str = "all",
    n_classes: int | None = None,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Merges the teachers' predictions: [N, C] probabilities.

    By default the exact minimum of equation 5 of Hinton, Vinyals and Dean (2015): of the sum over the teachers of
    KL(teacher || merged), each as far as the teacher's classes tell. An array alone is a teacher of every class in probabilities.

    gate: "all", or "top_n:N" for the specialists that know one of the N classes that the generalist finds most probable.
    n_classes: C, where no teacher knows every class.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [] if n_classes is None else [f"n_classes = {int(n_classes)}"]
        for index, teacher in enumerate(teachers):
            teacher = teacher if isinstance(teacher, Teacher) else Teacher(teacher)
            np.save(folder / f"teacher_{index}.npy", np.asarray(teacher.predictions))
            lines += ["[[teacher]]", f'predictions = "teacher_{index}.npy"', f"space = {json.dumps(teacher.space)}"]
            lines += [f"dustbin = {json.dumps(bool(teacher.dustbin))}", f"weight = {float(teacher.weight)!r}"]
            if teacher.classes is not None:
                lines.append(f"classes = {[int(number) for number in teacher.classes]}")
        (folder / "teachers.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        words = ["merge", "teachers.toml", "--rule", rule, "--gate", gate, "--out", "merged.npy", "-q"]
        run(words, threads, folder)
        return np.load(folder / "merged.npy")
