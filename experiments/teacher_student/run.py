"""Why does a better teacher make a worse student? Varies one thing at a time around base.toml.

    python experiments/teacher_student/run.py

Needs Python with numpy and matplotlib, and `target/release/stillhouse`. Writes runs/teacher_student/ (finished runs are not run
again) and results/ in this folder: runs.csv, summary.json, students.png. --only collect draws from the runs.
"""

import argparse
import csv
import json
import statistics
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SEEDS = [0, 1, 2]
N_CLASSES, N_TRAIN = 200, 20_000
T1, T4 = "student.distillation.loss.temperature=1.0", "student.distillation.loss.temperature=4.0"
CALIBRATED = 'merge.calibration="temperature"'
AUGMENTED = 'data.augment={kind="affine_elastic"}'
# Glyphs by other writers, without labels: twice as many as the training examples.
FRESH = "student.transfer={per_class=200}"
VARIANTS = {
    "base": [],
    "T = 1": [T1],
    "T = 4": [T4],
    "calibrated": [CALIBRATED],
    "calibrated, T = 1": [CALIBRATED, T1],
    "calibrated, T = 4": [CALIBRATED, T4],
    "half from labels": ["student.distillation.task_loss_weight=0.5", "student.distillation.distill_loss_weight=0.5"],
    "nothing from labels": ["student.distillation.task_loss_weight=0.0", "student.distillation.distill_loss_weight=1.0"],
    "dustbins refit": ['specialists.dustbin_bias="refit"'],
    "dustbins refit, T = 1": ['specialists.dustbin_bias="refit"', T1],
    "gate of 5": ['merge.gate={kind="top_n",n=5}'],
    "softened before": ['merge.soften="before_merge"'],
    "arithmetic mean": ['merge.rule="arithmetic_mean"'],
    "60 epochs": ["student.training.n_epochs=60"],
    "full softmax": ['specialists.head="full_softmax"'],
    "from scratch": ['specialists.init="scratch"'],
    "out of fold": ['clustering.predictions={kind="out_of_fold",n_folds=3}'],
    "augmented views": [AUGMENTED, "student.views=8"],
    "augmented views, T = 1": [AUGMENTED, "student.views=8", T1],
    "20 augmented views": [AUGMENTED, "student.views=20"],
    "20 augmented views, T = 1": [AUGMENTED, "student.views=20", T1],
    "fresh examples": [FRESH],
    "fresh examples, T = 1": [FRESH, T1],
    "fresh examples, T = 1, one EM step": [FRESH, T1, 'merge.rule="em_step"'],
    "fresh examples, T = 1, dustbins refit": [FRESH, T1, 'specialists.dustbin_bias="refit"'],
    "fresh examples, T = 1, from scratch": [FRESH, T1, 'specialists.init="scratch"', 'specialists.dustbin_bias="refit"'],
    "fresh examples, T = 1, full softmax": [FRESH, T1, 'specialists.head="full_softmax"'],
    "fresh examples, T = 0.5": [FRESH, "student.distillation.loss.temperature=0.5"],
    "fresh examples, T = 1, 5 classes kept": [FRESH, T1, 'soft_targets.layout={kind="sparse",k=5}'],
    "fresh examples, 5 classes kept": [FRESH, 'soft_targets.layout={kind="sparse",k=5}'],
    "a fifth of the labels": ["data.labelled_fraction=0.2", "generalist.training.n_epochs=40", "specialists.training.n_epochs=40"],
    "a fifth of the labels, T = 1": ["data.labelled_fraction=0.2", "generalist.training.n_epochs=40", "specialists.training.n_epochs=40", T1],
}
STUDENTS = {
    "student": "merged targets",
    "student_generalist": "generalist's targets",
    "student_generalist_ensemble": "plain ensemble's targets",
    "student_hard": "labels",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/teacher_student")
    parser.add_argument("--only", nargs="+", default=["runs", "measure", "collect"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--threads", type=int, default=2, help="of each")
    arguments = parser.parse_args()
    if "runs" in arguments.only:
        runs = [(seed, variant) for seed in arguments.seeds for variant in arguments.variants]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(lambda one: run(arguments, *one), runs))
    if "measure" in arguments.only:
        for seed in arguments.seeds:
            for variant in arguments.variants:
                measure(arguments.out, seed, variant)
    if "collect" in arguments.only:
        collect(arguments.out)


def run_name(seed: int, variant: str) -> str:
    kept = "".join(letter if letter.isalnum() else "_" for letter in variant)
    return f"{kept}_seed{seed}"


def run(arguments: argparse.Namespace, seed: int, variant: str) -> None:
    folder = arguments.out / run_name(seed, variant)
    if (folder / "report.json").exists():
        return
    command = [arguments.program, "run", "-q", str(HERE / "base.toml"), "--out", str(folder)]
    command += ["--stages", str(arguments.out / "stages"), "--threads", str(arguments.threads)]
    command += [part for override in [f"seed={seed}", *VARIANTS[variant]] for part in ("--set", override)]
    started = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{folder.name}: {time.time() - started:.0f} s", flush=True)


def measure(out: Path, seed: int, variant: str) -> None:
    """What the soft targets that this run computed say about the training examples; the first run of a teacher computes them."""
    folder = out / run_name(seed, variant)
    if not (folder / "report.json").exists() or (folder / "targets.json").exists():
        return
    session = json.loads((folder / "manifest.json").read_text())["sessions"][0]
    wall_seconds = json.loads((folder / "report.json").read_text())["wall_seconds"]
    measured = {}
    for path in sorted((out / "stages").glob("soft_targets*/targets.safetensors")):
        if 0 <= path.stat().st_mtime - session["started_unix_s"] <= wall_seconds + 2:
            measured[path.parent.name.rsplit("-", 1)[0]] = target_statistics(path)  # none of a sparse store
    (folder / "targets.json").write_text(json.dumps(measured, indent=1) + "\n")


def target_statistics(path: Path) -> dict:
    """Of the targets of training examples, and of examples that no teacher has seen: how often the label is on top, its
    probability, the entropy in nats at T = 1 and 2."""
    import numpy as np

    with path.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        start = file.tell()
    if "probs" not in header:
        return {}

    def tensor(name: str, dtype: str) -> np.ndarray:
        entry = header[name]
        return np.memmap(path, dtype, "r", start + entry["data_offsets"][0], tuple(entry["shape"]))

    ids, all_probs = tensor("example_ids", "<u8"), tensor("probs", "<f4")
    found = {}
    for words, belongs in (("training", lambda some: some < N_TRAIN), ("unseen", lambda some: some >= N_TRAIN)):
        sums, n = np.zeros(4), 0
        for at in range(0, len(ids), 8192):
            here = belongs(ids[at : at + 8192])
            probs = all_probs[at : at + 8192][here].astype(np.float64)
            # The glyphs of all classes take turns, those without labels too.
            labels = (ids[at : at + 8192][here] % N_CLASSES).astype(int)
            log_probs = np.log(np.maximum(probs, 1e-30))
            softened = np.exp(0.5 * log_probs)
            softened /= softened.sum(axis=1, keepdims=True)
            entropies = [-(probs * log_probs).sum(), -(softened * np.log(np.maximum(softened, 1e-30))).sum()]
            sums += [(probs.argmax(axis=1) == labels).sum(), probs[np.arange(len(labels)), labels].sum(), *entropies]
            n += len(labels)
        if n:
            means = (round(float(one) / n, 4) for one in sums)
            found[words] = dict(zip(("right", "label_probability", "entropy", "entropy_at_2"), means), rows=n)
    return found


def percent(share: float) -> float:
    return round(100 * share, 2)


def row_of(out: Path, seed: int, variant: str) -> dict | None:
    path = out / run_name(seed, variant) / "report.json"
    if not path.exists():
        return None
    report = json.loads(path.read_text())
    models = {model["name"]: model for model in report["models"]}
    row = {"variant": variant, "seed": seed, "entropy": round(report["soft_target_entropy"], 3)}
    for split, key in (("valid", "valid_top1"), ("test", "top1")):
        for name in ("generalist", "ensemble", "generalist_ensemble", *STUDENTS):
            row[f"{name}_{split}"] = percent(models[name][key])
    row["ensemble_ece"] = models["ensemble"]["ece"] and round(models["ensemble"]["ece"], 4)
    row["ensemble_nll"] = round(models["ensemble"]["nll"], 3)
    row["student_nll"] = round(models["student"]["nll"], 3)
    row["helpful"], row["specialists"] = sum(one["helps"] for one in report["clusters"]), len(report["clusters"])
    verdicts = {(found["a"], found["b"]): found["verdict"] for found in report["comparisons"]}
    for name in list(STUDENTS)[1:]:
        row[f"against_{name}"] = verdicts[("student", name)]
    return row


def collect(out: Path) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    every = [row_of(out, seed, variant) for variant in VARIANTS for seed in SEEDS]
    rows = [row for row in every if row is not None]
    with (results / "runs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    means = [mean_row([row for row in rows if row["variant"] == variant]) for variant in dict.fromkeys(row["variant"] for row in rows)]
    (results / "summary.json").write_text(json.dumps({"means": means, "runs": rows}, indent=1) + "\n")
    measured = {(variant, seed): out / run_name(seed, variant) / "targets.json" for variant in VARIANTS for seed in SEEDS}
    measured = {f"{one[0]}, seed {one[1]}": json.loads(path.read_text()) for one, path in measured.items() if path.exists()}
    (results / "targets.json").write_text(json.dumps({name: found for name, found in measured.items() if found}, indent=1) + "\n")
    for mean in means:
        students = " ".join(f"{mean[f'{name}_valid']:.2f}/{mean[f'{name}_test']:.2f}" for name in STUDENTS)
        print(f"{mean['variant']:30s} {mean['seeds']} merged {mean['ensemble_valid']:.2f}/{mean['ensemble_test']:.2f} {students} H {mean['entropy']}")
    draw(means, rows, results / "students.png")


def mean_row(group: list[dict]) -> dict:
    row = {"variant": group[0]["variant"], "seeds": len(group)}
    numbers = [key for key, value in group[0].items() if isinstance(value, float)]
    return row | {key: round(statistics.mean(one[key] for one in group), 3) for key in numbers}


# Settings by what the student learns from.
GROUPS = {
    "examples that the teachers learned by heart": ("#888888", lambda variant: True),
    "these and twice as many that the teachers have not seen": ("#1b4f8f", lambda variant: "fresh" in variant),
    "augmented views, new to teachers and student": ("#4c9a5b", lambda variant: "views" in variant),
    "a fifth of the labels, all examples for the student": ("#d9772b", lambda variant: "fifth" in variant),
}


def draw(means: list[dict], rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = dict(zip(STUDENTS, ["#1b4f8f", "#7fb2e5", "#d9772b", "#888888"]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(15.5, 0.33 * len(means) + 1.6), gridspec_kw={"width_ratios": [1.35, 1]})
    for y, mean in enumerate(reversed(means)):
        for name in list(STUDENTS)[:-1]:
            here = [row for row in rows if row["variant"] == mean["variant"]]
            each = [pooled(row, name) - pooled(row, "student_hard") for row in here]
            left.plot([min(each), max(each)], [y, y], color=colours[name], lw=1.5, alpha=0.4)
            left.scatter(statistics.mean(each), y, color=colours[name], s=45, zorder=3)
    left.set_yticks(range(len(means)), [mean["variant"] for mean in reversed(means)], fontsize=9)
    left.set_ylim(-0.7, len(means) - 0.3)
    left.axvline(0, color="black", lw=0.8)
    left.set_xlabel("student's lead over its twin on labels, points of top-1, validation and test together")
    left.set_title("Students by their targets, mean and range of the seeds", fontsize=11)
    words = list(STUDENTS.items())[:-1]
    handles = [plt.Line2D([], [], color=colours[name], marker="o", lw=0, label=word) for name, word in words]
    left.legend(handles=handles, frameon=False, loc="upper right", fontsize=9)
    for row in rows:
        colour = [colour for colour, belongs in GROUPS.values() if belongs(row["variant"])][-1]
        for teacher, student, marker in (("ensemble", "student", "o"), ("generalist_ensemble", "student_generalist_ensemble", "s")):
            x = pooled(row, teacher) - pooled(row, "generalist")
            y = pooled(row, student) - pooled(row, "student_generalist")
            filled = colour if marker == "o" else "none"
            right.scatter(x, y, marker=marker, s=46, facecolors=filled, edgecolors=colour, linewidths=1.5, alpha=0.8)
    ends = [-0.5, 2.8]
    right.plot(ends, ends, color="0.7", lw=1, ls="--")
    right.axhline(0, color="black", lw=0.8)
    right.axvline(0, color="black", lw=0.8)
    right.set_xlabel("teacher's lead over the generalist, points of top-1")
    right.set_ylabel("its student's lead over the student\non the generalist's targets, points of top-1")
    right.set_title("A better teacher, a better student? Each point is a run", fontsize=11)
    handles = [plt.Line2D([], [], color=colour, marker="o", lw=0, label=word) for word, (colour, _) in GROUPS.items()]
    handles += [plt.Line2D([], [], color="black", marker="o", lw=0, label="merged targets")]
    handles += [plt.Line2D([], [], color="black", marker="s", mfc="none", lw=0, label="plain ensemble's targets")]
    right.legend(handles=handles, frameon=False, fontsize=8.5, loc="upper left")
    right.set_ylim(top=4.2)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def pooled(row: dict, name: str) -> float:
    """Top-1 on 2000 validation and 4000 test examples together; nothing is chosen by it."""
    return (row[f"{name}_valid"] + 2 * row[f"{name}_test"]) / 3


if __name__ == "__main__":
    main()
