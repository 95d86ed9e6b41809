"""Examples a second of one workload, as one line of JSON: python train.py WORKLOAD --threads 2 --variant fused"""

import argparse
import json
import resource
import statistics
import time

import torch

import workloads

N_WARMUP_STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload")
    parser.add_argument("--variant", default="eager", help="eager, or fused, channels_last, sparse, compile joined by +")
    workloads.add_arguments(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    workload = workloads.load(arguments.workload, arguments)
    start = time.perf_counter()
    training = workloads.Training(workload, workloads.examples(workload), arguments.variant)
    for _ in range(N_WARMUP_STEPS):
        training.step()
    warmup_s = time.perf_counter() - start
    n_examples = workload["steps"] * workload["batch_size"]
    rates = []
    for _ in range(arguments.rounds):
        start = time.perf_counter()
        losses = [training.step() for _ in range(workload["steps"])]
        rates.append(n_examples / (time.perf_counter() - start))
    line = {
        "side": "pytorch",
        "workload": arguments.workload,
        "variant": arguments.variant,
        "n_threads": arguments.threads,
        "examples_per_s": statistics.median(rates),
        "rounds": rates,
        "last_loss": losses[-1],
        "warmup_s": warmup_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
