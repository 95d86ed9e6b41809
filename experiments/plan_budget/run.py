"""Does `stillhouse plan --budget` pick the winner? Asks it about each cell, trains its proposal and the alternative in full.

    python experiments/plan_budget/run.py --data FOLDER

FOLDER holds banking77/, clinc150/, mnist/ and languages443/ (what `ngram_features` wrote; experiments/languages/base.toml says
how). Needs Python with numpy and matplotlib, and `target/release/stillhouse`. Writes runs/plan_budget/ (finished plans and runs
are not repeated) and results/ in this folder: plans.csv, candidates.csv, summary.json, advice.png. --only collect draws from the
runs.
"""

import argparse
import csv
import importlib.util
import json
import re
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
# In trainings of one generalist; each cell has this one unless it says otherwise.
BUDGET = "3x"
BUDGETS = {"443 languages, 24 units, budget of 5": "5x"}
# Nobody looks at the student.
NO_STUDENT = [
    "student.training.n_epochs=1",
    "student.views=1",
    'evaluation.baselines=["generalist_ensemble"]',
    "evaluation.n_samples=0",
]
# The six cells on which the command's first rule was measured: width, classes, examples a class.
GLYPHS = [(256, 50, 20), (32, 50, 20), (32, 50, 100), (32, 50, 500), (32, 200, 20), (32, 200, 100)]


