"""Labelled results that were never trained, for tests of statistics, figures and pages."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

CONFIG = """\
data:
  name: digits
  dir: null
  valid_fraction: 0.2
model: mlp
hidden:
- 128
activation: sigmoid
init: normal(0.001)
loss: cross_entropy
optimizer: sgd
learning_rate: 0.1
weight_decay: 0.001
batch_size: 64
epochs: 100
seeds: 32
"""


def make_results(
    axes: Mapping[str, Sequence[Any]] | None = None,
    *,
    seeds: int | tuple[int, int] = 8,
    epochs: int = 5,
    diverged: Mapping[tuple[int, ...], int] | None = None,
    stopped: Mapping[tuple[int, ...], int] | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """A labelled result as nnjax.results.labels makes it, with learning curves that look like a small network's.

    Args:
        axes: values of each axis; a name with commas is a zipped axis of tuples.
        seeds: how many, a pair for init_seed × data_seed, 0 for no such dimension.
        diverged: the epoch from which a run, named by its index, is NaN.
        stopped: the epoch at whose end a run was stopped.
        seed: of the noise.
    """
    axes = dict(axes or {})
    rng = np.random.default_rng(seed)
    runs = {"init_seed": seeds[0], "data_seed": seeds[1]} if isinstance(seeds, tuple) else {"seed": seeds}
    runs = {name: size for name, size in runs.items() if size}
    coords: dict[str, Any] = {name: np.arange(size) for name, size in runs.items()}
    for name, values in axes.items():
        fields = name.split(",")
        if len(fields) == 1:
            numbers = all(isinstance(value, int | float) for value in values)
            coords[name] = np.array(values) if numbers else np.array([str(value) for value in values], object)
        else:
            coords[name] = np.arange(len(values))
            for field, column in zip(fields, zip(*values, strict=True), strict=True):
                coords[field] = (name, np.array(column))
    dims = [*axes, *runs]
    shape = [len(values) for values in axes.values()] + list(runs.values())
    settings = shape[: len(axes)]

    epoch = np.arange(1, epochs + 1)
    # Each setting learns at its own speed to its own level; the first is the fastest.
    speed = np.geomspace(1, 0.04, int(np.prod(settings))).reshape(*settings, *[1] * len(runs), 1)
    level = 0.985 - 0.02 * np.abs(np.log10(speed * 3))
    luck = rng.normal(0, 1, [*[1] * len(axes), *runs.values(), 1]) + 0.5 * rng.normal(0, 1, [*shape, 1])

    def noise(size: float) -> np.ndarray:
        return size * rng.normal(0, 1, [*shape, epochs])

    learned = 1 - np.exp(-((1.2 * speed * epoch) ** 0.7))
    valid = 0.1 + (level - 0.1) * learned + 0.004 * luck * learned + noise(0.002)
    train = 0.1 + (level + 0.008 - 0.1) * learned + 0.001 * luck + noise(0.001)
    curves = {
        "train_loss": 2.3 * (1 - learned) + 0.02 * np.exp(0.1 * luck + noise(0.02)),
        "train_accuracy": np.clip(train, 0, 1),
        "valid_loss": 2.3 * (1 - learned) + 0.07 * np.exp(0.1 * luck + noise(0.03)),
        "valid_accuracy": np.clip(valid, 0, 1),
        "grad_norm": 1 - learned + 0.1 + noise(0.01),
        "update_ratio": 0.01 * (1 - learned) + 0.001 + noise(1e-4),
    }
    ended = np.zeros(shape, int)
    for run, at in (diverged or {}).items():
        ended[run] = at
        for values in curves.values():
            values[(*run, slice(at - 1, None))] = np.nan
    status = np.where(ended > 0, "diverged", "finished").astype(object)
    for run, at in (stopped or {}).items():
        status[run] = "stopped"
        for values in curves.values():
            values[(*run, slice(at, None))] = np.nan
    accuracy = curves["valid_accuracy"]
    best = np.where(ended == 1, 0, 1 + np.nanargmax(np.where(np.isnan(accuracy), -1, accuracy), axis=-1))
    top = np.max(np.where(np.isnan(accuracy), -1, accuracy), axis=-1)
    test = np.where(best > 0, top - 0.004 + 0.002 * luck[..., 0], np.nan)
    variables: dict[str, Any] = {
        name: ([*dims, "epoch"], values.astype(np.float32)) for name, values in curves.items()
    }
    variables |= {
        "test_accuracy": (dims, test.astype(np.float32)),
        "test_accuracy_last": (dims, np.where(ended > 0, np.nan, test - 0.001).astype(np.float32)),
        "test_loss": (dims, (0.1 - 0.01 * test).astype(np.float32)),
        "test_loss_last": (dims, np.where(ended > 0, np.nan, 0.1 - 0.01 * test).astype(np.float32)),
        "best_epoch": (dims, best),
        "status": (dims, status),
        "diverged_epoch": (dims, ended),
    }
    results = xr.Dataset(variables, {**coords, "epoch": epoch})
    for name in results.data_vars:
        results[name].attrs["long_name"] = str(name).replace("_", " ")
        if "loss" in str(name):
            results[name].attrs["units"] = "nat"
    results.attrs = {
        "config": CONFIG,
        "axes": json.dumps({name: list(map(str, values)) for name, values in axes.items()}),
        "versions": json.dumps({"nnjax": "0.1.0", "jax": "0.10.2", "numpy": "2.4.6"}),
        "device": "4 × cpu (cpu)",
        "git_revision": "47ca3f0c1d2e+",
        "wall_time": 23.456,
        "created": "2026-11-21T10:00:00+00:00",
    }
    return results


def with_accuracies(valid: Any, test: Any, **arguments: Any) -> xr.Dataset:
    """A sweep over momentum whose runs have the given accuracies, [settings, seeds], at every epoch."""
    valid, test = np.broadcast_arrays(np.array(valid, float), np.array(test, float))
    momenta = [place / 10 for place in range(len(valid))]
    results = make_results({"momentum": momenta}, seeds=valid.shape[1], **arguments)
    results["valid_accuracy"].values[...] = valid[..., None]
    results["test_accuracy"] = results["test_accuracy"].dims, test
    return results


RATES = {"learning_rate": [1, 0.1, 0.05, 0.01]}

KINDS = {
    "four rates": {"axes": RATES, "diverged": {(0, 1): 2}},
    "one seed": {"axes": RATES, "seeds": 1},
    "one epoch": {"axes": RATES, "epochs": 1, "diverged": {(1, 1): 1}},
    "one run": {"seeds": 1, "epochs": 1},
    "no axes": {"diverged": {(0,): 3}},
    "no seeds": {"axes": RATES, "seeds": 0},
    "crossed seeds": {"axes": RATES, "seeds": (3, 2)},
    "zipped": {"axes": {"learning_rate,momentum": [(1.0, 0.0), (0.1, 0.9)]}},
    "two axes": {"axes": {"learning_rate": [1, 0.1, 0.01], "hidden": [(8,), (8, 8), (9,)]}, "seeds": 2},
    "12 rates": {"axes": {"learning_rate": list(np.geomspace(1, 0.001, 12))}, "seeds": 2},
    "12 rates, one epoch": {"axes": {"learning_rate": list(np.geomspace(1, 0.001, 12))}, "epochs": 1},
    "all of a setting diverged": {"axes": RATES, "seeds": 2, "diverged": {(0, 0): 1, (0, 1): 4}},
    "stopped": {"axes": RATES, "seeds": 3, "stopped": {(1, 0): 2, (1, 1): 1}, "diverged": {(0, 0): 3}},
    "grid": {"axes": {"learning_rate": [1, 0.1, 0.01, 0.001], "hidden": [(8,), (8, 8), (9,)]}, "seeds": 2},
    "three axes": {"axes": {"learning_rate": [1, 0.1, 0.01], "momentum": [0, 0.9], "hidden": [(8,), (9,)]}},
    "all diverged": {"axes": RATES, "seeds": 1, "diverged": {(rate, 0): 1 for rate in range(4)}},
    "odd labels": {"axes": {"data.dir": ["$a/$b", '<b id="x">', "_c", "é&amp;"]}, "seeds": 2},
}
