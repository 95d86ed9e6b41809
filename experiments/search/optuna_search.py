"""Lets Optuna choose the trials of a sweep.

    python experiments/search/optuna_search.py experiments/search/temperature.toml --n-trials 12

Needs Optuna (`pip install optuna`) and stillhouse in the PATH. `sweep --ask` says what there is to choose and what was tried, `sweep
--tell` runs one trial; the sweep's folder keeps everything, so that a second start goes on.
"""

import argparse
import json
import subprocess

import optuna


def stillhouse(*words: str) -> dict:
    done = subprocess.run(["stillhouse", "sweep", *words], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def distribution(values: dict) -> optuna.distributions.BaseDistribution:
    if "listed" in values:
        return optuna.distributions.CategoricalDistribution([listed[0] for listed in values["listed"]])
    area = values["range"]
    kind = optuna.distributions.IntDistribution if area["is_whole"] else optuna.distributions.FloatDistribution
    bound = int if area["is_whole"] else float
    return kind(bound(area["from"]), bound(area["to"]), log=area["is_log"])


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("config")
parser.add_argument("--n-trials", type=int, default=12)
arguments = parser.parse_args()

asked = stillhouse(arguments.config, "--ask")
space = {axis["keys"][0]: distribution(axis["values"]) for axis in asked["space"]["axes"]}
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))


def value_in(key: str, value: object) -> object:
    """Listed values are TOML, which is JSON for numbers and strings."""
    return json.loads(value) if isinstance(space[key], optuna.distributions.CategoricalDistribution) else value


def of_optuna(key: str, value: object) -> object:
    return json.dumps(value) if isinstance(space[key], optuna.distributions.CategoricalDistribution) else value


for earlier in (trial for trial in asked["trials"] if trial["state"] == "finished"):
    params = {key: of_optuna(key, value) for key, value in earlier["values"].items()}
    study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=earlier["valid_top1"]))
while len(study.trials) < arguments.n_trials:
    trial = study.ask(space)
    values = {key: value_in(key, value) for key, value in trial.params.items()}
    told = stillhouse(arguments.config, "--tell", json.dumps(values), "-q")
    if told["state"] == "finished":
        study.tell(trial, told["valid_top1"])
    else:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    print(f"{told['cell']}: {told['valid_top1']}", flush=True)
print(f"best: {study.best_value:.4f} with {study.best_params}")
