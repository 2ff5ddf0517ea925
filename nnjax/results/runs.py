"""The runs of a labelled result: which dimensions count them, which of them count, and how good they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from nnjax.config import RUN_FIELDS
from nnjax.tasks import CLASSIFICATION, MEASURES, NAMES, TASKS, Measure, Task

SEEDS = ("seed", *RUN_FIELDS)
"""The dimensions of a labelled result that count runs, of seeds and of folds; the others are axes of the sweep,
and ``epoch``."""

METRICS = (
    *("train_loss", "valid_loss", "train_accuracy", "valid_accuracy"),
    *("test_accuracy", "best_epoch", "status"),
)
"""The variables of a classification's result that statistics, figures and pages are made of; others may be
missing. Those of another task have its measure in the place of the accuracy (`measure_of`)."""

OF_SEARCH = (
    *(f"fresh_{split}_{name}" for name in MEASURES for split in ("valid", "test")),
    *("contender", "is_set", "importance", "importance_low", "importance_high"),
)
"""What the result of a search has beside these: the best's runs with fresh seeds, who may be the best; where each
field of the space is set, and how much it mattered."""


class Monitor(NamedTuple):
    """What the best epoch of each run was chosen by, and the best setting is."""

    name: str = "valid_accuracy"
    better: str = "higher"
    """Which of two values is better, higher or lower."""

    @property
    def words(self) -> str:
        """``validation accuracy``."""
        name = self.name.removeprefix("valid_")
        return f"validation {NAMES.get(name, name.replace('_', ' '))}"

    @property
    def extreme(self) -> str:
        """What the best value is: highest or lowest."""
        return {"higher": "highest", "lower": "lowest"}[self.better]

    @property
    def sign(self) -> int:
        """What makes a score of a value, of which the higher is better."""
        return 1 if self.better == "higher" else -1

    @property
    def percent(self) -> bool:
        """Whether its values are shares, which are said in percent."""
        measure = MEASURES.get(self.name.removeprefix("valid_"))
        return measure is not None and measure.percent


def monitor_of(results: xr.Dataset) -> Monitor:
    """What all runs of a labelled result have monitored.

    Where settings have monitored several metrics it is the task's measure, and so in files that don't say it.
    """
    said = results["best_epoch"].attrs
    name, better = str(said.get("monitor")), said.get("better")
    if better in ("higher", "lower") and "monitor" in said:
        return Monitor(name, better)
    return Monitor(f"valid_{measure_of(results).name}")


def measure_of(results: xr.Dataset) -> Measure:
    """What tables, figures and sentences say of a labelled result: its accuracy, R² or macro F1, by its task."""
    return task_in(results).measure


def task_in(results: xr.Dataset) -> Task:
    """The task of a labelled result, that whose measure it has; a classification where it has none."""
    recorded = [task for task in TASKS.values() if f"test_{task.measure.name}" in results]
    return recorded[0] if recorded else TASKS[CLASSIFICATION]


def seed_dims(results: xr.Dataset | xr.DataArray) -> tuple[str, ...]:
    """The dimensions that count runs: ``("seed",)``, ``("init_seed", "data_seed")`` where these were crossed,
    ``("init_seed,data_seed",)`` where they were zipped, ``("data.fold", "seed")`` where folds are an axis, and
    none where one run was made of each setting."""
    return tuple(str(dim) for dim in results.dims if set(str(dim).split(",")) <= set(SEEDS))


def counted(results: xr.Dataset, name: str) -> xr.DataArray:
    """The variable ``name`` of the runs that count: NaN for a run that diverged, at all its epochs.

    A run that was stopped counts, up to the epoch at whose end it was.
    """
    return results[name].where(results["status"] != "diverged")


def at_best(results: xr.Dataset) -> xr.Dataset:
    """``train``, ``valid`` and ``test`` accuracy of each run that counts, at its best validation epoch.

    Of a regression it is R², of several labels macro F1: the task's measure (`measure_of`).

    Args:
        results: a labelled result, or the runs of one setting.

    Returns:
        Each ``[axes…, seed…]``, NaN where a run diverged or has no best epoch.
    """
    best, name = results["best_epoch"], measure_of(results).name
    found = {
        "train": _at_best(results, f"train_{name}"),
        "valid": _at_best(results, f"valid_{name}"),
        "test": results[f"test_{name}"],
    }
    return xr.Dataset(found).where((best > 0) & (results["status"] != "diverged"))


def scores(results: xr.Dataset) -> xr.DataArray:
    """The score of each run that counts, by which settings are compared: what was monitored, at its best epoch.

    The higher the better: of a metric of which less is better, such as the loss, it is the negative value.

    Returns:
        ``[axes…, seed…]``, NaN where a run diverged or has no best epoch.
    """
    monitor, best = monitor_of(results), results["best_epoch"]
    there = (best > 0) & (results["status"] != "diverged")
    return monitor.sign * _at_best(results, monitor.name).where(there)


def _at_best(results: xr.Dataset, name: str) -> xr.DataArray:
    """The variable ``name`` at each run's best epoch, at any for a run that has none (0)."""
    best = results["best_epoch"]
    return results[name].sel(epoch=best.where(best > 0, 1).astype(int)).drop_vars("epoch")


def labels_of(values: Sequence[Any]) -> np.ndarray:
    """The labels of values as a configuration holds them."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values)
    return np.array([str(value) for value in values], dtype=object)
