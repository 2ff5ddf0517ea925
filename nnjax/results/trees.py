"""Trees of arrays as variables of labelled results: one for each leaf, by the axes of the sweep."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nnjax.nn.layers import layer_of, leaf_of
from nnjax.types import Params

PARAMS = "params."
KEPT = ("best", "last")


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
    """One variable for each leaf of the tree; smaller networks of a sweep are filled up with NaN."""
    sizes: dict[str, tuple[int, ...]] = {}
    for part in parts:
        for name, leaf in _leaves(part.outcome.best_params):
            of_run = leaf.shape[1:]
            have = sizes.get(name, of_run)
            if len(have) != len(of_run):  # another network's layer of that name
                have = (*have, *[1] * (len(of_run) - len(have)))
                of_run = (*of_run, *[1] * (len(have) - len(of_run)))
            sizes[name] = tuple(map(int, np.maximum(have, of_run)))
    arrays = {name: shape.full((len(KEPT), *size), np.nan, np.float32) for name, size in sizes.items()}
    shapes = shape.full((), "", object)
    for index, part in zip(at, parts, strict=True):
        for kept, tree in enumerate((part.outcome.best_params, part.outcome.last_params)):
            for name, leaf in _leaves(tree):
                missing = len(sizes[name]) - (leaf.ndim - 1)
                corner: Any = (index, kept, *map(slice, leaf.shape[1:]), *[0] * missing)
                arrays[name][corner] = leaf
        shapes[index] = json.dumps({name: leaf.shape[1:] for name, leaf in _leaves(tree)})
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        own = [f"{variable_of(name)}.{axis}"[len(PARAMS) :] for axis in range(len(sizes[name]))]
        found[variable_of(name)] = shape.variable(array, ["kept", *own])
    found["param_shapes"] = shape.variable(shapes.astype(str))
    found["kept"] = ("kept", np.array(KEPT))
    return found


def variable_of(leaf: str) -> str:
    """The variable that holds a leaf of the parameter tree: ``Dense_0/kernel`` is in params.Dense_0.kernel."""
    return PARAMS + leaf.replace("/", ".")


def _leaves(params: Params) -> Iterator[tuple[str, np.ndarray]]:
    for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
        layer = layer_of(path)
        yield f"{layer}/{leaf_of(path)}" if layer else leaf_of(path), leaf
