"""Labelled results: an `xarray.Dataset` with a dimension for each axis of a sweep, ``seed`` and ``epoch``.

The metrics of `nnjax.training.metrics` stand under their names: by axes, seed and epoch those of an epoch, by axes
and seed those of the test set; those by layer or class have such a dimension too. Beside them, by axes and seed:
best_epoch, status (finished, diverged, stopped, missing), diverged_epoch, stopped_epoch. NaN stands where a run
had diverged, had been stopped or had had its epochs.
"""

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from nnjax.axes import Axis
from nnjax.config import Config, flat
from nnjax.data import Dataset
from nnjax.results.forward import recorded_program
from nnjax.results.provenance import preprocessing_of, provenance
from nnjax.results.runs import Monitor, labels_of
from nnjax.results.trees import Shape, parameter_variables, state_variables
from nnjax.tasks import AUTO, task_of
from nnjax.training.metrics import Variable, variables
from nnjax.training.monitor import VALID
from nnjax.training.structure import Structure

RUN_VARIABLES = {
    "best_epoch": "epoch of the best value of what is monitored",
    "status": "how the run ended",
    "diverged_epoch": "epoch in which loss or parameters stopped being finite, 0 for none",
    "stopped_epoch": "epoch at whose end the run was stopped, 0 for none",
}


class Trained(NamedTuple):
    """Runs that share a structure, and what came out of them."""

    structure: Structure
    data: Dataset
    runs: Sequence[tuple[int, int]]
    """For each run the indices of its setting and its seed."""
    outcome: Any
    """A `nnjax.engine.driver.Outcome` of these runs."""


def label(
    *,
    config: Config,
    axes: Sequence[Axis],
    seeds: Sequence[int] | None,
    parts: Sequence[Trained],
    device: str,
    wall_time: float,
) -> xr.Dataset:
    """The dataset of a sweep.

    Args:
        config: the setting that the axes vary.
        axes: the dimensions of the sweep.
        seeds: the seeds, or None where there is no such dimension.
        parts: all runs of the sweep, by structure.
        device: what it ran on.
        wall_time: seconds.
    """
    of_seeds = [len(seeds)] if seeds else []
    shape = Shape(
        (*(axis.name for axis in axes), *(["seed"] if seeds else [])),
        (*(len(axis.changes) for axis in axes), *of_seeds),
    )
    at = [np.array([setting * len(seeds or [0]) + seed for setting, seed in part.runs]) for part in parts]
    coords, found = _metrics(shape, at, parts, varied="loss" in {field for axis in axes for field in axis.fields})
    for name in ("best_epoch", "diverged_epoch", "stopped_epoch"):
        column = shape.full((), 0, np.int32)
        for index, part in zip(at, parts, strict=True):
            column[index] = getattr(part.outcome, name)
        found[name] = (*shape.variable(column), {"long_name": RUN_VARIABLES[name]})
    found["best_epoch"][-1].update(_monitored(config, axes, parts))
    diverged, stopped = found["diverged_epoch"][1], found["stopped_epoch"][1]
    begun = shape.full((), False, bool)
    begun[np.concatenate(at)] = True
    ended = np.where(shape.variable(begun)[1], "finished", "missing")
    status = np.where(diverged > 0, "diverged", np.where(stopped > 0, "stopped", ended))
    found["status"] = (list(shape.dims), status, {"long_name": RUN_VARIABLES["status"]})
    if parts[0].outcome.best_params is not None:
        found |= parameter_variables(shape, at, parts)
        found |= _programs(shape, at, parts)
    if parts[0].outcome.state is not None:
        found |= state_variables(shape, at, parts)
    coords |= _coordinates(config, axes)
    # Not in the attributes, of which netCDF takes no long ones.
    tables = dict(preprocessing_of(part.data) for part in parts if part.data.preprocessing is not None)
    if tables:
        found["preprocessing"] = ("table", np.array(list(tables.values()), object))
        coords["table"] = np.array(list(tables), object)
    if seeds:
        coords["seed"] = np.array(seeds)
    return xr.Dataset(found, coords, provenance(config, axes, [part.data for part in parts], device, wall_time))


