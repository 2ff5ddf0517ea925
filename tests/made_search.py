"""Results of a search that was never made, for tests of its figures and sentences."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from made_results import make_results

SPACE = {
    "learning_rate": "log_uniform(0.0001, 1)",
    "momentum": "when(optimizer, sgd, uniform(0, 0.99))",
    "optimizer": "choice([sgd, adam])",
    "hidden": "layers(integers(1, 3), log_integers(8, 256))",
}


def make_search(
    count: int = 24,
    *,
    space: Mapping[str, str] = SPACE,
    seeds: int = 3,
    lost: Sequence[int] = (),
    importance: Mapping[str, tuple[float, float, float]] | None = None,
    most: str | None = None,
) -> xr.Dataset:
    """A search of so many settings; learning_rate decides, and momentum is set where the optimizer is sgd.

    Args:
        count: settings.
        space: the fields, of those of `SPACE`, and how they are said to be distributed.
        seeds: runs of each setting.
        lost: settings one run of which diverged.
        importance: share and ends by field.
        most: the field that is said to have mattered most.
    """
    rng = np.random.default_rng(1)
    results = make_results({"setting": list(range(count))}, seeds=seeds, diverged={(at, 0): 2 for at in lost})
    rates = np.geomspace(1e-4, 1, count)
    sgd = np.arange(count) % 2 == 0
    columns: dict[str, Any] = {
        "learning_rate": rates,
        "momentum": np.where(sgd, rng.uniform(0, 0.99, count), 0.5),
        "optimizer": np.where(sgd, "sgd", "adam").astype(object),
        "hidden": np.array([str(tuple(range(8, 9 + place % 3 * 40, 40))) for place in range(count)], object),
    }
    if count > 8:
        columns["hidden"] = np.array([str((8 + place,) * (1 + place % 3)) for place in range(count)], object)
    results = results.assign_coords({name: ("setting", columns[name]) for name in space})
    accuracy = 0.95 - 0.04 * (np.log10(rates) + 1) ** 2
    runs = accuracy[:, None] + rng.normal(0, 0.004, (count, seeds))
    results["valid_accuracy"] = results["valid_accuracy"] * 0 + xr.DataArray(runs, dims=("setting", "seed"))
    results["best_epoch"] = results["best_epoch"] * 0 + results.sizes["epoch"]
    results["best_epoch"] = results["best_epoch"].where(results["status"] != "diverged", 1)
    order = np.lexsort((-runs.mean(axis=1), np.isin(np.arange(count), lost)))
    results["contender"] = ("setting", np.isin(np.arange(count), order[:3]))
    results = results.assign_coords(field=np.array(list(space), object))
    active = np.column_stack([sgd if name == "momentum" else np.full(count, True) for name in space])
    results["is_set"] = (("setting", "field"), active)
    said = {"space": space, "best": int(order[0]), "score": 0.9, "optimism": 0.01, "zone": 0.005}
    if importance is not None:
        for place, end in enumerate(("", "_low", "_high")):
            results[f"importance{end}"] = ("field", np.array([importance[name][place] for name in space]))
        said |= {"mattered_most": most, "explained": 0.7}
    return results.assign_attrs(search=json.dumps(said))


IMPORTANCE = {
    "learning_rate": (0.81, 0.6, 1.0),
    "momentum": (-0.01, -0.05, 0.03),
    "optimizer": (0.02, 0.01, 0.03),
    "hidden": (0.1, -0.02, 0.22),
}
