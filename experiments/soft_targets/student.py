"""Trains a student in numpy on soft targets that `stillhouse targets export` wrote, for examples in a `.npy` matrix.

    python student.py SOFT_TARGETS train.npy test.npy test_labels.npy

Needs numpy and pyarrow. The student is one linear layer; its loss is the cross-entropy with the targets at temperature 2.
"""
import sys

import numpy as np
import pyarrow.csv
import pyarrow.parquet

folder, train, test, test_labels = sys.argv[1:]
targets = pyarrow.parquet.read_table(f"{folder}/targets.parquet")
examples = pyarrow.csv.read_csv(f"{folder}/examples.csv")

# the inputs are ours: examples.csv says in which row of the training file each example is
row_of = dict(zip(examples["id"].to_pylist(), examples["row"].to_pylist()))
x = np.load(train)[[row_of[example] for example in targets["example_id"].to_pylist()]].astype(np.float64)
mean, std = x.mean(0), x.std(0) + 1e-9
x = (x - mean) / std
probs = np.array(targets["probs"].to_pylist())

TEMPERATURE = 2.0
soft = np.maximum(probs, 1e-12) ** (1 / TEMPERATURE)
soft /= soft.sum(1, keepdims=True)

weights, bias = np.zeros((x.shape[1], soft.shape[1])), np.zeros(soft.shape[1])
for _ in range(300):
    logits = (x @ weights + bias) / TEMPERATURE
    predicted = np.exp(logits - logits.max(1, keepdims=True))
    predicted /= predicted.sum(1, keepdims=True)
    gradient = (predicted - soft) * TEMPERATURE / len(x)  # T^2 / T: soft gradients shrink as 1 / T^2
    weights -= 0.5 * x.T @ gradient
    bias -= 0.5 * gradient.sum(0)

guessed = ((np.load(test) - mean) / std @ weights + bias).argmax(1)
print(f"{len(x)} targets, test accuracy {(guessed == np.load(test_labels)).mean():.3f}")
