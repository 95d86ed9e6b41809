"""What helps rare classes? Runs each way on three long-tailed training sets of 200 languages; draws the result.

    python experiments/long_tail/run.py

Needs Python with numpy and matplotlib, and `target/release/stillhouse`. Writes runs/long_tail/ (finished runs are not run again) and
results/ in this folder: runs.csv, means.csv, long_tail.png. --only collect draws from the runs.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SEEDS = [0, 1, 2]
# What generalists and student set as training.imbalance.
WAYS = {
    "as they are": None,
    "weights, beta 0.9": '{kind="class_weights",beta=0.9}',
    "weights, beta 0.99": '{kind="class_weights",beta=0.99}',
    "weights, 1 / n": '{kind="class_weights"}',
    "balanced sampling": '{kind="balanced_sampling"}',
    "logits, 0.5": '{kind="logit_adjustment",strength=0.5}',
    "logits, 1": '{kind="logit_adjustment"}',
    "logits, 1.5": '{kind="logit_adjustment",strength=1.5}',
    "logits, 2": '{kind="logit_adjustment",strength=2.0}',
}
# Ways whose student also learns from examples without labels.
WITH_UNLABELLED = ["as they are", "weights, 1 / n", "balanced sampling", "logits, 1"]
# Training examples of a class: the usual three groups of long-tailed sets (Liu et al. 2019).
GROUPS = {"many (> 100)": (101, 10**9), "medium (20 to 100)": (20, 100), "few (< 20)": (1, 19)}
MODELS = ["generalist", "ensemble", "student", "student_hard"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/long_tail")
    parser.add_argument("--only", nargs="+", default=["runs", "collect"])
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--threads", type=int, default=2, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    arguments = parser.parse_args()
    if "runs" in arguments.only:
        for seed in arguments.seeds:
            if not (arguments.out / f"data{seed}" / "train.tsv").exists():
                subprocess.run([sys.executable, str(HERE / "prepare.py"), str(arguments.out / f"data{seed}"), "--seed", str(seed)], check=True)
        # in this order the second kind finds the teachers of the first
        for ways, with_unlabelled in ((WAYS, False), (WITH_UNLABELLED, True)):
            runs = [(way, seed) for way in ways for seed in arguments.seeds]
            with ThreadPoolExecutor(arguments.jobs) as pool:
                list(pool.map(lambda one: run(arguments, *one, with_unlabelled), runs))
    if "collect" in arguments.only:
        collect(arguments.out)


def run_name(way: str, seed: int, with_unlabelled: bool) -> str:
    word = "".join(letter if letter.isalnum() else "_" for letter in way)
    return f"{word}{'-unlabelled' if with_unlabelled else ''}-seed{seed}"


def run(arguments: argparse.Namespace, way: str, seed: int, with_unlabelled: bool) -> None:
    data, folder = arguments.out / f"data{seed}", arguments.out / run_name(way, seed, with_unlabelled)
    if (folder / "report.json").exists():
        return
    overrides = [f"seed={seed}"]
    overrides += [f"data.{split}={json.dumps(str(data / f'{split}.tsv'))}" for split in ("train", "valid")]
    if WAYS[way]:
        overrides += [f"{table}.training.imbalance={WAYS[way]}" for table in ("generalist", "student")]
    if with_unlabelled:
        overrides.append(f"student.transfer={{path={json.dumps(str(data / 'unlabelled.tsv'))}}}")
    command = [arguments.program, "run", "-q", str(HERE / "base.toml"), "--out", str(folder)]
    command += ["--stages", str(arguments.out / "stages"), "--threads", str(arguments.threads)]
    command += [part for override in overrides for part in ("--set", override)]
    started = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{folder.name}: {time.time() - started:.0f} s", flush=True)


def percent(share: float) -> float:
    return round(100 * share, 2)


def recalls(out: Path, way: str, seed: int, with_unlabelled: bool) -> dict[str, dict[str, float]]:
    """Mean recall of each model on the classes of each group."""
    with (out / f"data{seed}" / "train.tsv").open(encoding="utf-8") as file:
        counts = Counter(line.split("\t")[0] for line in list(file)[1:])
    with (out / run_name(way, seed, with_unlabelled) / "classes.csv").open(encoding="utf-8") as file:
        classes = list(csv.DictReader(file))
    found = {}
    for model in MODELS:
        for group, (least, most) in GROUPS.items():
            rows = [row for row in classes if least <= counts[row["label"]] <= most]
            found.setdefault(model, {})[group] = statistics.mean(float(row[f"{model}_recall"]) for row in rows)
    return found


def rows_of(out: Path, way: str, seed: int, with_unlabelled: bool) -> list[dict]:
    path = out / run_name(way, seed, with_unlabelled) / "report.json"
    if not path.exists():
        return []
    report, found = json.loads(path.read_text()), recalls(out, way, seed, with_unlabelled)
    models = {model["name"]: model for model in report["models"]}
    rows = []
    for name in MODELS:
        model = models[name]
        row = {"way": way, "unlabelled": with_unlabelled, "seed": seed, "model": name}
        row |= {"valid_top1": percent(model["valid_top1"]), "top1": percent(model["top1"])}
        row |= {"balanced_accuracy": percent(model["balanced_accuracy"]), "macro_f1": percent(model["macro_f1"])}
        row |= {"nll": round(model["nll"], 3)} | {group: percent(recall) for group, recall in found[name].items()}
        rows.append(row)
    return rows


def collect(out: Path) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    runs = [(way, seed, False) for way in WAYS for seed in SEEDS] + [(way, seed, True) for way in WITH_UNLABELLED for seed in SEEDS]
    rows = [row for one in runs for row in rows_of(out, *one)]
    write_csv(results / "runs.csv", rows)
    keys = dict.fromkeys((row["way"], row["unlabelled"], row["model"]) for row in rows)
    means = []
    for way, unlabelled, model in keys:
        group = [row for row in rows if (row["way"], row["unlabelled"], row["model"]) == (way, unlabelled, model)]
        mean = {"way": way, "unlabelled": unlabelled, "model": model, "seeds": len(group)}
        numbers = [key for key in group[0] if key not in ("way", "unlabelled", "seed", "model")]
        means.append(mean | {key: round(statistics.mean(row[key] for row in group), 2) for key in numbers})
    write_csv(results / "means.csv", means)
    for mean in means:
        print(*mean.values(), sep=" | ")
    draw(means, results / "long_tail.png")


def write_csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(means: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = ["student_hard", "student", "unlabelled"]
    titles = ["student on labels", "student on soft targets", "the same and unlabelled examples"]
    ways = [way for way in WAYS if any(mean["way"] == way for mean in means)]
    colours = dict(zip(GROUPS, ["#1b4f8f", "#4c9a5b", "#d9772b"]))
    figure, axes = plt.subplots(1, 3, figsize=(13.5, 4.8), sharex=True, sharey=True)
    for axis, model, title in zip(axes, shown, titles):
        for group, colour in colours.items():
            for y, way in enumerate(ways):
                key = (way, model == "unlabelled", "student" if model == "unlabelled" else model)
                mean = next((mean for mean in means if (mean["way"], mean["unlabelled"], mean["model"]) == key), None)
                if mean:
                    axis.scatter(mean[group], y, color=colour, s=46, label=group if y == 0 else None, zorder=3)
                    axis.scatter(mean["balanced_accuracy"], y, color="black", marker="|", s=160, zorder=4)
        axis.set_title(title, fontsize=11)
        axis.set_xlabel("recall on test, %")
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(ways)), ways)
    axes[0].invert_yaxis()
    # the last ways have no student with unlabelled examples, which leaves room
    axes[2].legend(*axes[0].get_legend_handles_labels(), title="training examples of a class", frameon=False, loc="lower center")
    figure.suptitle("Mean recall of frequent and rare languages; bar: of all (balanced accuracy)", fontsize=12)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
