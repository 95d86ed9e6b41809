"""Compares the Python module with files that the command line wrote into this folder (tests/python.rs)."""

import glob
import json
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import stillhouse


def same(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes(), (a, b)


def png(image):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


generalist, specialist = np.load("generalist.npy"), np.load("specialist.npy")
teachers = [generalist, stillhouse.Teacher(specialist, "logits", classes=[4, 1, 2], dustbin=True, weight=0.5)]
same(stillhouse.merge(teachers), np.load("merged.npy"))

labels = np.loadtxt("labels.txt").astype(np.int64)
found, expected = stillhouse.cluster(generalist, labels, n_clusters=2), json.loads(Path("clusters.json").read_text())
assert found.classes == expected["clusters"] and found.diagnosis == expected["diagnosis"], (found, expected)
assert "errors" in found.recommendation

same(stillhouse.predict("run/student", [Path("image.png")]), np.load("probs.npy"))
assert len(stillhouse.labels("run/student")) == np.load("probs.npy").shape[1]
x, y = np.meshgrid(np.arange(28), np.arange(28))
grey = ((x * 9) ^ (y * 5)).astype(np.uint8)
same(stillhouse.predict("run/student", grey[None]), np.load("probs.npy"))
# in colours, of an odd width, against a file of another format
colours = np.random.default_rng(0).integers(0, 256, (29, 31, 3), np.uint8)
Path("colours.png").write_bytes(png(colours))
many = np.concatenate([grey[None], np.zeros((1200, 28, 28), np.uint8), grey[None]])
found = stillhouse.predict("run/student", many)
assert found.shape[0] == 1202
same(found[[0, -1]], np.repeat(np.load("probs.npy"), 2, axis=0))
same(stillhouse.predict("run/student", [Path("image.png")] * 1001), np.repeat(np.load("probs.npy"), 1001, axis=0))
same(stillhouse.predict("run/student", colours[None]), stillhouse.predict("run/student", [Path("colours.png")]))
column = ["red apple", "blue water"]
for texts in (np.array(column), np.array(column, object)):  # as a column of a data frame gives itself out
    same(stillhouse.predict("texts", texts), stillhouse.predict("texts", column))
assert stillhouse.predict("run/student", []).shape == np.load("probs.npy")[:0].shape

dense = stillhouse.SoftTargets("merged.safetensors")
same(dense.probs(), np.load("merged.npy").astype(np.float32))
soft = dense.probs(slice(3, 5), temperature=2.0)
assert np.allclose(soft, np.sqrt(dense.probs([3, 4])) / np.sqrt(dense.probs([3, 4])).sum(1, keepdims=True))

sparse, whole = (
    stillhouse.SoftTargets(glob.glob(f"{run}/stages/soft_targets-*/targets.safetensors")[0]) for run in ("run", "dense")
)
for temperature in (1.0, 4.0):
    classes, probs, tails = sparse.top(temperature=temperature)
    assert classes.shape == probs.shape == (len(sparse), 4) and tails.shape == (len(sparse),)
    kept = np.take_along_axis(whole.probs(temperature=temperature), classes.astype(np.int64), axis=1)
    assert np.allclose(probs, kept, rtol=2e-4), (probs, kept)
    assert np.allclose(tails, 1.0 - kept.sum(1), atol=1e-6)
assert (np.diff(sparse.example_ids.astype(object)) >= 0).all() and len(sparse.labels) == 12

for wrong, code, text in [
    (lambda: stillhouse.merge([generalist, specialist]), 3, "teacher_1.npy"),
    (lambda: stillhouse.cluster(generalist, labels[:3], n_clusters=2), 3, "expected 3, one for each label"),
    (lambda: stillhouse.predict("absent", ["a text"]), 2, "absent: no such folder"),
]:
    try:
        wrong()
    except stillhouse.StillhouseError as error:
        assert error.code == code and text in str(error), error
    else:
        raise AssertionError(text)
for wrong in (
    lambda: stillhouse.run("run", "tiny.toml"),
    lambda: stillhouse.cluster(generalist, labels),
    lambda: stillhouse.predict("run/student", Path("image.png")),
    lambda: stillhouse.predict("run/student", grey[None].astype(np.float32)),
):
    try:
        wrong()
    except TypeError:
        continue
    raise AssertionError("expected a TypeError")
for wrong in (lambda: sparse.probs(), lambda: dense.top(), lambda: sparse.top(temperature=3.0)):
    try:
        wrong()
    except ValueError:
        continue
    raise AssertionError("expected a ValueError")

# notes of the program become warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    stillhouse.run(["predict", "run/student", "image.png", "--threshold", "1.0"])
assert any("below 100" in str(warning.message) for warning in caught), caught

print("all the same")
