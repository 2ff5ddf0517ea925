"""A network back from its results."""

import json
from typing import Any

import numpy as np
import xarray as xr

from nnjax.config import nearest
from nnjax.results.labels import KEPT, PARAMS, labels_of
from nnjax.types import Params
from nnjax.validation import UserError


def parameters(results: xr.Dataset, which: str = "best", **labels: Any) -> Params:
    """The trained parameters of one run, as a Flax parameter tree.

    Args:
        results: of a sweep with ``keep_parameters=True``.
        which: "best", at the best validation epoch, or "last".
        labels: the run's place on each axis, by the value of the axis or of a field that is zipped along it:
            ``learning_rate=0.1, hidden=(32,), seed=3``. An axis of one place needs none.

    Raises:
        UserError: where no parameters were kept, or the labels don't name one run.
    """
    names = [name for name in results.data_vars if str(name).startswith(PARAMS)]
    if not names:
        raise UserError("these results hold no parameters: keep them with sweep(…, keep_parameters=True)")
    if which not in KEPT:
        raise UserError(f"which is {which!r}, and must be best or last{nearest(which, KEPT)}")
    dims = results["status"].dims
    run = results[[*names, "param_shapes"]].sel(kept=which)
    for name, value in labels.items():
        if name not in results.coords or not set(results[name].dims) <= set(dims):
            known = [str(coord) for coord in results.coords if set(results[coord].dims) <= set(dims)]
            raise UserError(f"{name!r} is no axis of these results{nearest(name, known)}")
        if name in run.coords and run[name].dims:
            places = run[name].values.tolist()
            (found,) = np.nonzero(run[name].values == labels_of([value])[0])
            if not found.size:
                raise UserError(f"{name} is {value!r}, and must be one of {', '.join(map(repr, places))}")
            run = run.isel({run[name].dims[0]: found})
    left = [dim for dim in dims if run.sizes[dim] > 1]
    if left:
        raise UserError(f"more than one run is at {labels}: give {' and '.join(map(str, left))} too")
    run = run.squeeze(dims, drop=True)
    shapes = json.loads(str(run["param_shapes"].item()))
    return {
        layer: {
            leaf: run[f"{PARAMS}{layer}.{leaf}"].values[tuple(slice(size) for size in shape)]
            for leaf, shape in leaves.items()
        }
        for layer, leaves in shapes.items()
    }

