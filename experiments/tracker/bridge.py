"""Sends the curves of a run to an experiment tracker, here MLflow, while the run goes on.

    pip install mlflow-skinny
    python bridge.py runs/quickstart            # in a second terminal; ends with the run

Another tracker needs other words in the three lines that say `mlflow`.
"""

import json
import pathlib
import sys
import time

import mlflow


def events(folder):
    """The events of a run, old and new, until its report is written."""
    with open(folder / "metrics.jsonl", encoding="utf-8") as lines:
        while True:
            start = lines.tell()
            line = lines.readline()
            if line.endswith("\n"):
                yield json.loads(line)
            elif (folder / "report.json").exists():
                return
            else:  # nothing new, or a line that is being written
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
