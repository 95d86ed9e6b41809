"""Ten specialists in ten trainings, as many processes at a time as there are cores, each with one thread.

The processes are started, have imported torch, hold the examples and have warmed up before the clock runs; the models are
built while it runs."""

import argparse
import json
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

import torch

import workloads


def prepare(barrier, workload: dict) -> None:
    """Starts a process of the pool, which keeps its examples."""
    global examples
    torch.set_num_threads(1)
    examples = workloads.examples(workload)
    barrier.wait()


def train(workload: dict, variant: str, seed: int) -> float:
    torch.manual_seed(seed)
    training = workloads.Training(workload, examples, variant)
    return [training.step() for _ in range(workload["steps"])][-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="eager")
    workloads.add_arguments(parser)
    arguments = parser.parse_args()
    workload = workloads.load("specialists", arguments)
    n_examples = workload["n_specialists"] * workload["steps"] * workload["batch_size"]
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(arguments.threads)
    rates = []
    with ProcessPoolExecutor(arguments.threads, context, prepare, (barrier, workload)) as pool:
        def all_of_them(workload: dict, n: int) -> None:
            list(pool.map(train, [workload] * n, [arguments.variant] * n, range(n)))

        all_of_them(workload | {"steps": 3}, arguments.threads)
        for _ in range(arguments.rounds):
            start = time.perf_counter()
            all_of_them(workload, workload["n_specialists"])
            rates.append(n_examples / (time.perf_counter() - start))
    line = {
        "side": "pytorch",
        "workload": "specialists",
        "variant": arguments.variant,
        "n_threads": arguments.threads,
        "examples_per_s": statistics.median(rates),
        "rounds": rates,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
