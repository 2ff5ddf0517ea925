"""What runs can begin with instead of an initial draw: results, a file of them, a network, a parameter tree."""

import dataclasses
import functools
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jax
import numpy as np
import xarray as xr

from nnjax.results import files
from nnjax.results.network import Network
from nnjax.results.pieces import along
from nnjax.results.runs import labels_of
from nnjax.results.trees import KEPT, STATE, leaves, variable_of
from nnjax.validation import UserError, choice

Which: TypeAlias = Literal["state", "best", "last"]
"""What a run begins with: all that another one ended with, or the parameters of its best or its last epoch."""

Results: TypeAlias = xr.Dataset | str | os.PathLike[str]

StartFrom: TypeAlias = Results | Network | Mapping[str, Any] | tuple[Results, Which]
"""Results or their file, alone or in a pair with what to begin with; a network, or a Flax parameter tree."""


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """What runs can begin with, in rows: a row for each run of results, or one alone."""

    which: Which
    arrays: dict[str, np.ndarray]
    """Leaves ``[rows, …]``, filled up, by their names: of parameters behind best/ or last/, of states."""
    shapes: Sequence[str]
    """Of each row's parameters, by their names, in JSON; nothing for a run that was never begun."""
    state_shapes: Sequence[str]
    """Likewise of its state's leaves."""
    epochs: np.ndarray
    """That each row has had and that count on, ``[rows]``."""
    results: xr.Dataset | None = None
    """Where the rows are from."""

    @property
    def resumes(self) -> bool:
        """Whether all goes on that was, and not the parameters alone."""
        return self.which == "state"

    @property
    def name(self) -> str:
        """How the attributes of results call it."""
        if self.results is None:
            return "given parameters"
        what = "states" if self.resumes else f"{self.which} parameters"
        return f"{what} of results of {self.results.attrs.get('created', 'an unknown time')}"

    def names(self) -> list[list[str]]:
        """For each dimension along which there are several runs, the labels that tell them apart."""
        return [] if self.results is None else [along(self.results, dim) for dim in self._several()]

    def rows(self, labels: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """The row of each run, by its labels: those of a run's `names`.

        Raises:
            UserError: where the results have no such run.
        """
        if self.results is None:
            return np.zeros(len(labels), int)
        indices: dict[str, list[int]] = {}
        for dim, names in zip(self._several(), self.names(), strict=True):
            if not set(names) <= set(self.results.coords):
                raise UserError(f"start_from has several runs along {dim}, which nothing tells apart")
            columns = [self.results[name].values for name in names]
            numeric = [column.dtype.kind in "iufb" for column in columns]
            keys = zip(*(column.tolist() for column in columns), strict=True)
            places = {key: place for place, key in enumerate(keys)}
            indices[dim] = []
            for of_run in labels:
                found = labels_of_run(of_run, names, numeric)
                if found not in places:
                    said = ", ".join(f"{name} {value}" for name, value in zip(names, found, strict=True))
                    there = "; ".join(", ".join(map(str, key)) for key in list(places)[:10])
                    raise UserError(
                        f"start_from has no run at {said}: there it has {there}{'; …' if len(places) > 10 else ''}"
                    )
                indices[dim].append(places[found])
        sizes = self.results["status"].sizes
        at = [np.array(indices.get(str(dim), [0] * len(labels)), int) for dim in sizes]
        return np.ravel_multi_index(at, tuple(sizes.values())) if at else np.zeros(len(labels), int)

    def _several(self) -> list[str]:
        assert self.results is not None
        return [str(dim) for dim, size in self.results["status"].sizes.items() if size > 1]


def labels_of_run(labels: Mapping[str, Any], names: Sequence[str], numeric: Sequence[bool]) -> tuple[Any, ...]:
    """A run's labels as results have them: numbers along an axis of numbers, else texts."""
    values = (labels_of([labels.get(name)]).tolist()[0] for name in names)
    return tuple(value if number else str(value) for value, number in zip(values, numeric, strict=True))


def read_start(given: Any) -> Source:
    """What `nnjax.sweep` was given to start from.

    Raises:
        UserError: where that holds no parameters, or is something else.
    """
    if isinstance(given, Network):
        given = given.params
    if isinstance(given, Mapping) and not isinstance(given, xr.Dataset):
        return _of_tree(given)
    which: Any
    results, which = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    if isinstance(results, str | os.PathLike):
        results = files.load(Path(results))
    if not isinstance(results, xr.Dataset) or "status" not in results:
        raise UserError(
            f"start_from is a {type(results).__name__}, and must be results of nnjax or a file of them, a network "
            "or a parameter tree"
        )
    if "param_shapes" not in results:
        raise UserError("start_from holds no parameters: keep them with sweep(…, keep_parameters=True)")
    has_state = "state_shapes" in results
    which = which or ("state" if has_state else "best")
    choice("which of start_from", which, ("state", *KEPT))
    if which == "state" and not has_state:
        raise UserError("start_from holds parameters and no states: keep these with sweep(…, keep_state=True)")
    return _of_results(results, which)


def _of_tree(tree: Mapping[str, Any]) -> Source:
    try:
        found = {name: np.asarray(leaf, np.float32) for name, leaf in leaves(jax.tree.map(np.asarray, dict(tree)))}
    except (AttributeError, TypeError, ValueError):
        found = {}
    if not found or any(name == "params" or name.startswith("params/") for name in found):
        raise UserError(
            "start_from is a mapping, and must be a parameter tree as nnjax.parameters gives it: layers, each "
            "with arrays such as kernel and bias"
        )
    shapes = json.dumps({name: leaf.shape for name, leaf in found.items()})
    return Source(
        "last", {f"last/{name}": leaf[None] for name, leaf in found.items()}, [shapes], [], np.zeros(1, int)
    )


def _of_results(results: xr.Dataset, which: Which) -> Source:
    dims = [str(dim) for dim in results["status"].dims]
    count = math.prod(int(results.sizes[dim]) for dim in dims)
    shapes = results["param_shapes"].transpose(*dims).values.ravel().tolist()
    arrays: dict[str, np.ndarray] = {}

    def rows(name: str) -> np.ndarray:
        array = results[name].transpose(*dims, ...).values
        return array.reshape(count, *array.shape[len(dims) :])

    for name in dict.fromkeys(name for text in dict.fromkeys(shapes) for name in shapes_of(text)):
        both = rows(variable_of(name))
        arrays |= {f"{kept}/{name}": both[:, place] for place, kept in enumerate(KEPT)}
    if which != "state":
        return Source(which, arrays, shapes, [], np.zeros(count, int), results)
    of_states = rows("state_shapes").tolist()
    for name in dict.fromkeys(name for text in dict.fromkeys(of_states) for name in shapes_of(text)):
        arrays[name] = rows(variable_of(name, STATE))
    return Source(which, arrays, shapes, of_states, arrays["epoch"].astype(int), results)


@functools.lru_cache(maxsize=1000)
def shapes_of(shapes: str) -> dict[str, list[int]]:
    """The shapes that a row names; none for a run that was never begun."""
    return dict(json.loads(shapes)) if shapes else {}
