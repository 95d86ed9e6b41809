"""stillhouse against PyTorch on this machine, in turns: python experiments/speed/run.py --python VENV/bin/python

Prints a table in Markdown and writes results/results.json and results/table.md beside this file. --only picks parts by the
beginning of their names, --rounds says how often each side runs."""

import argparse
import json
import os
import re
import statistics
import struct
import sys
import tempfile
import tomllib
import zlib
from pathlib import Path

from processes import HERE, REPOSITORY, Finished, Programs, Side, machine, run

# What is tried in PyTorch before the rounds; the fastest is kept.
VARIANTS = {
    "mlp": ["eager", "fused", "fused+compile"],
    "resnet": ["fused", "fused+channels_last", "fused+channels_last+compile"],
    "ngram_bag": ["fused", "sparse+fused", "fused+compile"],
    "transformer": ["fused", "fused+compile"],
}
# Changed one at a time, around the workload `mlp_adamw`.
SCALING = {
    "batch-size": [16, 64, 256, 1024],
    "width": [300, 1200, 4800],
    "classes": [10, 100, 1000, 15000],
}
N_CLUSTERS = [2, 5, 10, 20]
N_STARTS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="a Python with PyTorch [default: this one]")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PREFIX")
    parser.add_argument("--rounds", type=int, default=5, help="times that each side runs, in turns")
    parser.add_argument("--quick", action="store_true", help="few steps and epochs: only to see that it works")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--mnist", type=Path, help="folder with the files of MNIST; without it that part is left out")
    parser.add_argument("--profile", default="release", help="of cargo")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    bench = Benchmark(parser.parse_args())
    bench.run()


