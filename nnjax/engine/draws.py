"""Initial draws on the host, from a few programs for all networks.

A kind of initialisation that goes number by number needs no program of its own for each network: the first n of
many random numbers drawn with a key are those that are drawn when n are asked for, whatever their shape. So
numbers are drawn in a few sizes, kept for the settings that share them, and scaled as each setting says.
"""

import functools
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Integer

from nnjax.config import Config
from nnjax.engine.compilation import QUICK, Program
from nnjax.nn.initializers import BASES, initializer_of
from nnjax.training.start import run_keys
from nnjax.types import Params

SIZES = (2**12, 2**16)
"""Numbers that are drawn at once; more of them in the next multiple of the last."""

MOST_LAYERS = 64
"""Layers that get a key: each has its own, however many there are."""


def drawn_by_number(config: Config) -> bool:
    """Whether the kind of initialisation needs nothing but random numbers."""
    return initializer_of(config.initialization[0]).affine is not None


def draw(config: Config, init_seed: int, shapes: Params, layers: tuple[str, ...]) -> Params:
    """The parameters with which a run of a perceptron starts, as `nnjax.training.start.draw` draws them.

    Args:
        config: with a kind of initialisation that goes number by number.
        init_seed: of the run.
        shapes: of the parameters: of each layer a kernel, and a bias that starts at 0.
        layers: in their order.
    """
    kind, numbers = config.initialization
    affine = initializer_of(kind).affine
    assert affine is not None
    params: dict[str, Any] = {}
    for index, layer in enumerate(layers):
        shape = shapes[layer]["kernel"].shape
        base, offset, factor = affine(shape, np.array(numbers, np.float32))
        count = int(np.prod(shape))
        size = next((size for size in SIZES if size >= count), -(-count // SIZES[-1]) * SIZES[-1])
        kernel = np.float32(offset) + np.float32(factor) * _numbers(base, size, init_seed, index)[:count]
        params[layer] = {"kernel": kernel.reshape(shape)} | {
            name: np.zeros(leaf.shape, np.float32) for name, leaf in shapes[layer].items() if name != "kernel"
        }
    return params


@functools.lru_cache(maxsize=64)
def _numbers(base: str, size: int, seed: int, layer: int) -> np.ndarray:
    """Random numbers of the key that a layer has in runs of a seed."""
    return np.asarray(_program(base, size)(np.uint32(seed), np.int32(layer)))


@functools.lru_cache(maxsize=32)
def _program(base: str, size: int) -> Program:
    def numbers(seed: Integer[Array, ""], layer: Integer[Array, ""]) -> Array:
        keys = jax.random.split(run_keys(seed, 0).init, MOST_LAYERS)
        return BASES[base](keys[layer], (size,), np.float32)

    return Program(numbers, options=QUICK, of=("draws", base, size))
