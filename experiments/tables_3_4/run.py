"""Tables 3 and 4 of the paper: what specialists gain, inside their clusters and by the number of them that cover a class.

    python experiments/tables_3_4/run.py --udhr FOLDER

FOLDER holds train.tsv and test.tsv of configs/text/languages.toml. Needs Python with numpy and matplotlib, and
`target/release/stillhouse`. Writes runs/tables_3_4/ (finished runs are not run again) and results/ in this folder: table3.csv,
table4.csv, summary.json, gains.png. --only collect draws from the runs.
"""

import argparse
import csv
import json
import statistics
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
# Config, settings. The student of the languages is not looked at either.
DATA = {
    "443 languages": (
        REPOSITORY / "configs/text/languages.toml",
        [
            "generalist.training.n_epochs=12",
            "specialists.training.n_epochs=12",
            "student.model.width=2",
            "student.training.n_epochs=1",
            "student.views=1",
            "evaluation.n_samples=0",
        ],
    ),
    "200 glyphs, 500 examples": (HERE / "glyphs.toml", []),
    "200 glyphs, 20 examples": (
        HERE / "glyphs.toml",
        ["data.train_per_class=20", "generalist.training.n_epochs=60", "specialists.training.n_epochs=60"],
    ),
    "1000 glyphs, 200 examples": (
        HERE / "glyphs.toml",
        [
            "data.n_classes=1000",
            "data.train_per_class=200",
            "data.test_per_class=10",
            "clustering.method.n_clusters=50",
            "clustering.max_classes=120",
        ],
    ),
}
START = 'specialists.init="generalist"'
FULL = 'specialists.head="full_softmax"'
PAIRS = 'clustering.method.kind="greedy_pairs"'
SPECIALISTS = {
    "from scratch": [],
    "from the generalist": [START],
    "from scratch, coverage 1": ["clustering.coverage=1"],
    "from scratch, greedy pairs": [PAIRS, "clustering.coverage=1"],
    "full softmax, from scratch": [FULL],
    "full softmax, from the generalist": [START, FULL],
}
ALL = list(SPECIALISTS)
WANTED = {
    "443 languages": [ALL[0], ALL[1], ALL[3]],
    "200 glyphs, 500 examples": ALL,
    "200 glyphs, 20 examples": [ALL[0], ALL[1], ALL[4], ALL[5]],
    "1000 glyphs, 200 examples": [ALL[0], ALL[1], ALL[3]],
}

# The cells that rest on three seeds.
SEEDS = [0, 1, 2]
REPEATED = [
    ("443 languages", "from scratch"),
    ("200 glyphs, 500 examples", "from scratch, coverage 1"),
    ("200 glyphs, 20 examples", "full softmax, from scratch"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--udhr", type=Path, help="folder with train.tsv and test.tsv")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/tables_3_4")
    parser.add_argument("--only", nargs="+", default=["runs", "collect"])
    parser.add_argument("--data", nargs="+", default=list(DATA))
    parser.add_argument("--specialists", nargs="+", default=ALL)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if "runs" in arguments.only:
        for data, kind, seed in all_cells():
            if data in arguments.data and kind in arguments.specialists and seed in arguments.seeds:
                run(arguments, data, kind, seed)
    if "collect" in arguments.only:
        collect(arguments.out)


def all_cells() -> list[tuple[str, str, int]]:
    cells = [(data, kind) for data in DATA for kind in WANTED[data]]
    return [(*cell, seed) for cell in cells for seed in (SEEDS if cell in REPEATED else [0])]


def run_name(data: str, kind: str, seed: int = 0) -> str:
    name = "".join(letter if letter.isalnum() else "_" for letter in f"{data}-{kind}")
    return f"{name}_seed{seed}" if seed else name


def run(arguments: argparse.Namespace, data: str, kind: str, seed: int) -> None:
    folder = arguments.out / run_name(data, kind, seed)
    if (folder / "report.json").exists():
        return
    config, settings = DATA[data]
    overrides = [f"seed={seed}", *settings, *SPECIALISTS[kind]]
    if data == "443 languages":
        overrides += [f"data.{split}={json.dumps(str(arguments.udhr / f'{split}.tsv'))}" for split in ("train", "test")]
    command = [arguments.program, "run", "-q", str(config), "--out", str(folder)]
    command += ["--stages", str(arguments.out / f"stages_{run_name(data, '')}"), "--threads", str(arguments.threads)]
    command += [part for override in overrides for part in ("--set", override)]
    started = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"{folder.name}: {time.time() - started:.0f} s", flush=True)


