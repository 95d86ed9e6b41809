"""What does a student keep of its teachers' gain? Runs three sizes, three shares of labels and three seeds; draws the result.

    python experiments/gain_kept/run.py

Needs Python with numpy and matplotlib, and `target/release/stillhouse`. Writes runs/gain_kept/ (finished runs are not run again)
and results/ in this folder: students.csv, summary.json, gain_kept.png. --only collect draws from the runs.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SEEDS = [0, 1, 2]
# Share of the paragraphs that keep their labels, and epochs of all teachers: fewer examples need more epochs.
EPOCHS = {1.0: 12, 0.1: 40, 0.03: 80}
# Buckets, width, hidden units.
SIZES = {
    "own size": (16384, 32, [128]),
    "a quarter": (8192, 16, [32]),
    "a sixteenth": (2048, 16, []),
}
# At own size with a tenth of the labels, seed 0: views, epochs of the student, temperature, weight of the labels.
PILOT = {
    "v3e12": (3, 12, 1.0, 0.1),
    "v3e36": (3, 36, 1.0, 0.1),
    "v3e36T2": (3, 36, 2.0, 0.1),
    "v6e24": (6, 24, 1.0, 0.1),
    "v12e24": (12, 24, 1.0, 0.1),
    "v12e24t0": (12, 24, 1.0, 0.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/gain_kept")
    parser.add_argument("--only", nargs="+", default=["pilot", "runs", "twins", "collect"])
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--shares", nargs="+", type=float, default=list(EPOCHS), help="of the labels")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), help="of the student")
    parser.add_argument("--without-plain", action="store_true", help="leave out the plain ensemble and the student on its targets")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--threads", type=int, default=2, help="of each")
    arguments = parser.parse_args()
    if not (arguments.out / "train.tsv").exists():
        subprocess.run([sys.executable, str(HERE / "prepare.py"), str(arguments.out)], check=True)
    runs = [(seed, share, size) for seed in arguments.seeds for share in reversed(arguments.shares) for size in arguments.sizes]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        if "pilot" in arguments.only:
            list(pool.map(lambda name: pilot(arguments, name), PILOT))
        if "twins" in arguments.only:
            list(pool.map(lambda one: run(arguments, "twins", *one), [one for one in runs if one[2] != "own size"]))
        if "runs" in arguments.only:
            list(pool.map(lambda one: run(arguments, "base", *one), runs))
    if "collect" in arguments.only:
        collect(arguments.out)


def run_name(config: str, seed: int, share: float, size: str) -> str:
    prefix = "" if config == "base" else "twin_"
    return f"{prefix}{size.replace(' ', '_')}_{share:g}_seed{seed}"


def run(arguments: argparse.Namespace, config: str, seed: int, share: float, size: str) -> None:
    n_buckets, width, hidden = SIZES[size]
    sized = "student" if config == "base" else "generalist"
    overrides = [
        f"{sized}.model.n_buckets={n_buckets}",
        f"{sized}.model.width={width}",
        f"{sized}.model.hidden={hidden}",
    ]
    if config == "base" and arguments.without_plain:
        overrides.append('evaluation.baselines=["student_hard"]')
    start(arguments, config, run_name(config, seed, share, size), seed, share, overrides)


def pilot(arguments: argparse.Namespace, name: str) -> None:
    views, n_epochs, temperature, task_loss_weight = PILOT[name]
    overrides = [
        f"student.views={views}",
        f"student.training.n_epochs={n_epochs}",
        f"student.distillation.loss.temperature={temperature}",
        f"student.distillation.task_loss_weight={task_loss_weight}",
        f"student.distillation.distill_loss_weight={1 - task_loss_weight}",
        'evaluation.baselines=["student_hard"]',
    ]
    start(arguments, "base", f"pilot_{name}", 0, 0.1, overrides)


def start(arguments: argparse.Namespace, config: str, name: str, seed: int, share: float, overrides: list[str]) -> None:
    folder = arguments.out / name
    if (folder / "report.json").exists():
        return
    overrides = [
        f"seed={seed}",
        f"data.train={json.dumps(str(arguments.out / 'train.tsv'))}",
        f"generalist.training.n_epochs={EPOCHS[share]}",
        *overrides,
    ]
    if config == "base":
        overrides.append(f"specialists.training.n_epochs={EPOCHS[share]}")
    if share < 1:
        overrides.append(f"data.labelled_fraction={share}")
    command = [arguments.program, "run", "-q", str(HERE / f"{config}.toml"), "--out", str(folder)]
    command += ["--stages", str(arguments.out / "stages"), "--threads", str(arguments.threads)]
    command += [part for override in overrides for part in ("--set", override)]
    started = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{folder.name}: {time.time() - started:.0f} s", flush=True)


def percent(share: float) -> float:
    return round(100 * share, 2)


def read(out: Path, config: str, *one: object) -> dict | None:
    path = out / run_name(config, *one) / "report.json"
    return json.loads(path.read_text()) if path.exists() else None


def pilot_row(out: Path, name: str) -> dict | None:
    """Validation alone: it chooses."""
    path = out / f"pilot_{name}" / "report.json"
    if not path.exists():
        return None
    models = {model["name"]: model for model in json.loads(path.read_text())["models"]}
    views, n_epochs, temperature, task_loss_weight = PILOT[name]
    row = {"pilot": name, "views": views, "epochs": n_epochs, "temperature": temperature, "task_loss_weight": task_loss_weight}
    return row | {f"{one}_valid": percent(models[one]["valid_top1"]) for one in ("generalist", "ensemble", "student", "student_hard")}


def row_of(out: Path, seed: int, share: float, size: str) -> dict | None:
    report, twin = read(out, "base", seed, share, size), read(out, "twins", seed, share, size)
    if report is None:
        return None
    models = {model["name"]: model for model in report["models"]}
    row = {"size": size, "labels": share, "seed": seed, "n_train": report["dataset"]["n_train"]}
    row["parameters"] = models["student"]["n_parameters"]
    for name in ("generalist", "ensemble", "generalist_ensemble", "student", "student_generalist_ensemble", "student_hard"):
        model = models.get(name)
        row[name] = percent(model["top1"]) if model else None
        row[f"{name}_valid"] = percent(model["valid_top1"]) if model else None
    row["gain_kept"] = percent(report["gain_kept"])
    # The same network on labels for as many epochs as the teachers; at own size that is the generalist.
    long_twin = models["generalist"]["top1"] if size == "own size" else None
    if twin:
        long_twin = next(point for point in twin["portfolio"] if point["n_generalists"] == 1)["top1"]
    row["long_twin"] = percent(long_twin) if long_twin else None
    # Without the longer twin the distance would be that of the number of steps.
    row["gain_kept_of_better_twin"] = None
    if long_twin:
        best = max(models["student_hard"]["top1"], long_twin)
        row["gain_kept_of_better_twin"] = percent((models["student"]["top1"] - best) / (models["ensemble"]["top1"] - best))
    verdicts = {(found["a"], found["b"]): found["verdict"] for found in report["comparisons"]}
    row["against_hard"] = verdicts.get(("student", "student_hard"))
    row["against_plain_targets"] = verdicts.get(("student", "student_generalist_ensemble"))
    row["seconds"] = round(report["wall_seconds"])
    return row


def collect(out: Path) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    every = [row_of(out, seed, share, size) for size in SIZES for share in EPOCHS for seed in SEEDS]
    rows = [row for row in every if row is not None]
    pilots = [row for row in (pilot_row(out, name) for name in PILOT) if row is not None]
    write_csv(results / "pilot.csv", pilots)
    write_csv(results / "students.csv", rows)
    means = [mean_row(group) for group in groups(rows)]
    (results / "summary.json").write_text(json.dumps({"pilot": pilots, "means": means, "runs": rows}, indent=1) + "\n")
    for mean in means:
        print(mean)
    if rows:
        draw(rows, results / "gain_kept.png")


def write_csv(path: Path, rows: list[dict]) -> None:
    if not rows:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def groups(rows: list[dict]) -> list[list[dict]]:
    keys = dict.fromkeys((row["size"], row["labels"]) for row in rows)
    return [[row for row in rows if (row["size"], row["labels"]) == key] for key in keys]


def mean_row(group: list[dict]) -> dict:
    """Means over the seeds; of gain kept also the smallest and the largest."""
    row = {"size": group[0]["size"], "labels": group[0]["labels"], "seeds": len(group)}
    numbers = [key for key in group[0] if key != "labels" and all(isinstance(one[key], float) for one in group)]
    row |= {key: round(statistics.mean(one[key] for one in group), 2) for key in numbers}
    for key in ("gain_kept", "gain_kept_of_better_twin"):
        row[f"{key}_each"] = [one[key] for one in group]
    for key in ("against_hard", "against_plain_targets"):
        row[key] = [one[key] for one in group]
    return row


def draw(rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shares = [share for share in sorted(EPOCHS) if any(row["labels"] == share for row in rows)]
    figure, axes = plt.subplots(1, 2, figsize=(12.4, 5.2), gridspec_kw={"width_ratios": [1, 1]})
    colours = dict(zip(SIZES, ["#1b4f8f", "#d9772b", "#4c9a5b"]))
    left, right = axes
    for size in SIZES:
        points = [(x, [row for row in rows if row["size"] == size and row["labels"] == share]) for x, share in enumerate(shares)]
        points = [(x, found) for x, found in points if found]
        if not points:
            continue
        kept = [(x, [row["gain_kept_of_better_twin"] for row in found if row["long_twin"]]) for x, found in points]
        kept = [(x, values) for x, values in kept if values]
        for x, values in kept:
            left.scatter([x] * len(values), values, color=colours[size], s=16, alpha=0.45)
        if kept:
            means = [(x, statistics.mean(values)) for x, values in kept]
            left.plot(*zip(*means), color=colours[size], lw=2.5, marker="o", ms=7, label=size)
        for key, style in (("student", "-"), ("student_generalist_ensemble", "--"), ("best_twin", ":")):
            best_twin = lambda row: max(row["student_hard"], row["long_twin"]) if row["long_twin"] else None
            value = best_twin if key == "best_twin" else lambda row: row[key]
            known = [(x, [value(row) for row in found if value(row) is not None]) for x, found in points]
            known = [(x, statistics.mean(values)) for x, values in known if values]
            if known:
                right.plot(*zip(*known), style, color=colours[size], lw=2, marker="o", ms=5)
    # The students of all sizes have the same teachers.
    teachers = [{row["seed"]: row["ensemble"] for row in rows if row["labels"] == share} for share in shares]
    teachers = [(x, statistics.mean(found.values())) for x, found in enumerate(teachers)]
    right.plot(*zip(*teachers), color="black", lw=1.2, marker="s", ms=5)
    left.axhline(86, color="grey", lw=1, ls="--")
    left.text(len(shares) - 0.85, 87.5, "86 %: the paper's plain ensemble", ha="right", fontsize=9, color="grey")
    left.axhline(0, color="black", lw=0.8)
    left.set_ylabel("gain kept, %")
    left.set_title("What the student keeps of the merged teacher's gain over labels", fontsize=11)
    left.legend(title="student, of the generalist", frameon=False)
    right.set_ylabel("test top-1, %")
    right.set_title("Students on merged targets, on plain targets, on labels", fontsize=11)
    handles = [plt.Line2D([], [], color="black", lw=1.2, marker="s", ms=5, label="merged teacher")]
    words = (("-", "student, merged targets"), ("--", "student, plain ensemble's targets"), (":", "its better twin on labels"))
    handles += [plt.Line2D([], [], color="grey", ls=style, lw=2, label=word) for style, word in words]
    shown = [size for size in SIZES if any(row["size"] == size for row in rows)]
    handles += [plt.Line2D([], [], color=colours[size], marker="o", lw=0, label=size) for size in shown]
    right.legend(handles=handles, frameon=False, loc="lower right", fontsize=9)
    for axis in axes:
        axis.set_xticks(range(len(shares)), ["all" if share == 1 else f"{100 * share:g} %" for share in shares])
        axis.set_xlim(-0.2, len(shares) - 0.8)
        axis.set_xlabel("training paragraphs with labels")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.25)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