def glyph_settings(cell: tuple[int, int, int]) -> list[str]:
    """Those of experiments/specialists_pay, whose recipe was chosen there before its grid."""
    spec = importlib.util.spec_from_file_location("specialists_pay", HERE.parent / "specialists_pay/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.settings(*cell)


def files(folder: str, **names: str) -> dict[str, str]:
    return {f"data.{key}": f"{folder}/{name}".rstrip("/") for key, name in names.items()}


LANGUAGES = files(
    "languages443", train="train.npy", train_labels="train.labels.txt", test="test.npy", test_labels="test.labels.txt"
)
# Config, settings, files below the folder of data.
CELLS = {
    f"{classes} glyphs, {examples} examples, {width} units": (
        REPOSITORY / "experiments/specialists_pay/base.toml",
        glyph_settings((width, classes, examples)),
        {},
    )
    for width, classes, examples in GLYPHS
} | {
    # Where specialists of the generalist's width won by 1.8 points.
    "200 glyphs, 500 examples, 32 units, wide specialists": (REPOSITORY / "experiments/tables_3_4/glyphs.toml", [], {}),
    "1000 glyphs, 40 examples, 256-128 units": (
        REPOSITORY / "experiments/many_classes/glyphs_1000.toml",
        [*NO_STUDENT, 'specialists.model={kind="mlp",widths=[128,64]}'],
        {},
    ),
    "443 languages, 24 units": (REPOSITORY / "experiments/languages/base.toml", NO_STUDENT, LANGUAGES),
    "443 languages, 24 units, budget of 5": (REPOSITORY / "experiments/languages/base.toml", NO_STUDENT, LANGUAGES),
    "443 languages, 128 units": (
        REPOSITORY / "experiments/never_loses/languages.toml",
        ['specialists.model={kind="mlp",widths=[64]}'],
        LANGUAGES,
    ),
    "Banking77, n-grams": (
        REPOSITORY / "configs/text/banking77.toml",
        NO_STUDENT,
        files("banking77", train="train.csv", test="test.csv"),
    ),
    "CLINC150, n-grams": (HERE / "clinc150.toml", [], files("clinc150", path="data_full.json")),
    "MNIST, 32 units": (
        REPOSITORY / "experiments/speed/pipeline_mnist.toml",
        [
            *NO_STUDENT,
            "generalist.model.widths=[32]",
            "generalist.model.dropout=0.0",
            "generalist.training.n_epochs=12",
            "specialists.training.n_epochs=12",
        ],
        files("mnist", path=""),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--data", type=Path, help="folder with banking77/, clinc150/, mnist/, languages443/")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/plan_budget")
    parser.add_argument("--only", nargs="+", default=["plans", "runs", "collect"])
    parser.add_argument("--cells", nargs="+", default=list(CELLS))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.cells:
        if "plans" in arguments.only:
            plan(arguments, name)
        if "runs" in arguments.only:
            train_both(arguments, name)
    if "collect" in arguments.only:
        collect(arguments.out)


def cell_name(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def settings(arguments: argparse.Namespace, name: str) -> list[str]:
    _, overrides, data = CELLS[name]
    return [*overrides, *(f"{key}={json.dumps(str(arguments.data / path))}" for key, path in data.items())]


def start(arguments: argparse.Namespace, words: list[str], overrides: list[str]) -> str:
    command = [arguments.program, *words, "-q", "--threads", str(arguments.threads)]
    command += [part for override in overrides for part in ("--set", override)]
    started = time.time()
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(f"{' '.join(words[:2])} {words[-1]}: {time.time() - started:.0f} s", flush=True)
    return text


def plan(arguments: argparse.Namespace, name: str) -> None:
    path = arguments.out / f"{cell_name(name)}_plan.json"
    if path.exists():
        return
    words = ["plan", str(CELLS[name][0]), "--json", "--budget", BUDGETS.get(name, BUDGET), "--out", str(arguments.out / f"{cell_name(name)}_plan")]
    path.write_text(start(arguments, words, settings(arguments, name)))


def train_both(arguments: argparse.Namespace, name: str) -> None:
    """The specialists that are proposed, or else the best ones by probe, with the plain ensemble of no less cost that the report
    compares them with; and the best plain ensemble by probe, where the report has none of its size."""
    advice = read_plan(arguments.out, name)
    if advice is None:
        return
    candidate = specialists_of(advice)
    if candidate is None:
        return
    stages = ["--stages", str(arguments.out / f"{cell_name(name)}_stages")]
    folder = arguments.out / f"{cell_name(name)}_specialists"
    if not (folder / "report.json").exists():
        words = ["run", str(CELLS[name][0]), *stages, "--out", str(folder)]
        start(arguments, words, [*settings(arguments, name), *candidate["settings"]])
    n_generalists = best_plain(advice)["n_generalists"]
    folder = arguments.out / f"{cell_name(name)}_plain"
    if plain_point(arguments.out, name, n_generalists) is None and not (folder / "report.json").exists():
        config = arguments.out / f"{cell_name(name)}_plain.toml"
        config.write_text(without_specialists(CELLS[name][0].read_text()))
        kept = [one for one in settings(arguments, name) if one.split(".")[0] not in ("clustering", "specialists", "merge")]
        kept = [one for one in kept if not one.startswith("evaluation.baselines")]
        words = ["run", str(config), *stages, "--out", str(folder)]
        start(arguments, words, [*kept, f"generalist.n_models={n_generalists}", "evaluation.baselines=[]"])


def without_specialists(config: str) -> str:
    return re.sub(r"(?ms)^\[(clustering|specialists|merge)\].*?(?=^\[|\Z)", "", config)


def read_plan(out: Path, name: str) -> dict | None:
    path = out / f"{cell_name(name)}_plan.json"
    return json.loads(path.read_text()) if path.exists() else None


def read_report(out: Path, name: str, kind: str) -> dict | None:
    path = out / f"{cell_name(name)}_{kind}" / "report.json"
    return json.loads(path.read_text()) if path.exists() else None


def is_plain(candidate: dict) -> bool:
    return candidate["n_specialists"] == 0


def kind(candidate: dict) -> str:
    return "plain" if is_plain(candidate) else "specialists"


def best_plain(advice: dict) -> dict:
    return next(candidate for candidate in advice["candidates"] if is_plain(candidate))


def specialists_of(advice: dict) -> dict | None:
    """The proposal, if it has specialists; otherwise the best candidate that has."""
    proposal = advice["candidates"][advice["proposal"]]
    others = (candidate for candidate in advice["candidates"] if not is_plain(candidate))
    return next(others, None) if is_plain(proposal) else proposal


def plain_point(out: Path, name: str, n_generalists: int) -> dict | None:
    """Accuracies of so many generalists after whole trainings."""
    for kind_of_run in ("specialists", "plain"):
        report = read_report(out, name, kind_of_run)
        for point in report["portfolio"] if report else []:
            if (point["n_generalists"], point["n_specialists"]) == (n_generalists, 0):
                return point
    return None


def percent(share: float) -> float:
    return round(100 * share, 2)


def short(candidate: dict) -> str:
    if is_plain(candidate):
        n_generalists = candidate["n_generalists"]
        return f"{n_generalists} generalist{'s' if n_generalists > 1 else ''}"
    return f"{candidate['n_generalists']} + {candidate['n_specialists']}, coverage {candidate['coverage']}"


def row_of(out: Path, name: str) -> dict | None:
    advice, report = read_plan(out, name), read_report(out, name, "specialists")
    if advice is None or report is None:
        return None
    proposal, plain, specialists = advice["candidates"][advice["proposal"]], best_plain(advice), specialists_of(advice)
    models = {model["name"]: model for model in report["models"]}
    merged, opponent, generalist = models["ensemble"], models["generalist_ensemble"], models["generalist"]
    against = next(one for one in report["comparisons"] if (one["a"], one["b"]) == ("ensemble", "generalist_ensemble"))
    whole_plain = plain_point(out, name, plain["n_generalists"])
    winner = {"BEATS": "specialists", "WORSE": "plain", "NO DIFFERENCE": "neither"}[against["verdict"]]
    row = {
        "data": name,
        "n_valid": advice["n_valid"],
        "n_test": report["dataset"]["n_test"],
        "probe_epochs": advice["probe_epochs"][0],
        "epochs": advice["probe_epochs"][1],
        "probe_cost": round(advice["probe_flops"] / advice["generalist_flops"], 2),
        "budget": round(advice["budget_flops"] / advice["generalist_flops"], 2),
        "candidates": len(advice["candidates"]),
        "first_by_probe": kind(advice["candidates"][0]),
        "proposal": kind(proposal),
        "best_plain": short(plain),
        "specialists": short(specialists),
        "specialists_verdict_of_probe": specialists["verdict"],
        "plain_probe": percent(plain["probe_valid_top1"]),
        "plain_valid": percent(whole_plain["valid_top1"]),
        "specialists_probe": percent(specialists["probe_valid_top1"]),
        "specialists_valid": percent(merged["valid_top1"]),
    }
    for of in ("plain", "specialists"):
        row[f"{of}_error"] = round(row[f"{of}_probe"] - row[f"{of}_valid"], 2)
    for split in ("probe", "valid"):
        row[f"margin_{split}"] = round(row[f"specialists_{split}"] - row[f"plain_{split}"], 2)
    return row | {
        "specialists_cost": round(merged["train_flops"] / generalist["train_flops"], 2),
        "opponent_generalists": round(opponent["train_flops"] / generalist["train_flops"]),
        "specialists_test": percent(merged["top1"]),
        "opponent_test": percent(opponent["top1"]),
        "best_plain_test": percent(whole_plain["top1"]),
        "delta": percent(against["delta"]),
        "low": percent(against["ci95"][0]),
        "high": percent(against["ci95"][1]),
        "p_value": float(f"{against['p_value']:.2g}"),
        "verdict": against["verdict"],
        "winner": winner,
        "right": winner in ("neither", kind(proposal)),
        "first_by_probe_right": winner in ("neither", kind(advice["candidates"][0])),
    }


def candidate_rows(out: Path, name: str) -> list[dict]:
    advice = read_plan(out, name)
    return [
        {"data": name, "candidate": short(one), "proposed": idx == advice["proposal"]}
        | {"cost": round(one["train_flops"] / advice["generalist_flops"], 2), "probe": percent(one["probe_valid_top1"])}
        | {"against_best_plain": one["verdict"], "settings": " ".join(one["settings"])}
        for idx, one in enumerate(advice["candidates"] if advice else [])
    ]


def collect(out: Path) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    rows = [row for row in (row_of(out, name) for name in CELLS) if row is not None]
    candidates = [row for name in CELLS for row in candidate_rows(out, name)]
    write_csv(results / "plans.csv", rows)
    write_csv(results / "candidates.csv", candidates)
    decided = [row for row in rows if row["winner"] != "neither"]
    count = {
        "cells": len(rows),
        "right": sum(row["right"] for row in rows),
        "right_first_by_probe": sum(row["first_by_probe_right"] for row in rows),
        "right_always_plain": sum(row["winner"] != "specialists" for row in rows),
        "right_always_specialists": sum(row["winner"] != "plain" for row in rows),
        "cells_with_a_winner": len(decided),
        "winner_proposed": sum(row["winner"] == row["proposal"] for row in decided),
        "winner_first_by_probe": sum(row["winner"] == row["first_by_probe"] for row in decided),
        "mean_error_of_plain": mean_size(rows, lambda row: row["plain_error"]),
        "mean_error_of_specialists": mean_size(rows, lambda row: row["specialists_error"]),
        "mean_error_of_margin": mean_size(rows, lambda row: row["margin_probe"] - row["margin_valid"]),
    }
    (results / "summary.json").write_text(json.dumps({"count": count, "plans": rows, "candidates": candidates}, indent=1) + "\n")
    print(count)
    for row in rows:
        print(list(row.values()))
    draw(rows, results / "advice.png")


def mean_size(rows: list[dict], value) -> float:
    return round(sum(abs(value(row)) for row in rows) / len(rows), 2)


def write_csv(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = {"plain": "#d9772b", "specialists": "#1b4f8f"}
    figure, (left, right) = plt.subplots(1, 2, figsize=(14.5, 0.5 * len(rows) + 2.0), gridspec_kw={"width_ratios": [1.5, 1]})
    for y, row in enumerate(reversed(rows)):
        colour = colours[row["proposal"]]
        left.plot([row["low"], row["high"]], [y - 0.2] * 2, color=colour, lw=2)
        left.scatter(row["delta"], y - 0.2, color=colour, s=48, zorder=3)
        left.scatter(row["margin_valid"], y, color=colour, marker="s", s=36, zorder=3)
        left.scatter(row["margin_probe"], y + 0.2, facecolors="white", edgecolors=colour, linewidths=1.5, s=42, zorder=3)
    left.axvline(0, color="black", lw=1)
    left.set_yticks(range(len(rows)), [f"{row['data']}{'' if row['right'] else '  (wrong)'}" for row in reversed(rows)], fontsize=9)
    left.set_xlabel("specialists − plain ensemble, points of top-1")
    left.set_title("The best specialists by probe against the plain ensemble", fontsize=11.5)
    handles = [plt.Line2D([], [], color=colour, lw=6, label=f"proposed: {word}") for word, colour in colours.items()]
    handles += [plt.Line2D([], [], color="0.3", mfc="white", marker="o", lw=0, label="probes, validation")]
    handles += [plt.Line2D([], [], color="0.3", marker="s", lw=0, label="whole trainings, validation")]
    handles += [plt.Line2D([], [], color="0.3", marker="o", lw=2, label="whole trainings, test, 95 % interval")]
    left.legend(handles=handles, frameon=False, fontsize=8.5, loc="lower right")
    for of, marker in (("plain", "o"), ("specialists", "s")):
        points = [(row[f"{of}_probe"], row[f"{of}_valid"]) for row in rows]
        right.scatter(*zip(*points), color=colours[of], marker=marker, s=42, alpha=0.85, label="plain ensemble" if of == "plain" else of)
    low = min(min(row["plain_probe"], row["specialists_probe"]) for row in rows) - 2
    right.plot([low, 100], [low, 100], color="0.6", lw=1, ls="--")
    right.set_xlabel("predicted by probes, validation top-1 in %")
    right.set_ylabel("after whole trainings, validation top-1 in %")
    right.set_title("Prediction and outcome", fontsize=11.5)
    right.legend(frameon=False, fontsize=9, loc="upper left")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
