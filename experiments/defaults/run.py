"""What to leave at its default: varies temperature, gate, rule, calibration and more, one at a time, for the same trained teachers.

    python experiments/defaults/run.py

Needs Python with numpy and matplotlib, and `target/release/stillhouse`. Writes runs/defaults/ (finished runs are not run again) and
results/ in this folder: runs.csv, summary.json, defaults.png. --only collect draws from the runs.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
TEMPERATURE = "student.distillation.loss.temperature="
VARIANTS = {
    "defaults": [],
    "T = 2": [TEMPERATURE + "2.0"],
    "T = 20": [TEMPERATURE + "20.0"],
    "T = 2, softened before": [TEMPERATURE + "2.0", 'merge.soften="before_merge"'],
    "gate: top 1": ['merge.gate={kind="top_n",n=1}'],
    "one EM step": ['merge.rule="em_step"'],
    "arithmetic mean": ['merge.rule="arithmetic_mean"'],
    "calibrated": ['merge.calibration="temperature"'],
    "fitted weight": ['merge.weights={kind="fitted"}'],
    "fitted weight, calibrated": ['merge.weights={kind="fitted"}', 'merge.calibration="temperature"'],
    "dustbins counted": ['specialists.dustbin_bias="counted"'],
    "nothing from labels": ["student.distillation.task_loss_weight=0.0", "student.distillation.distill_loss_weight=1.0"],
}
DATA = {"glyphs": "200 glyphs", "languages": "200 languages, a tenth of the labels"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/defaults")
    parser.add_argument("--only", nargs="+", default=["runs", "collect"])
    parser.add_argument("--data", nargs="+", default=list(DATA))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if "runs" in arguments.only:
        if "languages" in arguments.data and not (arguments.out / "train.tsv").exists():
            prepare = REPOSITORY / "experiments/gain_kept/prepare.py"
            subprocess.run([sys.executable, str(prepare), str(arguments.out)], check=True)
        for data in arguments.data:
            for variant in VARIANTS:
                run(arguments, data, variant)
    if "collect" in arguments.only:
        collect(arguments.out)


def run_name(data: str, variant: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in f"{data}-{variant}")


def run(arguments: argparse.Namespace, data: str, variant: str) -> None:
    folder = arguments.out / run_name(data, variant)
    if (folder / "report.json").exists():
        return
    overrides = list(VARIANTS[variant])
    if data == "languages":
        overrides.append(f"data.train={json.dumps(str(arguments.out / 'train.tsv'))}")
    command = [arguments.program, "run", "-q", str(HERE / f"{data}.toml"), "--out", str(folder)]
    command += ["--stages", str(arguments.out / f"stages_{data}"), "--threads", str(arguments.threads)]
    command += [part for override in overrides for part in ("--set", override)]
    started = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{folder.name}: {time.time() - started:.0f} s", flush=True)


def percent(share: float) -> float:
    return round(100 * share, 2)


def row_of(out: Path, data: str, variant: str) -> dict | None:
    path = out / run_name(data, variant) / "report.json"
    if not path.exists():
        return None
    report = json.loads(path.read_text())
    models = {model["name"]: model for model in report["models"]}
    row = {"data": DATA[data], "variant": variant}
    for name, word in (("generalist", "generalist"), ("ensemble", "merged"), ("student", "student"), ("student_hard", "hard")):
        model = models[name]
        row |= {f"{word}_valid": percent(model["valid_top1"]), f"{word}_test": percent(model["top1"])}
        row |= {f"{word}_nll": round(model["nll"], 3), f"{word}_ece": percent(model["ece"])}
    return row | {
        "entropy": round(report["soft_target_entropy"], 3),
        "n_valid": report["dataset"]["n_valid"],
        "n_test": report["dataset"]["n_test"],
    }


def collect(out: Path) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    every = [row_of(out, data, variant) for data in DATA for variant in VARIANTS]
    rows = [with_margins(row, every) for row in every if row is not None]
    with (results / "runs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (results / "summary.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(list(row.values()))
    draw(rows, results / "defaults.png")


def with_margins(row: dict, every: list[dict | None]) -> dict:
    base = next(one for one in every if one is not None and one["data"] == row["data"] and one["variant"] == "defaults")
    keys = ("merged_valid", "merged_test", "student_valid", "student_test")
    return row | {f"{key}_to_defaults": round(row[key] - base[key], 2) for key in keys}


def draw(rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    variants = [variant for variant in VARIANTS if variant != "defaults" and any(row["variant"] == variant for row in rows)]
    shown = [data for data in DATA.values() if any(row["data"] == data for row in rows)]
    figure, axes = plt.subplots(1, len(shown), figsize=(2 + 5.5 * len(shown), 0.36 * len(variants) + 1.8), sharey=True, squeeze=False)
    axes = axes[0]
    for axis, data in zip(axes, shown):
        for y, variant in enumerate(reversed(variants)):
            row = next((row for row in rows if (row["data"], row["variant"]) == (data, variant)), None)
            if row is None:
                continue
            axis.scatter(row["merged_valid_to_defaults"], y + 0.12, color="#888888", marker="s", s=42, zorder=3)
            axis.scatter(row["student_valid_to_defaults"], y - 0.12, color="#1b4f8f", s=50, zorder=3)
        base = next((row for row in rows if (row["data"], row["variant"]) == (data, "defaults")), None)
        axis.axvline(0, color="black", lw=1)
        if base:
            axis.set_title(f"{data}\ndefaults: merged {base['merged_valid']:.1f}, student {base['student_valid']:.1f}", fontsize=11)
        axis.set_yticks(range(len(variants)), list(reversed(variants)))
        axis.set_xlabel("points of validation top-1 against the defaults")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    handles = [
        plt.Line2D([], [], color="#888888", marker="s", lw=0, label="merged teacher"),
        plt.Line2D([], [], color="#1b4f8f", marker="o", lw=0, label="student"),
    ]
    axes[0].legend(handles=handles, frameon=False, loc="lower left")
    figure.tight_layout()
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