def _monitored(config: Config, axes: Sequence[Axis], parts: Sequence[Trained]) -> dict[str, str]:
    """What is said of the metric that all settings monitor; nothing where they monitor several."""
    along = [axis.changes for axis in axes if "monitor" in axis.fields]
    names = {change.get("monitor", config.monitor) for changes in along for change in changes} or {config.monitor}
    names = {task_of(parts[0].data.task).monitor if name == AUTO else name for name in names}
    if len(names) > 1:
        return {}
    (name,) = names
    metric = dict(parts[0].structure.metrics)[name.removeprefix(VALID)]
    said = Monitor(name, metric.better)
    return {"long_name": f"epoch of the {said.extreme} {said.words}", "monitor": name, "better": metric.better}


def _metrics(
    shape: Shape, at: Sequence[np.ndarray], parts: Sequence[Trained], varied: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The coordinates and the variables of the metrics; what a structure hasn't is NaN."""
    said: dict[str, Variable] = {}
    labels: dict[str, list[Any]] = {"epoch": [], "layer": [], "class": [], "output": []}
    of_targets = set(parts[0].data.units)
    for part in parts:
        loss_units = "" if varied else part.structure.loss.units
        said |= variables(
            part.structure.metrics, loss_units, next(iter(of_targets)) if len(of_targets) == 1 else ""
        )
        epochs = len(next(iter(part.outcome.epochs.values()))[0])
        for dim, own in ({"epoch": range(1, epochs + 1)} | own_labels(part.structure, part.data)).items():
            labels[dim] += [label for label in own if label not in labels[dim]]
    used = {dim for variable in said.values() for dim in variable.dims}
    found: dict[str, Any] = {}
    for name, (words, dims, units) in said.items():
        full = shape.full([len(labels[dim]) for dim in dims], np.nan, np.float32)
        for index, part in zip(at, parts, strict=True):
            values = (part.outcome.epochs if "epoch" in dims else part.outcome.test).get(name)
            if values is not None:
                of_part = own_labels(part.structure, part.data)
                of_part["epoch"] = range(1, (values.shape[1] if "epoch" in dims else 0) + 1)
                places: Any = [[labels[dim].index(label) for label in of_part[dim]] for dim in dims]
                full[np.ix_(index, *places)] = values
        attrs = {"long_name": words} | (
            {"units": units} if units and not (units == "1" and "loss" not in name) else {}
        )
        found[name] = (*shape.variable(full, dims), attrs)
    if any(isinstance(label, str) for label in labels["class"]):
        labels["class"] = [str(label) for label in labels["class"]]
    coords: dict[str, Any] = {dim: np.array(values) for dim, values in labels.items() if dim in used}
    if "output" in used and any(of_targets):
        coords["unit"] = ("output", np.array(parts[0].data.units, object))
    return coords, found


def own_labels(structure: Structure, data: Dataset) -> dict[str, Sequence[Any]]:
    """The labels of the metrics of some runs, along layers, classes and outputs."""
    outputs = range(data.classes)
    layers = [layer or "(top)" for layer in structure.layers]
    return {"layer": layers, "class": list(data.class_names) or outputs, "output": outputs}


def _programs(shape: Shape, at: Sequence[np.ndarray], parts: Sequence[Trained]) -> dict[str, Any]:
    """What the networks with parts of the user's own compute, so that they predict where the parts are not."""
    texts: list[str] = []
    which = shape.full((), -1, np.int32)
    for index, part in zip(at, parts, strict=True):
        program = recorded_program(part.structure, part.data.inputs)
        if program is not None:
            which[index] = len(texts)
            texts.append(base64.b64encode(program).decode())
    if not texts:
        return {}
    return {"program": shape.variable(which), "programs": ("program_number", np.array(texts, object))}


def _coordinates(config: Config, axes: Sequence[Axis]) -> dict[str, Any]:
    """Numbers label their axis as numbers, everything else as text; zipped fields stand along their axis."""
    base = flat(config)
    coords: dict[str, Any] = {}
    for axis in axes:
        for field in axis.fields:
            coords[field] = (axis.name, labels_of([change.get(field, base.get(field)) for change in axis.changes]))
        if axis.name not in coords:
            coords[axis.name] = np.arange(len(axis.changes))
    return coords
