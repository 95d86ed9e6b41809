"""Do specialists pay? Runs the grid of this folder, asks `stillhouse plan --budget` about each cell, draws the map.

    python experiments/specialists_pay/run.py

Needs Python with numpy and matplotlib, and `target/release/stillhouse`. Writes runs/specialists_pay/ (finished cells are not run
again) and results/ in this folder: pilot.csv, cells.csv, repeated.csv, plans.csv, summary.json, map.png. --only collect draws from the runs.
"""

import argparse
import csv
import json
import math
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
WIDTHS = [256, 32]
CLASSES = [50, 200, 1000, 2000]
PER_CLASS = [20, 100, 500, 2000]
# Too expensive for two cores.
LEFT_OUT = {(32, 2000, 2000), *((256, *cell) for cell in [(1000, 2000), (2000, 100), (2000, 500), (2000, 2000)])}
# More examples need fewer epochs; all networks of a cell have the same.
EPOCHS = {20: 60, 100: 20, 500: 8, 2000: 3}
CLUSTERS = {50: 6, 200: 16, 1000: 40, 2000: 60}
TEST_PER_CLASS = {50: 100, 200: 25, 1000: 10, 2000: 5}
# The only cell in which specialists of the first recipe won, with these seeds too.
REPEATED = {(256, 1000, 20): [1, 2]}
# Recipes by coverage and width of the specialists, as a share of the generalist's; all from scratch. The first was chosen by the pilot, the
# second is the one that wins in tables_3_4.
RECIPES = {"half width, coverage 2": (2, 0.5), "full width, coverage 1": (1, 1.0)}
CHOSEN, WIDE = RECIPES
# Cells of which the command is asked about the second recipe too.
PLANNED_WIDE = [(32, 1000, 100), (32, 200, 2000), (32, 1000, 20), (32, 50, 2000)]
# The pilot, at 200 classes of 100 examples: coverage, clusters, width of the specialists, what they start from.
PILOT = {
    "cov2": (2, 16, 256, "scratch"),
    "cov3": (3, 16, 256, "scratch"),
    "cov2k8": (2, 8, 256, "scratch"),
    "cov2gen": (2, 16, 256, "generalist"),
    "cov1n": (1, 16, 128, "scratch"),
    "cov2n": (2, 16, 128, "scratch"),
    "cov2k8n": (2, 8, 128, "scratch"),
    "cov3n": (3, 16, 128, "scratch"),
    "cov3k8n": (3, 8, 128, "scratch"),
    "cov3nn": (3, 16, 64, "scratch"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/specialists_pay")
    parser.add_argument("--only", nargs="+", default=["pilot", "runs", "plans", "collect"])
    parser.add_argument("--cells", nargs="+", help="for example w32_c1000_n20: width, classes, examples a class; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="cells that run at a time")
    parser.add_argument("--threads", type=int, default=2, help="of each")
    arguments = parser.parse_args()
    cells = sorted(all_cells(), key=lambda cell: (cell[2] == 2000 or cell[1] == 2000, work(*cell)))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        if "pilot" in arguments.only:
            list(pool.map(lambda name: pilot(arguments, name), PILOT))
        wanted = [cell for cell in cells if not arguments.cells or cell_name(*cell) in arguments.cells]
        list(pool.map(lambda cell: run_and_plan(arguments, *cell), wanted))
    if "collect" in arguments.only:
        collect(arguments.out, cells)


def all_cells() -> list[tuple[int, int, int]]:
    """Width of the generalist, classes, examples for each class."""
    grid = [(n_classes, per_class) for n_classes in CLASSES for per_class in PER_CLASS]
    return [cell for width in WIDTHS for pair in grid if (cell := (width, *pair)) not in LEFT_OUT]


def work(width: int, n_classes: int, per_class: int) -> float:
    return width * (784 + n_classes) * n_classes * per_class * EPOCHS[per_class]


def cell_name(width: int, n_classes: int, per_class: int, recipe: str = CHOSEN) -> str:
    return f"w{width}_c{n_classes}_n{per_class}" + ("_wide" if recipe == WIDE else "")


def settings(width: int, n_classes: int, per_class: int, recipe: str = CHOSEN) -> list[str]:
    n_clusters, n_epochs = CLUSTERS[n_classes], EPOCHS[per_class]
    coverage, share = RECIPES[recipe]
    # nobody looks at the students, and soft targets of all examples would take longer than the trainings
    few = ["student.examples={fraction=0.01}"] if n_classes * per_class > 1_000_000 else []
    return few + [
        f"data.n_classes={n_classes}",
        f"data.train_per_class={per_class}",
        f"data.test_per_class={TEST_PER_CLASS[n_classes]}",
        f"generalist.model.widths=[{width}]",
        f"generalist.training.n_epochs={n_epochs}",
        f'specialists.model={{kind="mlp",widths=[{int(share * width)}]}}',
        f"specialists.training.n_epochs={n_epochs}",
        f"clustering.method.n_clusters={n_clusters}",
        f"clustering.coverage={coverage}",
        f"clustering.max_classes={max_classes(n_classes, n_clusters, coverage)}",
    ]


def max_classes(n_classes: int, n_clusters: int, coverage: int) -> int:
    """Twice an even share, as `plan --budget` has it."""
    return min(n_classes, math.ceil(2 * n_classes * coverage / n_clusters))


def run_and_plan(arguments: argparse.Namespace, *cell: int) -> None:
    if "runs" in arguments.only:
        run(arguments, cell_name(*cell), settings(*cell))
        # the same generalists
        run(arguments, cell_name(*cell, recipe=WIDE), settings(*cell, recipe=WIDE), stages=f"{cell_name(*cell)}/stages")
        for seed in REPEATED.get(cell, []):
            run(arguments, f"{cell_name(*cell)}_seed{seed}", [f"seed={seed}", *settings(*cell)])
    if "plans" in arguments.only:
        plan(arguments, CHOSEN, *cell)
        if cell in PLANNED_WIDE:
            plan(arguments, WIDE, *cell)


def pilot(arguments: argparse.Namespace, name: str) -> None:
    coverage, n_clusters, width, init = PILOT[name]
    overrides = [
        f"clustering.coverage={coverage}",
        f"clustering.method.n_clusters={n_clusters}",
        f"clustering.max_classes={max_classes(200, n_clusters, coverage)}",
        f'specialists.init="{init}"',
    ]
    if width != 256:
        overrides.append(f'specialists.model={{kind="mlp",widths=[{width}]}}')
    run(arguments, f"pilot_{name}", overrides, stages="pilot_stages")


def run(arguments: argparse.Namespace, name: str, overrides: list[str], stages: str | None = None) -> None:
    folder = arguments.out / name
    if (folder / "report.json").exists():
        return
    command = [arguments.program, "run", "-q", str(HERE / "base.toml"), "--out", str(folder), "--threads", str(arguments.threads)]
    command += ["--stages", str(arguments.out / stages)] if stages else []
    started = time.time()
    subprocess.run(command + with_set(overrides), check=True, stdout=subprocess.DEVNULL)
    print(f"{name}: {time.time() - started:.0f} s", flush=True)


def plan(arguments: argparse.Namespace, recipe: str, *cell: int) -> None:
    name = cell_name(*cell, recipe=recipe)
    path = arguments.out / f"{name}_plan.json"
    report = read_report(arguments.out / name)
    if report is None:
        return
    if path.exists():
        run_advised(arguments, name, settings(*cell, recipe=recipe))
        return
    # All of the plain ensemble that the report compares with, which costs a little more than the merged one.
    budget = f"{models(report)['generalist_ensemble']['train_flops'] * (1 + 1e-9):.12e}"
    command = [arguments.program, "plan", "--json", "-q", str(HERE / "base.toml"), "--budget", budget]
    command += ["--out", str(arguments.out / f"{name}_plan"), "--threads", str(arguments.threads)]
    started = time.time()
    text = subprocess.run(command + with_set(settings(*cell, recipe=recipe)), check=True, capture_output=True, text=True).stdout
    path.write_text(text)
    print(f"{name}: plan {time.time() - started:.0f} s", flush=True)
    run_advised(arguments, name, settings(*cell, recipe=recipe))


def run_advised(arguments: argparse.Namespace, name: str, overrides: list[str]) -> None:
    """The whole training of the proposal, if it has specialists and is not what was run."""
    best = proposal(json.loads((arguments.out / f"{name}_plan.json").read_text()))
    if not set(best["settings"]) <= {*overrides, "generalist.n_models=1"} and best["n_specialists"]:
        run(arguments, f"{name}_advised", overrides + best["settings"])


def with_set(overrides: list[str]) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


def read_report(folder: Path) -> dict | None:
    path = folder / "report.json"
    return json.loads(path.read_text()) if path.exists() else None


def models(report: dict) -> dict:
    return {model["name"]: model for model in report["models"]}


def comparison(report: dict, a: str, b: str) -> dict:
    return next(found for found in report["comparisons"] if (found["a"], found["b"]) == (a, b))


def percent(share: float) -> float:
    return round(100 * share, 2)


def accuracies(report: dict) -> dict:
    found = models(report)
    generalist, merged, plain = found["generalist"], found["ensemble"], found["generalist_ensemble"]
    row = {
        "specialists": len(report["clusters"]),
        "merged_cost": round(merged["train_flops"] / generalist["train_flops"], 2),
        "plain_cost": round(plain["train_flops"] / generalist["train_flops"]),
    }
    for split in ("valid_top1", "top1"):
        for name, model in (("generalist", generalist), ("merged", merged), ("plain", plain)):
            row[f"{name}_{'valid' if split == 'valid_top1' else 'test'}"] = percent(model[split])
    return row


def cell_row(cell: tuple[int, int, int], report: dict, recipe: str = CHOSEN) -> dict:
    width, n_classes, per_class = cell
    row = {"recipe": recipe, "width": width, "classes": n_classes, "per_class": per_class, "epochs": EPOCHS[per_class], **accuracies(report)}
    against = comparison(report, "ensemble", "generalist_ensemble")
    row |= {
        "delta": percent(against["delta"]),
        "low": percent(against["ci95"][0]),
        "high": percent(against["ci95"][1]),
        "p_value": float(f"{against['p_value']:.2g}"),
        "merged_against_plain": against["verdict"],
        "merged_against_generalist": comparison(report, "ensemble", "generalist")["verdict"],
        "n_test": report["dataset"]["n_test"],
        "helpful": sum(cluster["helps"] for cluster in report["clusters"]),
    }
    return row


def last_train_loss(folder: Path) -> float | None:
    """The generalist's training loss in its last epoch."""
    losses = []
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "epoch" and entry["stage"] == "generalist":
            losses.append(entry["record"]["train_loss"])
    return round(losses[-1], 3) if losses else None


def plan_row(recipe: str, cell: tuple[int, int, int], report: dict, plan: dict, advised: dict | None) -> dict:
    """Advice against outcome: `whole` is the validation top-1 of the whole trainings, `probe` that of the short ones."""
    width, n_classes, per_class = cell
    found = models(report)
    merged_flops = found["ensemble"]["train_flops"]
    best = proposal(plan)
    exact = [candidate for candidate in plan["candidates"] if candidate["train_flops"] <= merged_flops * (1 + 1e-9)]
    plain = {candidate["n_generalists"]: candidate for candidate in plan["candidates"] if candidate["n_specialists"] == 0}
    n_plain = max(plain)
    own = {setting for setting in settings(*cell, recipe=recipe) if setting.startswith("clustering.")}
    wanted = own | {"generalist.n_models=1"}
    merged = next(
        (candidate for candidate in plan["candidates"] if candidate["n_specialists"] and set(candidate["settings"]) == wanted), None
    )
    whole_plain = next(
        point["valid_top1"]
        for point in report["portfolio"]
        if point["n_specialists"] == 0 and point["n_generalists"] == n_plain
    )
    row = {"recipe": recipe, "width": width, "classes": n_classes, "per_class": per_class}
    row["probe_epochs"] = plan["probe_epochs"][0]
    row |= {
        "probe_cost": round(plan["probe_flops"] / plan["generalist_flops"], 2),
        "budget": round(plan["budget_flops"] / plan["generalist_flops"], 2),
        "candidates": len(plan["candidates"]),
        "advice": kind(best),
        "advice_settings": " ".join(best["settings"]),
        "advice_at_merged_cost": kind(exact[0]),
        "plain_generalists": n_plain,
        "probe_plain": percent(plain[n_plain]["probe_valid_top1"]),
        "whole_plain": percent(whole_plain),
        "probe_merged": percent(merged["probe_valid_top1"]) if merged else None,
        "whole_merged": percent(found["ensemble"]["valid_top1"]),
        "n_valid": plan["n_valid"],
    }
    if merged:
        row["probe_margin"] = round(row["probe_merged"] - row["probe_plain"], 2)
        row["whole_margin"] = round(row["whole_merged"] - row["whole_plain"], 2)
    # The proposal itself where it has specialists and was trained, otherwise the recipe of the grid.
    judged = advised or report
    against = comparison(judged, "ensemble", "generalist_ensemble")
    row["judged"] = "proposal" if advised else "recipe"
    row["judged_merged_test"] = percent(models(judged)["ensemble"]["top1"])
    row["judged_plain_test"] = percent(models(judged)["generalist_ensemble"]["top1"])
    row["judged_verdict"] = against["verdict"]
    row["winner_on_test"] = {"BEATS": "specialists", "WORSE": "plain", "NO DIFFERENCE": "neither"}[against["verdict"]]
    row["right"] = row["winner_on_test"] in ("neither", row["advice"])
    return row


def proposal(plan: dict) -> dict:
    """Earlier versions of the command named none: they proposed the first."""
    return plan["candidates"][plan.get("proposal", 0)]


def kind(candidate: dict) -> str:
    return "specialists" if candidate["n_specialists"] else "plain"


def collect(out: Path, cells: list[tuple[int, int, int]]) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    rows, plans = [], []
    for cell in sorted(cells, key=lambda cell: (-cell[0], *cell[1:])):
        report = read_report(out / cell_name(*cell))
        if report is None:
            continue
        loss = {"generalist_train_loss": last_train_loss(out / cell_name(*cell))}
        rows.append(cell_row(cell, report) | loss)
        if wide := read_report(out / cell_name(*cell, recipe=WIDE)):
            rows.append(cell_row(cell, wide, WIDE) | loss)
        for recipe, planned in ((CHOSEN, report), (WIDE, wide)):
            name = cell_name(*cell, recipe=recipe)
            plan_path = out / f"{name}_plan.json"
            if planned and plan_path.exists():
                advised = read_report(out / f"{name}_advised")
                plans.append(plan_row(recipe, cell, planned, json.loads(plan_path.read_text()), advised))
    folders = [(cell, seed, out / f"{cell_name(*cell)}_seed{seed}") for cell, seeds in REPEATED.items() for seed in seeds]
    repeated = [{"seed": seed} | cell_row(cell, report) for cell, seed, folder in folders if (report := read_report(folder))]
    reports = {name: read_report(out / f"pilot_{name}") for name in PILOT}
    pilots = [pilot_row(name, report) for name, report in reports.items() if report is not None]
    for name, table in (("pilot", pilots), ("cells", rows), ("repeated", repeated), ("plans", plans)):
        write_csv(results / f"{name}.csv", table)
    (results / "summary.json").write_text(json.dumps({"pilot": pilots, "cells": rows, "repeated": repeated, "plans": plans}, indent=1) + "\n")
    draw(rows, results / "map.png")


def pilot_row(name: str, report: dict) -> dict:
    coverage, n_clusters, width, init = PILOT[name]
    recipe = {"recipe": name, "coverage": coverage, "clusters": n_clusters, "specialist_width": width, "init": init}
    row = {key: value for key, value in accuracies(report).items() if not key.endswith("_test")}
    return recipe | row | {"valid_margin": round(row["merged_valid"] - row["plain_valid"], 2)}


def write_csv(path: Path, rows: list[dict]) -> None:
    if not rows:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import TwoSlopeNorm

    recipes = [recipe for recipe in RECIPES if any(row["recipe"] == recipe for row in rows)]
    widths = [width for width in WIDTHS if any(row["width"] == width for row in rows)]
    classes = [n for n in CLASSES if any(row["classes"] == n for row in rows)]
    examples = [n for n in PER_CLASS if any(row["per_class"] == n for row in rows)]
    limit = max(1.0, max(abs(row["delta"]) for row in rows))
    norm, colours = TwoSlopeNorm(0, -limit, limit), plt.get_cmap("RdBu")
    size = (6.1 * len(widths), 1 + (0.9 + 1.3 * len(classes)) * len(recipes))
    figure, axes = plt.subplots(len(recipes), len(widths), figsize=size, squeeze=False)
    for axis, (recipe, width) in zip(axes.flat, ((recipe, width) for recipe in recipes for width in widths)):
        shown = [row for row in rows if (row["recipe"], row["width"]) == (recipe, width)]
        done = {(row["per_class"], row["classes"]) for row in shown}
        for x, y in ((x, y) for x in range(len(examples)) for y in range(len(classes))):
            if (examples[x], classes[y]) not in done:
                axis.text(x, y, "not run", ha="center", va="center", fontsize=9, color="0.6")
        for row in shown:
            x, y = examples.index(row["per_class"]), classes.index(row["classes"])
            colour = colours(norm(row["delta"]))
            axis.add_patch(plt.Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, facecolor=colour, edgecolor="white"))
            dark = abs(row["delta"]) > 0.62 * limit
            ink = "white" if dark else "black"
            axis.text(x, y + 0.24, f"{row['delta']:+.1f}", ha="center", va="center", fontsize=17, weight="bold", color=ink)
            word = {"BEATS": "specialists win", "WORSE": "plain wins", "NO DIFFERENCE": "no difference"}
            axis.text(x, y + 0.01, word[row["merged_against_plain"]], ha="center", va="center", fontsize=9, color=ink)
            details = f"{row['generalist_test']:.1f} | {row['merged_test']:.1f} | {row['plain_test']:.1f}"
            axis.text(x, y - 0.18, details, ha="center", va="center", fontsize=8.5, color=ink)
            axis.text(x, y - 0.34, f"training loss {row['generalist_train_loss']:.2f}", ha="center", va="center", fontsize=8, color=ink)
        axis.set_xlim(-0.5, len(examples) - 0.5)
        axis.set_ylim(-0.5, len(classes) - 0.5)
        axis.set_xticks(range(len(examples)), examples)
        axis.set_yticks(range(len(classes)), classes)
        axis.set_xlabel("examples for each class")
        axis.set_ylabel("classes")
        axis.set_title(f"generalist of {width} hidden units, specialists of {recipe}", fontsize=11)
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.suptitle("Merged specialists against a plain ensemble of no less compute: points of test top-1", fontsize=14)
    note = "third line: test top-1 in % of generalist | merged | plain ensemble; training loss: the generalist's, in its last epoch"
    figure.text(0.5, 0.015, note, ha="center", fontsize=9)
    figure.tight_layout(rect=(0, 0.03, 1, 0.97))
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