def percent(share: float) -> float:
    return round(100 * share, 2)


def read(out: Path, data: str, kind: str, seed: int) -> dict | None:
    path = out / run_name(data, kind, seed) / "report.json"
    return json.loads(path.read_text()) if path.exists() else None


def row_of(data: str, kind: str, seed: int, report: dict) -> dict:
    """Table 3: relative gains of the merged ensemble over the generalist, in %."""
    models = {model["name"]: model for model in report["models"]}
    generalist, merged, plain = models["generalist"], models["ensemble"], models["generalist_ensemble"]
    inside = report["conditional"]
    found = {(one["a"], one["b"]): one for one in report["comparisons"]}
    against = found[("ensemble", "generalist_ensemble")]
    clusters = report["clusters"]
    return {
        "data": data,
        "specialists": kind,
        "seed": seed,
        "n": len(clusters),
        "memberships": round(sum(len(cluster["classes"]) for cluster in clusters) / report["dataset"]["n_classes"], 2),
        "cost": round(merged["train_flops"] / generalist["train_flops"], 2),
        "generalist": percent(generalist["top1"]),
        "merged": percent(merged["top1"]),
        "gain": percent(merged["top1"] / generalist["top1"] - 1),
        "generalist_inside": percent(inside["generalist_conditional_top1"]),
        "merged_inside": percent(inside["ensemble_conditional_top1"]),
        "gain_inside": percent(inside["ensemble_conditional_top1"] / inside["generalist_conditional_top1"] - 1),
        "helpful": sum(cluster["helps"] for cluster in clusters),
        "against_generalist": found[("ensemble", "generalist")]["verdict"],
        "plain": percent(plain["top1"]),
        "plain_cost": round(plain["train_flops"] / generalist["train_flops"]),
        "plain_gain": percent(plain["top1"] / generalist["top1"] - 1),
        "against_plain": against["verdict"],
        "against_plain_delta": percent(against["delta"]),
        "generalist_nll": round(generalist["nll"], 3),
        "merged_nll": round(merged["nll"], 3),
        "plain_nll": round(plain["nll"], 3),
        "generalist_valid": percent(generalist["valid_top1"]),
        "merged_valid": percent(merged["valid_top1"]),
        "n_test": report["dataset"]["n_test"],
    }


def coverage_rows(data: str, kind: str, seed: int, report: dict) -> list[dict]:
    """Table 4."""
    return [
        {"data": data, "specialists": kind, "seed": seed, "covering": row["covering"], "n_test": row["n_examples"]}
        | {"more_correct": row["delta_correct"], "gain": percent(row["relative_gain"])}
        for row in report["coverage"]
    ]


def collect(out: Path) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    reports = {cell: read(out, *cell) for cell in all_cells()}
    reports = {cell: report for cell, report in reports.items() if report is not None}
    rows = [row_of(*cell, report) for cell, report in reports.items()]
    coverage = [row for cell, report in reports.items() for row in coverage_rows(*cell, report)]
    write_csv(results / "table3.csv", rows)
    write_csv(results / "table4.csv", coverage)
    means = mean_rows(rows)
    (results / "summary.json").write_text(json.dumps({"means": means, "table3": rows, "table4": coverage}, indent=1) + "\n")
    for row in rows:
        print(list(row.values()))
    for row in coverage:
        print(list(row.values()))
    draw(means, [row for row in coverage if row["seed"] == 0], results / "gains.png")


