"""Clusters of classes that a model confuses, one for each specialist."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ._merge import Space
from ._program import run


@dataclass(frozen=True)
class Clusters:
    """Clusters of classes.

    classes: numbers of the classes of each cluster, ascending.
    diagnosis: what specialists on these clusters can win: `oracle_gain` is the share of examples that perfect specialists
        would correct, `errors_inside` the share of the errors that stay inside clusters, and more.
    """

    classes: list[list[int]]
    diagnosis: dict[str, Any]

    @property
    def recommendation(self) -> str:
        """Whether specialists are worth their training, in words."""
        return self.diagnosis["recommendation"]


def cluster(
    predictions: ArrayLike,
    labels: ArrayLike,
    *,
    n_clusters: int | None = None,
    max_classes: int | None = None,
    coverage: int = 1,
    method: Literal["k_means", "online_k_means", "spectral", "greedy_pairs", "agglomerative", "random"] = "k_means",
    affinity: Literal["prediction_covariance", "soft_confusion", "hard_confusion"] = "prediction_covariance",
    space: Space = "probs",
    seed: int = 0,
    threads: int | None = None,
) -> Clusters:
    """Clusters the classes by a model's predictions [N, C] of examples that it was not trained on, and their labels [N].

    n_clusters, max_classes: number and largest size of the clusters; one of them is needed.
    coverage: in how many clusters every class is, at least.
    """
    if n_clusters is None and max_classes is None:
        raise TypeError("cluster needs n_clusters, or max_classes, the largest size of a cluster")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "predictions.npy", np.asarray(predictions))
        np.save(folder / "labels.npy", np.asarray(labels))
        words = ["cluster", "predictions.npy", "--labels", "labels.npy", "--json"]
        words += ["--method", method, "--affinity", affinity, "--space", space]
        words += ["--coverage", str(coverage), "--seed", str(seed)]
        for option, value in [("--n-clusters", n_clusters), ("--max-classes", max_classes)]:
            words += [] if value is None else [option, str(value)]
        found = json.loads(run(words, threads, folder))
        return Clusters(found["clusters"], found["diagnosis"])
