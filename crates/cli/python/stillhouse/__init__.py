"""stillhouse from Python: merge and cluster predictions in numpy arrays, read soft targets, predict with a student.

The module runs the program that was installed with it, so every number is the command line's, to the bit:

    import stillhouse
    merged = stillhouse.merge([stillhouse.Teacher(generalist), stillhouse.Teacher(specialist, classes=[3, 17], dustbin=True)])
    clusters = stillhouse.cluster(generalist, labels, n_clusters=8)
    probs = stillhouse.predict("runs/mine/student", ["where is my card?"])
    targets = stillhouse.SoftTargets("targets.safetensors")

What fails in the program is a `StillhouseError` with its message.
"""

from ._cluster import Clusters, cluster
from ._merge import Teacher, merge
from ._predict import labels, predict
from ._program import StillhouseError, run
from ._soft_targets import SoftTargets

__all__ = ["Clusters", "SoftTargets", "StillhouseError", "Teacher", "cluster", "labels", "merge", "predict", "run"]
