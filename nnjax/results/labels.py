"""Labelled results: an `xarray.Dataset` with a dimension for each axis of the sweep, ``seed`` and ``epoch``.

By axes, seed and epoch: train_loss, train_accuracy, valid_loss, valid_accuracy, grad_norm, update_ratio. By axes
and seed: test_loss and test_accuracy (with the parameters of the best validation epoch), test_loss_last and
test_accuracy_last, best_epoch, status (finished, diverged), diverged_epoch. NaN stands where a run had diverged
or had had its epochs.
"""

import dataclasses
import datetime
import importlib.metadata
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
import yaml

from nnjax.axes import Axis, describe_axes
from nnjax.config import Config, flatten
from nnjax.data import Dataset
from nnjax.types import Params

EPOCH_VARIABLES = {
    "train_loss": "training loss, running",
    "train_accuracy": "training accuracy, running",
    "valid_loss": "validation loss",
    "valid_accuracy": "validation accuracy",
    "grad_norm": "norm of the loss gradient, mean over one step in 32 or more",
    "update_ratio": "norm of the update over norm of the parameters, mean over one step in 32 or more",
}

RUN_VARIABLES = {
    "test_loss": "test loss at the best validation epoch",
    "test_accuracy": "test accuracy at the best validation epoch",
    "test_loss_last": "test loss after the last epoch",
    "test_accuracy_last": "test accuracy after the last epoch",
    "best_epoch": "epoch of the highest validation accuracy",
    "status": "how the run ended",
    "diverged_epoch": "epoch in which loss or parameters stopped being finite, 0 for none",
}

PARAMS = "params."

KEPT = ("best", "last")

def label(
    *,
    config: Config,
    data: Sequence[Dataset],
    axes: Sequence[Axis],
    seeds: Sequence[int] | None,
    runs: Sequence[tuple[int, int]],
    outcomes: Sequence[Any],
    device: str,
    wall_time: float,
) -> xr.Dataset:
    """The dataset of a sweep.

    Args:
        config: the setting that the axes vary.
        data: what was trained on.
        axes: the dimensions of the sweep.
        seeds: the seeds, or None where there is no such dimension.
        runs: for each run its setting and its place among the seeds.
        outcomes: for each run a `nnjax.engine.loop.Outcome` of its own.
        device: what it ran on.
        wall_time: seconds.
    """
    dims = [axis.name for axis in axes] + (["seed"] if seeds else [])
    shape = [len(axis.changes) for axis in axes] + ([len(seeds)] if seeds else [])
    flat = np.array([setting * len(seeds or [0]) + place for setting, place in runs])
    order = np.argsort(flat)

    def gather(values: Sequence[np.ndarray]) -> np.ndarray:
        stacked = np.stack(values)[order]
        return stacked.reshape((*shape, *stacked.shape[1:]))

    longest = max(len(outcome.epochs.train_loss) for outcome in outcomes)
    variables: dict[str, Any] = {}
    for name in EPOCH_VARIABLES:
        curves = [_pad(getattr(outcome.epochs, name), (longest,)) for outcome in outcomes]
        variables[name] = ([*dims, "epoch"], gather(curves))
    for name in outcomes[0].test._fields:
        variables[name] = (dims, gather([getattr(outcome.test, name) for outcome in outcomes]))
    variables["best_epoch"] = (dims, gather([outcome.best_epoch for outcome in outcomes]))
    diverged = gather([outcome.diverged_epoch for outcome in outcomes])
    variables["status"] = (dims, np.where(diverged > 0, "diverged", "finished"))
    variables["diverged_epoch"] = (dims, diverged)
    if outcomes[0].best_params is not None:
        variables |= _parameter_variables(dims, shape, flat.tolist(), outcomes)

    coords = _coordinates(config, axes) | {"epoch": np.arange(1, longest + 1)}
    if seeds:
        coords["seed"] = np.array(seeds)
    dataset = xr.Dataset(variables, coords, _provenance(config, data, axes, device, wall_time))
    for name, words in (EPOCH_VARIABLES | RUN_VARIABLES).items():
        dataset[name].attrs["long_name"] = words
        if "_loss" in name and not any("loss" in axis.fields for axis in axes):
            dataset[name].attrs["units"] = "nat" if config.loss.endswith("cross_entropy") else "1"
    return dataset


