"""Sends the curves of a run to an experiment tracker, here MLflow, while the run goes on.

    pip install mlflow-skinny
    python bridge.py runs/quickstart            # in a second terminal; ends with the run, or by Ctrl-C

Another tracker needs other words in the three lines that say `mlflow`.
"""

import json
import pathlib
import sys
import time

import mlflow


def events(folder):
    """The events of a run, old and new, until its report is written behind the last of them."""
    while not (folder / "metrics.jsonl").exists():
        time.sleep(1)
    report, last = folder / "report.json", 0.0
    with open(folder / "metrics.jsonl", encoding="utf-8") as lines:
        while True:
            start = lines.tell()
            line = lines.readline()
            if line.endswith("\n"):
                event = json.loads(line)
                last = event["time"]
                yield event
            elif report.exists() and report.stat().st_mtime >= last:
                return
            else:  # nothing new, a line that is being written, or the report of an earlier run
                lines.seek(start)
                time.sleep(1)


folder = pathlib.Path(sys.argv[1])
with mlflow.start_run(run_name=folder.name):
    for event in events(folder):
        if event["event"] == "epoch":
            record = event["record"]
            values = {f"{event['stage']}/{name}": value for name, value in record.items() if isinstance(value, float)}
            mlflow.log_metrics(values, step=record["epoch"])
    for model in json.loads((folder / "report.json").read_text())["models"]:
        mlflow.log_metric(f"{model['name']}/test_top1", model["top1"])
