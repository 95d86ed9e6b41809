"""Do regularisers help here? Runs each one against the same training without it; draws the result.

    python experiments/regularisers/run.py --cifar FOLDER

Needs Python with numpy and matplotlib, and `target/release/stillhouse`; FOLDER holds the parquet files of uoft-cs/cifar100. Writes
runs/regularisers/ (finished runs are not run again) and results/ in this folder: runs.csv, means.csv, regularisers.png.
--only collect draws from the runs.
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


def both(setting: str) -> list[str]:
    return [f"{table}.training.{setting}" for table in ("generalist", "student")]


def views(geometry: str, *others: str) -> list[str]:
    return [f"data.augment={{kind=\"combined\",geometry={{kind=\"{geometry}\"}},{','.join(others)}}}"]


CONSTANT = 'schedule={kind="constant",learning_rate=3e-3}'
ERASED = 'data.augment={kind="combined",random_erasing={}}'
LONGER = "generalist.training.n_epochs=30"
# Dataset: seeds, and variants with their settings.
CELLS = {
    "languages": (
        [0, 1, 2],
        {
            "without": [],
            "labels smoothed by 0.1": both("label_smoothing=0.1"),
            "only the student's": ["student.training.label_smoothing=0.1"],
            "average, decay 0.99": both("ema_decay=0.99"),
            "average, decay 0.998": both("ema_decay=0.998"),
            "constant rate": both(CONSTANT),
            "constant rate, average, decay 0.998": both(CONSTANT) + both("ema_decay=0.998"),
            "two batches of 32 a step": [part for one in ("batch_size=32", "accumulate_batches=2") for part in both(one)],
        },
    ),
    "glyphs": (
        [0, 1, 2],
        {
            "without": [],
            "erasing": views("affine_elastic", "random_erasing={}"),
            "erasing a quarter": views("affine_elastic", "random_erasing={share=0.25,max_area=0.2}"),
            "jitter": views("affine_elastic", "colour_jitter={}"),
            "average, decay 0.99": ["generalist.training.ema_decay=0.99"],
            "labels smoothed by 0.1": ["generalist.training.label_smoothing=0.1"],
        },
    ),
    # images as they are, long enough to be known by heart
    "glyphs, unmoved": (
        [0, 1, 2],
        {
            "without": ['data.augment={kind="none"}'],
            "erasing": [ERASED],
            "erasing a quarter": ['data.augment={kind="combined",random_erasing={share=0.25,max_area=0.2}}'],
        },
    ),
    "cifar100, unmoved": (
        [0],
        {
            "without": ['data.augment={kind="none"}', LONGER],
            "erasing": [ERASED, LONGER],
        },
    ),
    "cifar100": (
        [0],
        {
            "without": [],
            "erasing": views("crop_flip", "random_erasing={}"),
            "jitter": views("crop_flip", "colour_jitter={}"),
        },
    ),
}
MODELS = {data: ["generalist", "student", "student_hard"] if data == "languages" else ["generalist"] for data in CELLS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/regularisers")
    parser.add_argument("--only", nargs="+", default=["runs", "collect"])
    parser.add_argument("--data", nargs="+", default=list(CELLS))
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--threads", type=int, default=2, help="of each run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    arguments = parser.parse_args()
    if "runs" in arguments.only:
        for data in arguments.data:
            if data.startswith("cifar100") and not arguments.cifar:
                print("cifar100: left out, for want of --cifar")
                continue
            seeds, variants = CELLS[data]
            runs = [(variant, seed) for seed in seeds for variant in variants]
            with ThreadPoolExecutor(arguments.jobs) as pool:
                list(pool.map(lambda one: run(arguments, data, *one), runs))
    if "collect" in arguments.only:
        collect(arguments.out)


def run_name(data: str, variant: str, seed: int) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in f"{data}-{variant}-seed{seed}")


def run(arguments: argparse.Namespace, data: str, variant: str, seed: int) -> None:
    folder = arguments.out / run_name(data, variant, seed)
    if (folder / "report.json").exists():
        return
    overrides = [f"seed={seed}", *CELLS[data][1][variant]]
    config = data.split(",")[0]
    if config == "cifar100":
        overrides.append(f"data.path={json.dumps(str(arguments.cifar))}")
    command = [arguments.program, "run", "-q", str(HERE / f"{config}.toml"), "--out", str(folder)]
    command += ["--stages", str(arguments.out / f"stages_{config}"), "--threads", str(arguments.threads)]
    command += [part for override in overrides for part in ("--set", override)]
    started = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{folder.name}: {time.time() - started:.0f} s", flush=True)


def percent(share: float) -> float:
    return round(100 * share, 2)


def rows_of(out: Path, data: str, variant: str, seed: int) -> list[dict]:
    path = out / run_name(data, variant, seed) / "report.json"
    if not path.exists():
        return []
    models = {model["name"]: model for model in json.loads(path.read_text())["models"]}
    rows = []
    for name in MODELS[data]:
        model = models[name]
        row = {"data": data, "variant": variant, "model": name, "seed": seed}
        row |= {"valid_top1": percent(model["valid_top1"]), "top1": percent(model["top1"])}
        rows.append(row | {"nll": round(model["nll"], 3), "ece": percent(model["ece"]), "train_seconds": round(model["train_seconds"], 1)})
    return rows


def collect(out: Path) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    rows = [row for data, (seeds, variants) in CELLS.items() for variant in variants for seed in seeds for row in rows_of(out, data, variant, seed)]
    write_csv(results / "runs.csv", rows)
    means = []
    for key in dict.fromkeys((row["data"], row["variant"], row["model"]) for row in rows):
        group = [row for row in rows if (row["data"], row["variant"], row["model"]) == key]
        mean = dict(zip(("data", "variant", "model"), key)) | {"seeds": len(group)}
        for number in ("valid_top1", "top1", "nll", "ece", "train_seconds"):
            mean[number] = round(statistics.mean(row[number] for row in group), 3 if number == "nll" else 2)
        means.append(mean)
    write_csv(results / "means.csv", means)
    for mean in means:
        print(*mean.values(), sep=" | ")
    draw(rows, results / "regularisers.png")


def write_csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(rows: list[dict], path: Path) -> None:
    """Each variant's distance to the same training without it, by seed."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = {(row["data"], row["variant"], row["model"], row["seed"]): row["top1"] for row in rows}
    panels = [(data, model) for data in CELLS for model in MODELS[data] if any(key[0] == data for key in found)]
    n_columns = 4
    n_rows = -(-len(panels) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(4.2 * n_columns, 3.4 * n_rows), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, (data, model) in zip(axes.flat, panels):
        seeds, variants = CELLS[data]
        names = [variant for variant in variants if variant != "without"]
        for y, variant in enumerate(names):
            keys = [(data, variant, model, seed) for seed in seeds]
            gains = [found[key] - found[(data, "without", model, key[3])] for key in keys if key in found]
            axis.scatter(gains, [y] * len(gains), color="#1b4f8f", s=30, alpha=0.6, zorder=3)
            if gains:
                axis.scatter([statistics.mean(gains)], [y], color="black", marker="|", s=220, zorder=4)
        axis.axvline(0, color="black", lw=0.8)
        axis.set_yticks(range(len(names)), names, fontsize=8)
        axis.invert_yaxis()
        axis.set_title(f"{data}, {model}", fontsize=10)
        axis.set_xlabel("points of test top-1 gained", fontsize=9)
        axis.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