def _parameter_variables(
    dims: Sequence[str], shape: Sequence[int], places: Sequence[int], outcomes: Sequence[Any]
) -> dict[str, Any]:
    """One variable for each leaf of the tree; smaller networks of a sweep are filled up with NaN."""
    sizes: dict[str, tuple[int, ...]] = {}
    for outcome in outcomes:
        for name, leaf in _leaves(outcome.best_params):
            sizes[name] = tuple(np.maximum(sizes.get(name, leaf.shape), leaf.shape))
    # Written run by run into arrays of their full size: these can be most of the memory there is.
    arrays = {name: np.full((len(places), 2, *size), np.nan, np.float32) for name, size in sizes.items()}
    shapes = np.empty(len(places), object)
    for place, outcome in zip(places, outcomes, strict=True):
        for kept, tree in enumerate((outcome.best_params, outcome.last_params)):
            for name, leaf in _leaves(tree):
                corner: Any = (place, kept, *map(slice, leaf.shape))
                arrays[name][corner] = leaf
        shapes[place] = json.dumps(
            {name: {leaf: array.shape for leaf, array in layer.items()} for name, layer in tree.items()}
        )
    variables: dict[str, Any] = {
        PARAMS + name: (
            [*dims, "kept", *(f"{name}.{axis}" for axis in range(len(sizes[name])))],
            array.reshape((*shape, *array.shape[1:])),
        )
        for name, array in arrays.items()
    }
    variables["param_shapes"] = (dims, shapes.astype(str).reshape(tuple(shape)))
    variables["kept"] = ("kept", np.array(KEPT))
    return variables


def _leaves(params: Params) -> Iterator[tuple[str, np.ndarray]]:
    for layer, leaves in params.items():
        for leaf, array in leaves.items():
            yield f"{layer}.{leaf}", array


def _pad(array: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    missing = [(0, full - have) for full, have in zip(shape, array.shape, strict=True)]
    return np.pad(array, missing, constant_values=np.nan)


def _coordinates(config: Config, axes: Sequence[Axis]) -> dict[str, Any]:
    """Numbers label their axis as numbers, everything else as text; zipped fields stand along their axis."""
    base = flatten(dataclasses.asdict(config))
    coords: dict[str, Any] = {}
    for axis in axes:
        for field in axis.fields:
            coords[field] = (axis.name, labels_of([change.get(field, base[field]) for change in axis.changes]))
        if axis.name not in coords:
            coords[axis.name] = np.arange(len(axis.changes))
    return coords


def labels_of(values: Sequence[Any]) -> np.ndarray:
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in plain):
        return np.array(plain)
    return np.array([str(tuple(value) if isinstance(value, list) else value) for value in plain], dtype=object)


def _provenance(
    config: Config,
    data: Sequence[Dataset],
    axes: Sequence[Axis],
    device: str,
    wall_time: float,
) -> dict[str, Any]:
    packages = ("nnjax", "jax", "jaxlib", "flax", "optax", "numpy", "xarray")
    return {
        "config": _configuration(config, data, axes),
        "data": "; ".join(dict.fromkeys(map(str, data))),
        "versions": json.dumps({name: _version(name) for name in packages}),
        "device": device,
        "git_revision": _git_revision(),
        "wall_time": round(wall_time, 3),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _configuration(config: Config, data: Sequence[Dataset], axes: Sequence[Axis]) -> str:
    """The sweep as a YAML file that ``nnjax sweep --config`` takes: every field, and the axes.

    A data set of one's own can't be named in a file, so nothing is said of it there.
    """
    words = dataclasses.asdict(config) | ({"axes": describe_axes(axes)} if axes else {})
    if any(dataset.config is None for dataset in data):
        del words["data"]
    return yaml.safe_dump(_plain(words), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    """The value in the words of YAML and JSON: lists for tuples, Python numbers for NumPy's."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git_revision() -> str:
    """The commit of the working folder, with a + where files have changed since; empty outside of git."""
    try:
        commit = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return commit.stdout.strip()

