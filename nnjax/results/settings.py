"""The settings of a labelled result, how accurate each is, and which is best: computed once, on whole arrays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nnjax.results.runs import (
    METRICS,
    OF_SEARCH,
    Monitor,
    at_best,
    counted,
    measure_of,
    monitor_of,
    scores,
    seed_dims,
    task_in,
)
from nnjax.spelling import nearest
from nnjax.tasks import NAMES, TASKS, Measure
from nnjax.validation import UserError


@dataclass(frozen=True, eq=False)
class Setting:
    """One setting of a sweep.

    Attributes:
        place: where it stands in the order of the sweep.
        fields: what its axes say.
        total, diverged, stopped: how many runs were begun, and how many of them diverged and were stopped.
    """

    place: int
    fields: dict[str, Any]
    total: int
    diverged: int
    stopped: int
    _metrics: xr.Dataset = field(repr=False)
    _index: dict[str, int] = field(repr=False)

    @cached_property
    def runs(self) -> xr.Dataset:
        """The setting's part of the result, made when it is first asked for."""
        return self._metrics.isel(self._index)

    @property
    def values(self) -> list[str]:
        """What the axes say as short texts: ``["0.1", "(128,)"]``."""
        return [f"{value:g}" if isinstance(value, float) else str(value) for value in self.fields.values()]

    @property
    def label(self) -> str:
        """Names and values: ``learning_rate 0.1, hidden (128,)``; empty where the sweep has no axes."""
        return ", ".join(f"{name} {text}" for name, text in zip(self.fields, self.values, strict=True))

    def __repr__(self) -> str:
        counts = (("runs", self.total), ("diverged", self.diverged), ("stopped", self.stopped))
        said = ", ".join(f"{count} {word}" for word, count in counts if count or word == "runs")
        return f"<Setting {self.place}: {self.label or 'as configured'}; {said}>"


@dataclass(frozen=True, eq=False)
class Overview:
    """What tables, sentences and figures say of a result, from `overview`. Settings are K places of the sweep.

    Attributes:
        metrics: the result's variables of `nnjax.results.runs.METRICS`, and of a search those of ``OF_SEARCH``.
        attrs: what the result says of itself.
        axes: the size of each axis of the sweep; the last axis runs fastest over the settings.
        columns: each field's values by setting, ``[K]``.
        total: how many runs a setting has at most.
        missing, diverged, stopped: how many of them were not begun, diverged, and were stopped, ``[K]``.
    """

    metrics: xr.Dataset
    attrs: dict[Any, Any]
    axes: dict[str, int]
    columns: dict[str, NDArray[Any]]
    total: int
    missing: NDArray[np.int64]
    diverged: NDArray[np.int64]
    stopped: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.diverged)

    @cached_property
    def at_best(self) -> xr.Dataset:
        """``train``, ``valid`` and ``test`` accuracy of each run, ``[setting, seed…]``: `runs.at_best`."""
        found = at_best(self.metrics)
        seeds = seed_dims(self.metrics)
        # The index of each dimension of the seeds: by these two settings are paired.
        coords = {name: self.metrics.coords[name] for name in seeds if name in self.metrics.coords}
        arrays = {}
        for split, array in found.items():
            values = array.transpose(*self.axes, *seeds).values
            arrays[split] = (("setting", *seeds), values.reshape(len(self), *values.shape[len(self.axes) :]))
        return xr.Dataset(arrays, coords)

    @cached_property
    def measure(self) -> Measure:
        """What is said of a setting: its accuracy, R² or macro F1, by the task."""
        return measure_of(self.metrics)

    @cached_property
    def others(self) -> dict[str, xr.DataArray]:
        """What else is said of the test set, by its words: of a regression RMSE and mean absolute error."""
        task = task_in(self.metrics)
        found = {name: self.metrics.get(f"test_{name}") for name in task.metrics if name != self.measure.name}
        return {
            NAMES.get(name, name): values
            for name, values in found.items()
            if values is not None and values.dims == self.metrics["status"].dims
        }

    @cached_property
    def monitor(self) -> Monitor:
        """What the best epochs and the best setting are chosen by."""
        return monitor_of(self.metrics)

    @cached_property
    def scores(self) -> NDArray[Any]:
        """The scores of the runs, by which settings are compared, ``[K, runs]``: `nnjax.results.runs.scores`."""
        return scores(self.metrics).transpose(*self.axes, *seed_dims(self.metrics)).values.reshape(len(self), -1)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The places of the settings, best first, ``[K]``: see `rank`."""
        runs = self.scores
        there = ~np.isnan(runs)
        count = there.sum(axis=1)
        mean = np.where(there, runs, 0).sum(axis=1) / np.maximum(count, 1).astype(runs.dtype)
        share = np.where(
            count, self.diverged / np.maximum(self.total - self.missing, 1), 1
        )  # no accuracy at all is as bad as all diverged
        # The last key is the first to decide, and what ties stays in order.
        return np.lexsort((-mean, share))

    def curves(self, name: str, places: Sequence[int]) -> xr.DataArray:
        """The variable ``name`` of some settings, ``[setting, seed…, epoch]``, of the runs that count."""
        metrics = self.metrics[[name, "status"]]
        if not self.axes:
            return counted(metrics, name).expand_dims("setting")
        at = np.unravel_index(np.asarray(places, int), tuple(self.axes.values()))
        rows = {axis: ("setting", along) for axis, along in zip(self.axes, at, strict=True)}
        return counted(metrics.drop_vars(self.columns, errors="ignore").isel(rows), name)

    def setting(self, place: int) -> Setting:
        """The setting at a place of the sweep's order."""
        at = np.unravel_index(place, tuple(self.axes.values())) if self.axes else ()
        return Setting(
            int(place),
            {name: _plain(column[place]) for name, column in self.columns.items()},
            self.total - int(self.missing[place]),
            int(self.diverged[place]),
            int(self.stopped[place]),
            self.metrics,
            dict(zip(self.axes, map(int, at), strict=True)),
        )


