"""Tables and figures of the MNIST experiments, from finished runs.

    python experiments/mnist/collect.py --mnist FOLDER --runs runs

Needs numpy and matplotlib. Reads runs/mnist, runs/paper, runs/jitter and the sweeps runs/temperatures, runs/left_out and
runs/few_examples; writes results/*.csv, results/results.json and results/*.svg. What is missing is left out.
"""

import argparse
import csv
import gzip
import json
import struct
import tomllib
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

N_TEST = 10000
RESULTS = Path(__file__).parent / "results"
SOFT, HARD, TEACHER = "#1b6ca8", "#c0504d", "#555555"


def read_idx(folder, name):
    """An idx file, gzipped or plain: images [N, 784] or labels [N]."""
    path = folder / name
    content = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    n_dims = content[3]
    dims = struct.unpack(f">{n_dims}I", content[4 : 4 + 4 * n_dims])
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * n_dims)
    return values.reshape(dims[0], -1) if n_dims > 1 else values


def read_student(folder):
    """Weights of an MLP and what it subtracts from its inputs and divides them by."""
    content = (folder / "model.safetensors").read_bytes()
    n_header = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + n_header])
    header.pop("__metadata__", None)

    def tensor(entry):
        start, end = (8 + n_header + offset for offset in entry["data_offsets"])
        return np.frombuffer(content[start:end], "<f4").reshape(entry["shape"])

    weights = {name: tensor(entry) for name, entry in header.items()}
    spec = json.loads((folder / "config.json").read_text())["input"]
    return weights, spec["mean"][0], spec["std"][0]


def logits_of(student, images):
    weights, mean, std = student
    hidden = (images.astype(np.float32) / 255 - mean) / std
    n_layers = sum(name.startswith("layers.") and name.endswith(".weight") for name in weights)
    for layer in range(n_layers):
        hidden = hidden @ weights[f"layers.{layer}.weight"].T + weights[f"layers.{layer}.bias"]
        hidden = np.maximum(hidden, 0)
    return hidden @ weights["head.weight"].T + weights["head.bias"]


def softmax(logits):
    exps = np.exp(logits - logits.max(1, keepdims=True))
    return exps / exps.sum(1, keepdims=True)


def errors(report, name):
    model = next(model for model in report["models"] if model["name"] == name)
    return round(N_TEST * (1 - model["top1"]))


def cells(folder):
    """Config and report of each finished cell of a sweep."""
    for report in sorted(folder.rglob("report.json")):
        config = tomllib.loads((report.parent / "config.toml").read_text())
        yield report.parent, config["student"], json.loads(report.read_text())


