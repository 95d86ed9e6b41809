"""Programs that are measured: built, started one at a time, timed from outside."""

import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent


@dataclass
class Finished:
    """A program that has ended well: what it wrote, its wall time, and the most memory that it had."""

    output: str
    elapsed_s: float
    peak_bytes: int

    def line(self) -> dict:
        """The last line that it wrote, as JSON."""
        return json.loads(self.output.strip().splitlines()[-1])


def run(command: list, threads: int) -> Finished:
    """Runs a program in the repository; one that fails ends everything, with its messages."""
    environment = os.environ | {
        "RAYON_NUM_THREADS": str(threads),
        "CANDLE_NUM_THREADS": "1",
        "OMP_NUM_THREADS": str(threads),
    }
    words = [str(word) for word in command]
    start = time.perf_counter()
    process = subprocess.Popen(words, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"exit code {process.returncode}: {' '.join(words)}")
    return Finished(output, elapsed_s, usage.ru_maxrss * 1024)


class Programs:
    """Where the compiled programs and PyTorch's are."""

    def __init__(self, python: str, profile: str):
        self.python = python
        self.profile = profile
        self.folder = REPOSITORY / "target" / ("debug" if profile == "dev" else profile)

    def build(self) -> None:
        targets = ["--example", "speed", "--example", "export_npy", "--bin", "stillhouse"]
        command = ["cargo", "build", "--quiet", "--workspace", "--profile", self.profile, *targets]
        subprocess.run(command, cwd=REPOSITORY, check=True)

    def stillhouse(self) -> Path:
        return self.folder / "stillhouse"

    def example(self, name: str) -> Path:
        return self.folder / "examples" / name

    def pytorch(self, name: str) -> list:
        return [self.python, HERE / "pytorch" / name]


@dataclass
class Side:
    """Numbers of one side, one for each time that its program ran."""

    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Largest distance from the median, as a share of it."""
        return max(abs(value / self.median - 1) for value in self.values)


def machine(python: str) -> dict:
    """What the numbers depend on."""

    def first_line(command: list[str]) -> str:
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True).stdout.strip().split("\n")[0]

    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "commit": first_line(["git", "describe", "--always", "--dirty"]),
        "rustc": first_line(["rustc", "--version"]),
        "torch": first_line([python, "-c", "import torch; print(torch.__version__)"]),
    }