def overview(results: xr.Dataset | Overview) -> Overview:
    """The overview of a labelled result, or the one that is given.

    Whoever makes a table, a sentence and a page of one result makes this once, and hands it to each.

    Raises:
        UserError: where a variable of a sweep's result is missing.
    """
    if isinstance(results, Overview):
        return results
    known = [str(name) for name in results.data_vars]
    measure = measure_of(results).name
    needed = [name.replace("accuracy", measure) for name in METRICS]
    if "best_epoch" in known:
        needed.append(monitor_of(results).name)
    for name in needed:
        if name not in known:
            close = nearest(name, known)
            raise UserError(f"the result has no variable {name!r}, which every sweep's result has{close}")
    others = [*OF_SEARCH, *(f"test_{name}" for task in TASKS.values() for name in task.metrics)]
    metrics = results[list(dict.fromkeys([*needed, *(name for name in others if name in known)]))]
    seeds = seed_dims(metrics)
    axes = {str(dim): size for dim, size in metrics["status"].sizes.items() if dim not in seeds}
    count = math.prod(axes.values())
    # [axes…] of places along each axis, as one column each
    along = dict(zip(axes, np.indices(tuple(axes.values())).reshape(len(axes), count), strict=True))
    columns: dict[str, NDArray[Any]] = {}
    for axis in axes:
        # A zipped axis and a list of settings are numbered, and the fields that vary are labels along them.
        labels = [str(name) for name in metrics.coords if name != axis and metrics[name].dims == (axis,)]
        for name in labels or [axis]:
            columns[name] = metrics[name].values[along[axis]]
    status = metrics["status"].transpose(*axes, *seeds).values.reshape(count, -1)
    tallies = ((status == word).sum(axis=1) for word in ("missing", "diverged", "stopped"))
    return Overview(metrics, dict(results.attrs), axes, columns, status.shape[1], *tallies)


def settings(results: xr.Dataset | Overview) -> list[Setting]:
    """The settings of a labelled result in the order of the sweep, the last axis fastest.

    Raises:
        UserError: where a variable of a sweep's result is missing.
    """
    found = overview(results)
    return [found.setting(place) for place in range(len(found))]


def rank(results: xr.Dataset | Overview) -> list[Setting]:
    """The settings, best first: chosen on validation accuracy or what else was monitored, never on the test set.

    A setting is better the smaller its share of diverged runs, and among equal shares the better the mean over
    its other runs of the monitored metric at each run's best epoch. So a setting with diverged runs
    comes after all settings without any, however accurate its other runs are, and one whose runs all diverged
    comes last. Settings that tie stay in the order of the sweep.

    Raises:
        UserError: as `settings` does.
    """
    found = overview(results)
    return [found.setting(place) for place in found.order.tolist()]


def _plain(value: Any) -> Any:
    """A label as a Python object."""
    return value.item() if isinstance(value, np.generic) else value
