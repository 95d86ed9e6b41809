"""Why does a better teacher make a worse student? Varies one thing at a time around base.toml.

    python experiments/teacher_student/run.py

Needs Python with numpy and matplotlib, and `target/release/stillhouse`. Writes runs/teacher_student/ (finished runs are not run
again) and results/ in this folder: runs.csv, summary.json, students.png. --only collect draws from the runs.
"""

import argparse
import csv
import json
import statistics
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SEEDS = [0, 1, 2]
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
    "fresh examples, T = 4": [FRESH, T4],
    "fresh examples, from scratch": [FRESH, 'specialists.init="scratch"'],
    "fresh examples, dustbins refit": [FRESH, 'specialists.dustbin_bias="refit"'],
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
    parser.add_argument("--only", nargs="+", default=["runs", "collect"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--threads", type=int, default=2, help="of each")
    arguments = parser.parse_args()
    if "runs" in arguments.only:
        runs = [(seed, variant) for seed in arguments.seeds for variant in arguments.variants]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(lambda one: run(arguments, *one), runs))
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
    for mean in means:
        students = " ".join(f"{mean[f'{name}_valid']:.2f}/{mean[f'{name}_test']:.2f}" for name in STUDENTS)
        print(f"{mean['variant']:30s} {mean['seeds']} merged {mean['ensemble_valid']:.2f}/{mean['ensemble_test']:.2f} {students} H {mean['entropy']}")
    draw(means, rows, results / "students.png")


def mean_row(group: list[dict]) -> dict:
    row = {"variant": group[0]["variant"], "seeds": len(group)}
    numbers = [key for key, value in group[0].items() if isinstance(value, float)]
    return row | {key: round(statistics.mean(one[key] for one in group), 3) for key in numbers}


def draw(means: list[dict], rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = dict(zip(STUDENTS, ["#1b4f8f", "#7fb2e5", "#d9772b", "#888888"]))
    figure, axis = plt.subplots(figsize=(9.2, 0.42 * len(means) + 1.6))
    for y, mean in enumerate(reversed(means)):
        for name in STUDENTS:
            each = [row[f"{name}_valid"] for row in rows if row["variant"] == mean["variant"]]
            axis.plot([min(each), max(each)], [y, y], color=colours[name], lw=1.5, alpha=0.4)
            axis.scatter(mean[f"{name}_valid"], y, color=colours[name], s=55, zorder=3)
    axis.set_yticks(range(len(means)), [mean["variant"] for mean in reversed(means)])
    axis.set_xlabel("validation top-1 of the student, %: mean and range of the seeds")
    handles = [plt.Line2D([], [], color=colours[name], marker="o", lw=0, label=word) for name, word in STUDENTS.items()]
    axis.legend(handles=handles, frameon=False, loc="upper center", bbox_to_anchor=(0.4, 1.0 + 1.2 / len(means)), ncols=4, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="x", alpha=0.25)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