def write_csv(name, rows):
    with open(RESULTS / name, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def show(name, title, xlabel, ylabel):
    plt.title(title, loc="left", fontsize=12)
    plt.xlabel(xlabel)
    plt.ylabel(ylabel)
    plt.gca().spines[["top", "right"]].set_visible(False)
    plt.grid(axis="y", color="#dddddd", linewidth=0.7)
    plt.legend(frameon=False)
    plt.tight_layout()
    plt.savefig(RESULTS / name, metadata={"Date": None})
    plt.close()


def paper(runs):
    rows = []
    for name in ("mnist", "paper", "jitter"):
        path = runs / name / "report.json"
        if path.exists():
            report = json.loads(path.read_text())
            found = {model: errors(report, model) for model in ("generalist", "student_hard", "student")}
            # of one teacher nothing is merged
            merged = any(model["name"] == "ensemble" for model in report["models"])
            found["ensemble"] = errors(report, "ensemble") if merged else found["generalist"]
            kept = (found["student_hard"] - found["student"]) / (found["student_hard"] - found["ensemble"])
            rows.append({"config": name, **found, "gain_kept": round(kept, 3)})
    if rows:
        write_csv("paper.csv", rows)
    return rows


def temperatures(runs):
    rows = []
    for _, student, report in cells(runs / "temperatures"):
        rows.append(
            {
                "width": student["model"]["widths"][0],
                "temperature": student["distillation"]["loss"]["temperature"],
                "student": errors(report, "student"),
                "student_hard": errors(report, "student_hard"),
            }
        )
    if not rows:
        return rows
    rows.sort(key=lambda row: (row["width"], row["temperature"]))
    write_csv("temperatures.csv", rows)
    plt.figure(figsize=(7, 4.2))
    for width, colour, mark in zip(sorted({row["width"] for row in rows}), ["#1b6ca8", "#d98c21", "#4b8b3b"], "osD"):
        of_width = [row for row in rows if row["width"] == width]
        x = [row["temperature"] for row in of_width]
        plt.plot(x, [row["student"] / 100 for row in of_width], mark + "-", color=colour, label=f"{width}-{width}, soft targets")
        plt.axhline(of_width[0]["student_hard"] / 100, color=colour, linestyle=":", linewidth=1.2)
    plt.plot([], [], ":", color="#555555", label="the same on labels")
    plt.xscale("log")
    plt.yscale("log")
    ticks = [row["temperature"] for row in rows if row["width"] == rows[0]["width"]]
    plt.xticks(ticks, [f"{tick:g}" for tick in ticks])
    plt.minorticks_off()
    plt.yticks([1, 1.5, 2, 3, 4, 5], ["1", "1.5", "2", "3", "4", "5"])
    show("temperatures.svg", "Which temperature for which width?", "temperature", "test errors in %")
    return rows


def left_out(runs, mnist):
    """Errors of students that never saw some classes, before and after their biases are shifted.

    The paper chooses one shift for all these classes by the test errors. Found without labels, the shift of each class makes
    the student's mean probability on images without labels (the training images) that which the class has among the labels.
    """
    images, labels = read_idx(mnist, "t10k-images-idx3-ubyte"), read_idx(mnist, "t10k-labels-idx1-ubyte")
    unlabelled = read_idx(mnist, "train-images-idx3-ubyte")[::6]
    priors = np.bincount(read_idx(mnist, "train-labels-idx1-ubyte"), minlength=10) / 60000
    rows = []
    for folder, student, _ in cells(runs / "left_out"):
        absent = np.array([int(name) for name in student["examples"]["without_classes"]])
        network = read_student(folder / "student")
        logits, others = logits_of(network, images), logits_of(network, unlabelled)

        def wrong(shift):
            return int((np.argmax(logits + shift, 1) != labels).sum())

        def to_absent(amount):
            shift = np.zeros(10)
            shift[absent] = amount
            return shift

        amounts = np.arange(-2, 20, 0.1)
        best = min(amounts, key=lambda amount: wrong(to_absent(amount)))
        shift = np.zeros(10)
        for _ in range(2000):
            shift += 0.5 * np.log(priors / softmax(others + shift).mean(0))
        shift -= shift[[digit for digit in range(10) if digit not in absent]].mean()
        missed = np.isin(labels, absent) & (np.argmax(logits, 1) != labels)
        rows.append(
            {
                "without": " ".join(map(str, absent)),
                "errors": wrong(0),
                "of_these_on_absent": int(missed.sum()),
                "n_absent": int(np.isin(labels, absent).sum()),
                "shift_by_test_labels": round(float(best), 1),
                "errors_by_test_labels": wrong(to_absent(best)),
                "mean_shift_without_labels": round(float(shift[absent].mean()), 1),
                "errors_without_labels": wrong(shift),
            }
        )
    if rows:
        write_csv("left_out.csv", rows)
    return rows


def few_examples(runs, whole):
    rows = []
    for _, student, report in cells(runs / "few_examples"):
        rows.append(
            {
                "fraction": student["examples"]["fraction"],
                "views": student["views"],
                "keep": student["training"]["keep"],
                "student": errors(report, "student"),
                "student_hard": errors(report, "student_hard"),
                "teacher": errors(report, "generalist"),
            }
        )
    if not rows:
        return rows
    rows.sort(key=lambda row: (row["fraction"], row["keep"], row["views"]))
    write_csv("few_examples.csv", rows)
    x = sorted({row["fraction"] for row in rows})
    at = {(row["fraction"], row["keep"]): row for row in rows if row["views"] == 0}

    def of(model, keep):
        return [at[fraction, keep][model] / 100 if (fraction, keep) in at else None for fraction in x]

    soft, hard, stopped = of("student", "last"), of("student_hard", "last"), of("student_hard", "best")
    if whole:
        x, soft = [*x, 1.0], [*soft, whole["student"] / 100]
        hard, stopped = [*hard, whole["student_hard"] / 100], [*stopped, None]
    plt.figure(figsize=(7, 4.2))
    percent = [100 * fraction for fraction in x]
    plt.plot(percent, hard, "s-", color=HARD, label="labels")
    plt.plot(percent, stopped, "s--", color="#e3a19f", label="labels, weights of the least validation loss")
    plt.plot(percent, soft, "o-", color=SOFT, label="soft targets")
    plt.axhline(rows[0]["teacher"] / 100, color=TEACHER, linestyle=":", label="the teacher, on all examples")
    plt.xscale("log")
    plt.yscale("log")
    plt.xticks(percent, [f"{value:g}" for value in percent])
    plt.yticks([0.7, 1, 2, 3, 5, 10], ["0.7", "1", "2", "3", "5", "10"])
    plt.minorticks_off()
    show("few_examples.svg", "Soft targets as a regulariser", "part of the training images in %", "test errors in %")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    plt.rcParams.update({"font.size": 10, "svg.hashsalt": "mnist", "font.family": "DejaVu Sans"})
    found = {"paper": paper(args.runs), "temperatures": temperatures(args.runs), "left_out": left_out(args.runs, args.mnist)}
    whole = next((row for row in found["paper"] if row["config"] == "paper"), None)
    found["few_examples"] = few_examples(args.runs, whole)
    (RESULTS / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
