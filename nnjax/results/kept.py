"""The networks that results keep, and their parameters, by the labels of their runs."""

import base64
import itertools
import json
from typing import Any

import numpy as np
import xarray as xr

from nnjax.config import Config, DataConfig
from nnjax.data import Preprocessing, Words
from nnjax.data.targets import Standard
from nnjax.fields import canonical
from nnjax.parts import name_of
from nnjax.results import configs
from nnjax.results.ensemble import Ensemble
from nnjax.results.network import Network
from nnjax.results.provenance import plain
from nnjax.results.runs import labels_of, seed_dims
from nnjax.results.trees import KEPT, PARAMS, variable_of
from nnjax.spelling import nearest
from nnjax.tasks import CLASSIFICATION
from nnjax.types import Params
from nnjax.validation import UserError


def network(results: xr.Dataset, which: str = "best", **labels: Any) -> Network:
    """The trained network of one run, which predicts with all that it was trained with.

    Args:
        results: of a sweep with ``keep_parameters=True``, in memory or loaded from a file.
        which: "best", at the best validation epoch, or "last".
        labels: the run's place on each axis, by the value of the axis or of a field that is zipped along it:
            ``learning_rate=0.1, hidden=(32,), seed=3``. An axis of one place needs none; a name with a dot is
            given as ``**{"data.name": …}``.

    Raises:
        UserError: where no parameters were kept, or the labels don't name one run.
    """
    return _network(results, _run(results, which, labels), which, {})


def ensemble(results: xr.Dataset, which: str = "best", **labels: Any) -> Ensemble:
    """The networks of one setting with all seeds, and all folds where they are an axis, which answer together.

    Runs that diverged or were never begun are left out.

    Args:
        results, which: as `network` takes them.
        labels: the setting's place on each axis; a seed or a fold leaves out the others.

    Raises:
        UserError: where no parameters were kept, the labels don't name one setting, or no run is left.
    """
    left = _places(results, which, labels)
    seeds = seed_dims(results)
    _check_single({dim: places for dim, places in left.items() if dim not in seeds}, labels, "setting")
    status = results["status"]
    runs = [dict(zip(left, map(int, at), strict=True)) for at in itertools.product(*left.values())]
    runs = [run for run in runs if status.isel(run).item() in ("finished", "stopped")]
    if not runs:
        raise UserError("no run of this setting has come to an end: all diverged or were never begun")
    made: dict[str, Any] = {}
    return Ensemble([_network(results, run, which, made) for run in runs])


def _network(results: xr.Dataset, run: dict[str, int], which: str, made: dict[str, Any]) -> Network:
    """The network of a run; ``made`` holds what made the inputs of others, by name."""
    params = _parameters(results, run, which)
    config = configs.setting_at(results, run)
    data = _dataset(results, config)
    program = None
    if "program" in results:
        number = int(results["program"].isel(run))
        program = base64.b64decode(str(results["programs"].values[number])) if number >= 0 else None
    made_by = data.get("preprocessing")
    if made_by and made_by not in made:
        made[made_by] = _preprocessing(json.loads(str(results["preprocessing"].sel(table=made_by).item())))
    standard = data.get("standard")
    return Network(
        config,
        params,
        classes=data["classes"],
        inputs=data["inputs"],
        scale=data["scale"],
        program=program,
        class_names=tuple(data.get("class_names", ())),
        preprocessing=made[made_by] if made_by else None,
        task=data.get("task", CLASSIFICATION),
        standard=Standard(*map(np.array, standard.values())) if standard else None,
        units=tuple(data.get("units", ())),
    )


def parameters(results: xr.Dataset, which: str = "best", **labels: Any) -> Params:
    """The trained parameters of one run, as a Flax parameter tree; arguments as for `network`.

    Raises:
        UserError: where no parameters were kept, or the labels don't name one run.
    """
    return _parameters(results, _run(results, which, labels), which)