class Benchmark:
    def __init__(self, arguments: argparse.Namespace):
        self.arguments = arguments
        self.programs = Programs(arguments.python, arguments.profile)
        self.workloads = tomllib.loads((HERE / "workloads.toml").read_text())
        self.results: dict = {"machine": machine(arguments.python), "threads": arguments.threads}
        self.rows: list[list[str]] = []

    def run(self) -> None:
        self.programs.build()
        parts = {name: self.training for name in self.workloads if name != "specialists"}
        parts |= {"specialists": self.specialists, "pipeline_glyphs": self.pipeline, "pipeline_growth": self.growth}
        parts |= {"pipeline_mnist": self.pipeline} if self.arguments.mnist else {}
        parts |= {f"scaling_{axis}": self.scaling for axis in SCALING} | {"startup": self.startup}
        for name, measure in parts.items():
            if name.startswith(tuple(self.arguments.only)):
                print(f"{name} ...", file=sys.stderr)
                measure(name)
                self.write()
        print(self.table())

    # Trainings

    def training(self, name: str) -> None:
        variant = self.fastest(name, "train.py", [name])
        lines = {"pytorch": [], "stillhouse": []}
        for _ in range(self.arguments.rounds):
            lines["pytorch"].append(self.pytorch("train.py", name, "--variant", variant))
            lines["stillhouse"].append(self.speed(name))
        share = statistics.median(line["share_of_peak"] for line in lines["stillhouse"])
        self.compare(name, lines, "examples_per_s", "examples/s", f"PyTorch: {variant}; {share:.0%} of the peak")

    def specialists(self, name: str) -> None:
        variant = self.fastest(name, "specialists.py", [])
        lines = {"pytorch": [], "stillhouse": []}
        for _ in range(self.arguments.rounds):
            lines["pytorch"].append(self.pytorch("specialists.py", "--variant", variant))
            lines["stillhouse"].append(self.speed(name))
        speedup = statistics.median(line["speedup_over_1_thread"] for line in lines["stillhouse"])
        self.compare(name, lines, "examples_per_s", "examples/s", f"{speedup:.2f} times one after another on one thread")

    def scaling(self, name: str) -> None:
        axis = name.removeprefix("scaling_")
        for value in SCALING[axis]:
            lines = {"pytorch": [], "stillhouse": []}
            for _ in range(self.arguments.rounds):
                size = ["mlp_adamw", f"--{axis}", value]
                lines["pytorch"].append(self.pytorch("train.py", *size, "--variant", "fused"))
                lines["stillhouse"].append(self.speed(*size))
            self.compare(f"mlp_adamw, {axis} {value}", lines, "examples_per_s", "examples/s", "")

    def fastest(self, name: str, program: str, words: list) -> str:
        """The variant of a PyTorch program that is fastest in one round."""
        variants = VARIANTS[self.workloads[name]["model"]["kind"]]
        rate = {variant: self.pytorch(program, *words, "--variant", variant)["examples_per_s"] for variant in variants}
        self.results.setdefault("variants", {})[name] = rate
        return max(rate, key=rate.get)

    def pytorch(self, program: str, *words) -> dict:
        command = [*self.programs.pytorch(program), *words, "--threads", self.arguments.threads, *self.steps()]
        return run(command, self.arguments.threads).line()

    def speed(self, *words) -> dict:
        return run([self.programs.example("speed"), *words, *self.steps()], self.arguments.threads).line()

    def steps(self) -> list:
        return ["--rounds", 2, "--steps", 3] if self.arguments.quick else ["--rounds", 3]

    # Whole programs

    def pipeline(self, name: str) -> None:
        lines = {"pytorch": [], "stillhouse": []}
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            config = self.config(name, folder)
            if "mnist" in name:
                data, settings = ["--idx", self.arguments.mnist], ["--set", f"data.path={self.arguments.mnist}"]
            else:
                data, settings = ["--npy", self.export(config, folder)], []
            program = [*self.programs.pytorch("pipeline.py"), config, *data, "--threads", self.arguments.threads]
            for turn in range(self.arguments.rounds):
                out = folder / f"run{turn}"
                finished = self.stillhouse_run(config, out, settings)
                top1 = {model["name"]: model["top1"] for model in json.loads(finished.output)["models"]}
                lines["stillhouse"].append({"top1": top1} | self.outside(finished))
                # the same specialists on both sides, and so the same number of generalists of equal cost
                (clusters,) = out.glob("stages/clustering-*/clustering.json")
                finished = run([*program, "--clusters", clusters], self.arguments.threads)
                lines["pytorch"].append(finished.line() | self.outside(finished))
        top1 = {side: lines[side][0]["top1"] for side in lines}
        of_student = " / ".join(f"{100 * top1[side]['student']:.1f}" for side in ("pytorch", "stillhouse"))
        self.compare(name, lines, "elapsed_s", "s", f"student's top-1 {of_student} %", faster_is_less=True)
        self.compare(f"{name}, memory", lines, "peak_bytes", "bytes", "", faster_is_less=True)

    def growth(self, name: str) -> None:
        """Wall time of the pipeline against the number of specialists."""
        times = {}
        with tempfile.TemporaryDirectory() as folder:
            config = self.config("pipeline_glyphs", Path(folder))
            for n_clusters in N_CLUSTERS:
                settings = ["--set", f"clustering.method.n_clusters={n_clusters}"]
                times[n_clusters] = self.stillhouse_run(config, Path(folder) / str(n_clusters), settings).elapsed_s
        self.results[name] = times
        text = ", ".join(f"{n}: {elapsed_s:.1f} s" for n, elapsed_s in times.items())
        self.rows.append(["pipeline_glyphs by number of specialists", "", "", text, "", ""])

    def config(self, name: str, folder: Path) -> Path:
        """A copy of a pipeline's config, with one epoch of everything for a quick trial."""
        text = (HERE / f"{name}.toml").read_text()
        path = folder / f"{name}.toml"
        path.write_text(re.sub(r"n_epochs = \d+", "n_epochs = 1", text) if self.arguments.quick else text)
        return path

    def stillhouse_run(self, config: Path, out: Path, settings: list) -> Finished:
        options = ["--out", out, "--threads", self.arguments.threads, "--quiet", "--json"]
        return run([self.programs.stillhouse(), "run", config, *settings, *options], self.arguments.threads)

    def export(self, config: Path, folder: Path) -> Path:
        """The examples of a config as .npy files."""
        (folder / "data.json").write_text(json.dumps(tomllib.loads(config.read_text())["data"]))
        run([self.programs.example("export_npy"), folder / "data.json", folder], 1)
        return folder

    @staticmethod
    def outside(finished: Finished) -> dict:
        return {"elapsed_s": finished.elapsed_s, "peak_bytes": finished.peak_bytes}

    def startup(self, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            small = ["data.n_classes=20", "generalist.training.n_epochs=1", "specialists.training.n_epochs=1",
                     "student.training.n_epochs=1", "student.views=1", "clustering.coverage=1"]
            settings = [word for setting in small for word in ("--set", setting)]
            out = Path(folder) / "run"
            self.stillhouse_run(REPOSITORY / "configs" / "glyphs.toml", out, settings)
            image = Path(folder) / "image.png"
            image.write_bytes(grey_png(28, 28))
            commands = {
                "stillhouse --help": [self.programs.stillhouse(), "--help"],
                "stillhouse predict": [self.programs.stillhouse(), "predict", out / "student", image],
                "python -c 'import torch'": [self.programs.python, "-c", "import torch"],
            }
            lines = {label: [] for label in commands}
            for _ in range(2 if self.arguments.quick else N_STARTS):
                for label, command in commands.items():
                    lines[label].append(self.outside(run(command, self.arguments.threads)))
        self.results[name] = lines
        torch = Side([line["elapsed_s"] for line in lines["python -c 'import torch'"]])
        for label in list(commands)[:2]:
            side = Side([line["elapsed_s"] for line in lines[label]])
            self.row(f"{label} against import torch", torch, side, "s", "", torch.median / side.median)

    # What is told

    def compare(self, name: str, lines: dict, key: str, unit: str, note: str, faster_is_less: bool = False) -> None:
        self.results[name] = lines
        pytorch, stillhouse = (Side([line[key] for line in lines[side]]) for side in ("pytorch", "stillhouse"))
        ratio = stillhouse.median / pytorch.median
        self.row(name, pytorch, stillhouse, unit, note, 1 / ratio if faster_is_less else ratio)

    def row(self, name: str, pytorch: Side, stillhouse: Side, unit: str, note: str, ratio: float) -> None:
        shown = [f"{quantity(side.median, unit)} +-{side.spread:.0%}" for side in (pytorch, stillhouse)]
        self.rows.append([name, unit if unit != "bytes" else "memory", *shown, f"**{ratio:.2f}**", note])

    def table(self) -> str:
        header = ["workload", "", "PyTorch", "stillhouse", "ratio", ""]
        rows = [header, ["---"] * len(header), *self.rows]
        return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"

    def write(self) -> None:
        self.arguments.out.mkdir(parents=True, exist_ok=True)
        (self.arguments.out / "results.json").write_text(json.dumps(self.results, indent=1) + "\n")
        (self.arguments.out / "table.md").write_text(self.table())


def quantity(value: float, unit: str) -> str:
    """A number as people read it."""
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "s":
        return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.1f} ms"
    return f"{value:.0f}"


def grey_png(height: int, width: int) -> bytes:
    """A grey picture as a PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + bytes([128]) * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


if __name__ == "__main__":
    main()