def mean_rows(rows: list[dict]) -> list[dict]:
    """Means over the seeds of a cell; its gains and verdicts one by one as well."""
    means = []
    for key in dict.fromkeys((row["data"], row["specialists"]) for row in rows):
        group = [row for row in rows if (row["data"], row["specialists"]) == key]
        mean = {"data": key[0], "specialists": key[1], "seeds": len(group)}
        numbers = [name for name, value in group[0].items() if isinstance(value, float)]
        mean |= {name: round(statistics.mean(row[name] for row in group), 2) for name in numbers}
        each = ("gain", "gain_inside", "against_plain_delta", "against_plain", "helpful")
        means.append(mean | {f"{name}_each": [row[name] for row in group] for name in each})
    return means


def write_csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(means: list[dict], coverage: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    data = list(dict.fromkeys(row["data"] for row in means))
    figure, (left, right) = plt.subplots(1, 2, figsize=(13.5, 0.36 * len(means) + 2.2), gridspec_kw={"width_ratios": [1.35, 1]})
    colours = dict(zip(DATA, ["#1b4f8f", "#d9772b", "#c9a227", "#4c9a5b"]))
    for y, row in enumerate(reversed(means)):
        left.barh(y + 0.2, row["gain"], 0.36, color=colours[row["data"]])
        left.barh(y - 0.2, row["gain_inside"], 0.36, color=colours[row["data"]], alpha=0.45)
        left.plot([row["plain_gain"]] * 2, [y + 0.02, y + 0.4], color="black", lw=2)
        for lift, name in ((0.2, "gain"), (-0.2, "gain_inside")):
            each = row[f"{name}_each"]
            if len(each) > 1:
                left.scatter(each, [y + lift] * len(each), s=9, facecolors="white", edgecolors="black", linewidths=0.7, zorder=3)
        end = max(*row["gain_each"], *row["gain_inside_each"], row["plain_gain"])
        left.text(end + 0.5, y, f"{row['gain']:.1f} | {row['gain_inside']:.1f}", va="center", fontsize=8.5)
    seeds = lambda row: f" ({row['seeds']} seeds)" if row["seeds"] > 1 else ""
    names = [f"{row['data']}: {row['specialists']}{seeds(row)}" for row in reversed(means)]
    left.set_yticks(range(len(means)), names, fontsize=8.5)
    left.axvline(4.4, color="grey", ls="--", lw=1)
    left.axvline(6.5, color="grey", ls=":", lw=1)
    left.set_xlim(right=1.15 * max(row["gain"] for row in means))
    left.set_xlabel("relative gain over the generalist, %: top-1 | inside clusters")
    handles = [plt.Rectangle((0, 0), 1, 1, color="0.35"), plt.Rectangle((0, 0), 1, 1, color="0.35", alpha=0.45)]
    handles += [plt.Line2D([], [], color="black", lw=2)]
    handles += [plt.Line2D([], [], color="grey", ls=style, lw=1) for style in ("--", ":")]
    words = ["top-1", "top-1 inside clusters", "plain ensemble of no less cost, top-1", "paper, top-1: 4.4", "paper, inside: 6.5"]
    left.legend(handles, words, frameon=False, fontsize=8, loc="center right")
    left.set_title("Table 3: what specialists gain", fontsize=12)
    for name in data:
        for kind, style in (("from scratch", "-"), ("from scratch, greedy pairs", "--")):
            points = [(row["covering"], row["gain"]) for row in coverage if (row["data"], row["specialists"]) == (name, kind) and row["n_test"] >= 100]
            if len(points) > 1:
                right.plot(*zip(*points), style, color=colours[name], marker="o", lw=2, label=f"{name}, {'greedy pairs' if 'pairs' in kind else 'spectral'}")
    paper = [0.0, 3.4, 7.4, 8.8, 10.5, 11.1, 11.3, 12.8, 13.6, 16.6]
    right.plot(range(1, len(paper)), paper[1:], color="grey", marker="s", lw=1.2, label="paper, 15000 classes")
    right.set_yscale("log")
    right.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    right.minorticks_off()
    right.set_xlabel("specialists that cover the true class")
    right.set_ylabel("relative gain of top-1, %")
    right.set_title("Table 4: gain by coverage", fontsize=12)
    right.legend(frameon=False, fontsize=8, loc="lower right")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x" if axis is left else "y", alpha=0.25)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