def _parameters(results: xr.Dataset, run: dict[str, int], which: str) -> Params:
    names = [str(name) for name in results.data_vars if str(name).startswith(PARAMS)]
    kept = results[[*names, "param_shapes"]].isel(run).isel(kept=KEPT.index(which))
    tree: dict[str, Any] = {}
    for name, shape in json.loads(str(kept["param_shapes"].item())).items():
        *path, leaf = name.split("/")
        inside = tree
        for step in path:
            inside = inside.setdefault(step, {})
        full = kept[variable_of(name)].values
        corner: Any = (*map(slice, shape), *[0] * (full.ndim - len(shape)))
        inside[leaf] = full[corner]
    return tree


def _run(results: xr.Dataset, which: str, labels: dict[str, Any]) -> dict[str, int]:
    """The index of a run along each dimension of its sweep."""
    left = _places(results, which, labels)
    _check_single(left, labels, "run")
    return {dim: int(places[0]) for dim, places in left.items()}


def _check_single(left: dict[str, np.ndarray], labels: dict[str, Any], what: str) -> None:
    several = [dim for dim, places in left.items() if len(places) > 1]
    if several:
        place = ", ".join(f"{name}={value!r}" for name, value in labels.items())
        where = f"at {place}" if place else "in these results"
        raise UserError(f"more than one {what} is {where}: give {' and '.join(several)} too")


def _places(results: xr.Dataset, which: str, labels: dict[str, Any]) -> dict[str, np.ndarray]:
    """The indices along each dimension of the sweep of what stands at the labels, and has parameters."""
    if "param_shapes" not in results or not any(str(name).startswith(PARAMS) for name in results.data_vars):
        raise UserError("these results hold no parameters: keep them with sweep(…, keep_parameters=True)")
    if which not in KEPT:
        raise UserError(f"which is {which!r}, and must be best or last{nearest(which, KEPT)}")
    status = results["status"]
    dims = [str(dim) for dim in status.dims]
    left = {dim: np.arange(status.sizes[dim]) for dim in dims}
    for name, value in labels.items():
        if name not in results.coords or not set(results[name].dims) <= set(dims):
            known = [str(coord) for coord in results.coords if set(results[coord].dims) <= set(dims)]
            raise UserError(f"{name!r} is no axis of these results{nearest(name, known)}")
        if not results[name].dims:
            continue
        (dim,) = map(str, results[name].dims)
        places = results[name].values.tolist()
        (found,) = np.nonzero(results[name].values == _label(name, value, places))
        if not found.size:
            shown = ", ".join(map(repr, places[:10])) + (", …" if len(places) > 10 else "")
            raise UserError(f"{name} is {value!r}, and must be one of {shown}")
        left[dim] = np.intersect1d(left[dim], found)
    if any(not len(places) for places in left.values()):
        raise UserError("no run is at all of " + ", ".join(f"{name}={value!r}" for name, value in labels.items()))
    return left


def _label(name: str, value: Any, places: list[Any]) -> Any:
    """A value as it labels its axis."""
    if isinstance(value, str):
        return value
    if callable(value):
        return name_of(value)
    return (
        labels_of([canonical(name, value)])[0] if not isinstance(places[0], str) else str(canonical(name, value))
    )


def _dataset(results: xr.Dataset, config: Config) -> dict[str, Any]:
    """What is recorded of the data that a setting was trained on."""
    found: list[dict[str, Any]] = json.loads(str(results.attrs["datasets"]))
    wanted = plain(vars(config.data))
    unsaid = plain(vars(DataConfig()))  # as in files from before there was a field
    return next((data for data in found if unsaid | (data["config"] or {}) == wanted), found[0])


def _preprocessing(said: dict[str, Any]) -> Preprocessing | Words:
    """What made the inputs, of columns or of texts."""
    return Words.read(said) if "words" in said else Preprocessing.read(said)
