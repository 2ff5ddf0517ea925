"""Trees of arrays as variables of labelled results: one for each leaf, by the axes of the sweep."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

PARAMS, STATE = "params.", "state."
"""How the variables are called that hold parameters, and what else training goes on from."""

KEPT = ("best", "last")
"""The parameters that are kept of a run."""

SHAPES = {PARAMS: "param_shapes", STATE: "state_shapes"}
"""What says which shapes a run's leaves have, before they were filled up."""


class Shape(NamedTuple):
    """The dimensions of a sweep."""

    dims: tuple[str, ...]
    sizes: tuple[int, ...]

    def full(self, sizes: Sequence[int], fill: Any, dtype: Any) -> np.ndarray:
        """An array of all runs, in a row, with more dimensions behind."""
        return np.full((int(np.prod(self.sizes)), *sizes), fill, dtype)

    def variable(self, array: np.ndarray, dims: Sequence[str] = ()) -> tuple[list[str], np.ndarray]:
        """The array [runs, …] as a variable with the dimensions of the sweep."""
        return [*self.dims, *dims], array.reshape((*self.sizes, *array.shape[1:]))


def parameter_variables(shape: Shape, at: Sequence[np.ndarray], parts: Sequence[Any]) -> dict[str, Any]:
    """The best and the last parameters of runs: one variable for each leaf of the tree.

    Args:
        shape: of the sweep.
        at: the places of each part's runs in it.
        parts: `nnjax.results.labels.Trained`.
    """
    found = _variables(
        shape, at, [(part.outcome.best_params, part.outcome.last_params) for part in parts], PARAMS, "kept"
    )
    return found | {"kept": ("kept", np.array(KEPT))}


def state_variables(shape: Shape, at: Sequence[np.ndarray], parts: Sequence[Any]) -> dict[str, Any]:
    """What else training goes on from: one variable for each leaf; arguments as for `parameter_variables`."""
    return _variables(shape, at, [(part.outcome.state,) for part in parts], STATE)


def _variables(
    shape: Shape, at: Sequence[np.ndarray], parts: Sequence[Sequence[Any]], prefix: str, kept: str | None = None
) -> dict[str, Any]:
    """One variable for each leaf of the trees of each part; smaller networks of a sweep are filled up with NaN.

    Where several trees of a run are ``kept`` they stand along that dimension.
    """
    sizes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, Any] = {}
    for first, *_ in parts:
        for name, leaf in leaves(first):
            of_run = leaf.shape[1:]
            have = sizes.get(name, of_run)
            if len(have) != len(of_run):  # another network's layer of that name
                have = (*have, *[1] * (len(of_run) - len(have)))
                of_run = (*of_run, *[1] * (len(have) - len(of_run)))
            sizes[name] = tuple(map(int, np.maximum(have, of_run)))
            dtypes[name] = leaf.dtype if leaf.dtype.kind in "iu" else np.float32
    arrays = {
        name: shape.full(
            (len(parts[0]), *size), 0 if np.dtype(dtypes[name]).kind in "iu" else np.nan, dtypes[name]
        )
        for name, size in sizes.items()
    }
    shapes = shape.full((), "", object)
    for index, trees in zip(at, parts, strict=True):
        for number, tree in enumerate(trees):
            for name, leaf in leaves(tree):
                missing = len(sizes[name]) - (leaf.ndim - 1)
                corner: Any = (index, number, *map(slice, leaf.shape[1:]), *[0] * missing)
                arrays[name][corner] = leaf
        shapes[index] = json.dumps({name: leaf.shape[1:] for name, leaf in leaves(trees[0])})
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        own = [f"{variable_of(name)}.{axis}"[len(PARAMS) :] for axis in range(len(sizes[name]))]
        found[variable_of(name, prefix)] = shape.variable(*(array, [kept, *own]) if kept else (array[:, 0], own))
    found[SHAPES[prefix]] = shape.variable(shapes.astype(str))
    return found


def variable_of(leaf: str, prefix: str = PARAMS) -> str:
    """The variable that holds a leaf of the parameter tree: ``Dense_0/kernel`` is in params.Dense_0.kernel."""
    return prefix + leaf.replace("/", ".")


def leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    """The leaves of a tree by their names."""
    return ((path_name(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0])


def path_name(path: tuple[Any, ...]) -> str:
    """The name of a leaf: ``Dense_0/kernel`` of parameters, ``optimizer/1/trace/Dense_0/kernel`` of a state."""
    steps = (getattr(step, "key", getattr(step, "name", getattr(step, "idx", step))) for step in path)
    return "/".join(map(str, steps))
