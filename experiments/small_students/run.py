"""How small can a student be? Trains eight students, makes each smaller in every way, draws the result.

    python experiments/small_students/run.py --data FOLDER

FOLDER holds banking77/train.csv, banking77/test.csv, clinc150/data_full.json, CIFAR-100's parquet files in cifar100/, and the files of
sentence-transformers/all-MiniLM-L6-v2 in minilm/. Needs Python with numpy and matplotlib, and `target/release/stillhouse`; onnxruntime, where
it is installed, times the exported networks. Writes runs/small_students/ (finished runs are not run again) and results/ in this folder:
steps.csv, ways.csv, models.csv, summary.json, ways.png. --only collect draws from the runs.
"""

import argparse
import csv
import json
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SHIP = "ship={{ max_bytes={}, max_loss=1.0, compare_ways=true }}"
# Name in tables, config, keys of the data's place, other overrides. Limits are a sixth of the student's bytes.
STUDENTS = {
    "glyphs, residual net": (HERE / "glyphs_resnet.toml", {}, []),
    "Banking77, transformer": (
        HERE / "banking77_transformer.toml",
        {"data.train": "banking77/train.csv", "data.test": "banking77/test.csv"},
        [],
    ),
    "Banking77, n-grams": (
        REPOSITORY / "configs/text/banking77.toml",
        {"data.train": "banking77/train.csv", "data.test": "banking77/test.csv"},
        [SHIP.format(132_000)],
    ),
    "CLINC150, n-grams": (HERE / "clinc150_ngrams.toml", {"data.path": "clinc150/data_full.json"}, []),
    "CIFAR-100, residual net": (HERE / "cifar100_resnet.toml", {"data.path": "cifar100"}, []),
    "200 languages, n-grams": (REPOSITORY / "configs/quickstart.toml", {}, [SHIP.format(370_000)]),
}
# {data} stands for FOLDER
MINILM = [
    'generalist.model={ kind = "bert", pretrained = "{data}/minilm", max_len = 64, learning_rate_decay = 0.9 }',
    'generalist.tokenizer={ kind = "file", path = "{data}/minilm/tokenizer.json" }',
]
BANKING = {"data.train": "banking77/train.csv", "data.test": "banking77/test.csv"}
STUDENTS["Banking77 from MiniLM, n-grams"] = (
    REPOSITORY / "configs/text/banking77_minilm.toml",
    BANKING,
    MINILM + [SHIP.format(150_000)],
)
STUDENTS["Banking77 from MiniLM, wide n-grams"] = (
    REPOSITORY / "configs/text/banking77_minilm.toml",
    BANKING,
    MINILM + ["student.model.n_buckets=32768", SHIP.format(613_000)],
)
MODELS = ["student", "student_hard", "shipped", "shipped_twin"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(REPOSITORY / "target/release/stillhouse"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "runs/small_students")
    parser.add_argument("--only", nargs="+", default=["runs", "collect"])
    parser.add_argument("--students", nargs="+", default=list(STUDENTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    runs = [(name, seed) for seed in arguments.seeds for name in STUDENTS if name in arguments.students]
    if "runs" in arguments.only:
        for name, seed in runs:
            run(arguments, name, seed)
    if "collect" in arguments.only:
        collect(arguments)


def folder(arguments: argparse.Namespace, name: str, seed: int) -> Path:
    return arguments.out / ("".join(letter if letter.isalnum() else "_" for letter in name) + f"_seed{seed}")


def run(arguments: argparse.Namespace, name: str, seed: int) -> None:
    config, places, others = STUDENTS[name]
    out = folder(arguments, name, seed)
    if (out / "report.json").exists():
        return
    settings = [f"{key}={arguments.data / place}" for key, place in places.items()] + [f"seed={seed}"]
    settings += [setting.replace("{data}", str(arguments.data)) for setting in others]
    command = [arguments.program, "run", str(config), "--out", str(out), "--stages", str(arguments.out / "stages")]
    command += ["--threads", str(arguments.threads), "-q"]
    start = time.time()
    subprocess.run(command + [word for setting in settings for word in ("--set", setting)], check=True)
    print(f"{name}, seed {seed}: {time.time() - start:.0f} s", flush=True)


def onnx_milliseconds(arguments: argparse.Namespace, model: Path) -> float | None:
    """Median time of one example on one thread in onnxruntime; None where it is not installed."""
    try:
        import numpy as np
        import onnxruntime
    except ImportError:
        return None
    out = model.parent / f"onnx_{model.name}"
    if not out.exists():
        subprocess.run([arguments.program, "export", str(model), "--to", "onnx", "--out", str(out), "-q"], check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    network = onnxruntime.InferenceSession(str(out / "onnx/model.onnx"), options, providers=["CPUExecutionProvider"])
    inputs = {}
    for value in network.get_inputs():
        shape = [size if isinstance(size, int) else (1 if index == 0 else 32) for index, size in enumerate(value.shape)]
        inputs[value.name] = np.ones(shape, dtype=np.int64 if "int64" in value.type else np.float32)
    times = []
    for _ in range(200):
        start = time.perf_counter()
        network.run(None, inputs)
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)[len(times) // 2]


def collect(arguments: argparse.Namespace) -> None:
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    steps, ways, models, drawn = [], [], [], []
    finished = sorted(
        (seed, index, name)
        for index, name in enumerate(STUDENTS)
        for seed in range(100)
        if (folder(arguments, name, seed) / "report.json").exists()
    )
    for seed, _, name in finished:
        out = folder(arguments, name, seed)
        report = json.loads((out / "report.json").read_text())
        ship = report["ship"]
        of_model = {model["name"]: model for model in report["models"]}
        verdicts = {(one["a"], one["b"]): one for one in report["comparisons"]}
        for attempt in ship["attempts"]:
            steps.append({"student": name, "seed": seed, **attempt})
        for way in ship.get("ways", []):
            ways.append({"student": name, "seed": seed, "of_student": ship["student_valid_top1"], **way})
        for model in MODELS:
            if model not in of_model:
                continue
            row = of_model[model]
            against = verdicts.get(("shipped", model))
            exported = out / model if model in ("student", "shipped") else None
            models.append(
                {
                    "student": name,
                    "seed": seed,
                    "model": model,
                    "bytes": row["bytes"],
                    "valid_top1": row["valid_top1"],
                    "test_top1": row["top1"],
                    "test_nll": row["nll"],
                    "ms": row["latency_ms_p50"],
                    "onnxruntime_ms": onnx_milliseconds(arguments, exported) if exported else None,
                    "shipped_minus_this": against["delta"] if against else None,
                    "verdict": against["verdict"] if against else None,
                }
            )
        if seed == 0:
            drawn.append((name, ship, of_model))
    write(results / "steps.csv", steps)
    write(results / "ways.csv", ways)
    write(results / "models.csv", models)
    (results / "summary.json").write_text(json.dumps(models, indent=1) + "\n")
    for row in models:
        print(row)
    draw(results / "ways.png", drawn)


def write(path: Path, rows: list[dict]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def draw(path: Path, drawn: list) -> None:
    import matplotlib
    import matplotlib.ticker

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n_columns = min(3, len(drawn))
    n_rows = -(-len(drawn) // n_columns)
    figure, grid = plt.subplots(n_rows, n_columns, figsize=(4.6 * n_columns, 3.9 * n_rows + 0.6), squeeze=False, layout="constrained")
    axes = grid.flatten()
    for axis in axes[len(drawn) :]:
        axis.set_visible(False)
    names = ["fewer bits", "low rank", "low rank by plain SVD", "pruned units", "fewer layers", "smallest weights at 0"]
    for axis, (name, ship, of_model) in zip(axes, drawn):
        student = ship["student_valid_top1"]
        for index, way in enumerate(names):
            points = sorted((p["bytes"] / 1000, 100 * p["valid_top1"]) for p in ship["ways"] if p["way"] == way)
            if points:
                style = "--" if "plain" in way or "0" in way else "-"
                axis.plot(*zip(*points), style, marker="s", markersize=4, color=f"C{index}", label=way)
        labels = {"student": "student", "student_hard": "on labels", "shipped": "shipped", "shipped_twin": "its form from scratch"}
        for mark, (model, label) in zip("o^*D", labels.items()):
            if model in of_model:
                row = of_model[model]
                axis.plot(row["bytes"] / 1000, 100 * row["valid_top1"], mark, color="black", markersize=8, fillstyle="none", label=label)
        axis.set_xscale("log")
        axis.set_xticks([20, 50, 100, 200, 500, 1000, 2000], minor=False)
        axis.xaxis.set_major_formatter(matplotlib.ticker.ScalarFormatter())
        axis.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        sizes = [way["bytes"] / 1000 for way in ship["ways"]] + [of_model["student"]["bytes"] / 1000]
        axis.set_xlim(0.8 * min(sizes), 1.25 * max(sizes))
        axis.set_ylim(100 * student - 25, 100 * student + 4)
        axis.set_title(name)
        axis.set_xlabel("kB of weights")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("validation top-1, %")
    handles, texts = axes[0].get_legend_handles_labels()
    for axis in axes[1 : len(drawn)]:
        more = [pair for pair in zip(*axis.get_legend_handles_labels()) if pair[1] not in texts]
        handles += [pair[0] for pair in more]
        texts += [pair[1] for pair in more]
    figure.legend(handles, texts, loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
