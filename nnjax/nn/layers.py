"""The layers of a network as its parameter tree shows them, whatever its depth.

A layer is a module that holds parameters itself; it is called by its path in the network, "Dense_0" or
"Block_1/Conv_0". Its kernels are what is drawn and decayed; biases, scales, the vectors of
words and the like are neither.
"""

import re
from typing import Any

import jax

from nnjax.types import Params

NO_KERNELS = ("bias", "scale", "vectors")
"""What parameters of several dimensions are called that are no kernels all the same."""


def layer_of(path: tuple[Any, ...]) -> str:
    """The layer that a leaf at a path of `jax.tree_util` stands in."""
    return "/".join(str(step.key) for step in path[:-1])


def leaf_of(path: tuple[Any, ...]) -> str:
    """What a leaf is called in its layer: kernel, bias, …"""
    return str(path[-1].key)


def layer_names(params: Params) -> list[str]:
    """The layers in the order of their names, numbers in them by value: Dense_2 before Dense_10.

    It is the order from input to output where layers of one kind follow each other; see `models.layers`.
    """
    paths, _ = zip(*jax.tree_util.tree_flatten_with_path(params)[0], strict=True)
    return sorted(set(map(layer_of, paths)), key=_natural)


def _natural(name: str) -> list[tuple[str, int]]:
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", name)]


def is_kernel(path: tuple[Any, ...], leaf: Any) -> bool:
    """Whether a leaf is a matrix or filter of weights."""
    return len(leaf.shape) >= 2 and leaf_of(path) not in NO_KERNELS


def kernels(params: Params) -> Params:
    """A tree of truth values: which parameters are kernels."""
    return jax.tree_util.tree_map_with_path(is_kernel, params)


def subtree(params: Params, layer: str) -> Params:
    """The parameters that stand in a layer itself."""
    found: Any = params
    for step in layer.split("/") if layer else []:
        found = found[step]
    return {name: leaf for name, leaf in found.items() if not isinstance(leaf, dict)}
