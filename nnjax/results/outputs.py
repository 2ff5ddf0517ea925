"""What networks of one structure put out, block by block."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nnjax.nn.models import Network as Module
from nnjax.nn.models import call
from nnjax.results.forward import read_program
from nnjax.sparse import Sparse
from nnjax.types import Params

BLOCK, OF_TEXTS = 10_000, 500
"""Examples that are put through a network at a time, and those with sparse inputs."""


class Outputs:
    """``(params, inputs [N, D]) -> outputs [N, C]`` of a network; of several, params and outputs have R in front.

    Args:
        module: the network, or its compiled program in bytes.
        scale: what inputs are divided by.
        slope: of the activation.
        several: whether there are R of them.
    """

    def __init__(self, module: Module | bytes, *, scale: float, slope: float, several: int | None = None) -> None:
        self.scale, self.slope, self.several = scale, slope, several
        self.reads_sparse = not isinstance(module, bytes)
        self._forward = read_program(module) if isinstance(module, bytes) else _of_module(module)
        if several is not None:
            self._forward = _of_several(self._forward, several, together=self.reads_sparse)

    def __call__(self, params: Params, inputs: np.ndarray | Sparse, classes: int) -> Float[np.ndarray, "*R N C"]:
        """The outputs, C ``classes`` of each."""
        size = max(1, (OF_TEXTS if isinstance(inputs, Sparse) else BLOCK) // (self.several or 1))
        blocks = [self._block(params, inputs[i : i + size]) for i in range(0, len(inputs), size)]
        if blocks:
            return np.concatenate(blocks, axis=-2)
        return np.zeros((0, classes) if self.several is None else (self.several, 0, classes), np.float32)

    def _block(self, params: Params, x: np.ndarray | Sparse) -> np.ndarray:
        # As in training: times the inverse of the scale, in 32 bits.
        factor = 1 / jnp.float32(self.scale)
        inputs: Any
        if isinstance(x, Sparse):
            inputs = Sparse(jnp.asarray(x.places), jnp.asarray(x.values, jnp.float32) * factor, x.inputs)
            inputs = inputs if self.reads_sparse else inputs.dense()
        else:
            inputs = jnp.asarray(x, jnp.float32) * factor
        return np.asarray(self._forward(params, inputs, jnp.float32(self.slope)))


def _of_module(module: Module) -> Callable[[Params, Any, Any], Any]:
    return jax.jit(lambda params, x, slope: call(module, params, x, slope=slope))


def _of_several(
    forward: Callable[[Params, Any, Any], Any], number: int, *, together: bool
) -> Callable[[Params, Any, Any], Any]:
    """The outputs of all: by one program, or by that of one in turn where that knows no other number."""
    if together:
        return jax.jit(jax.vmap(forward, (0, None, None)))

    def one_by_one(params: Params, x: Any, slope: Any) -> Any:
        return jnp.stack(
            [forward(jax.tree.map(lambda leaf, i=i: leaf[i], params), x, slope) for i in range(number)]
        )

    return one_by_one
