"""The weights of networks as scikit-learn holds them, drawn as it draws them, and what they make of inputs.

Predictions are NumPy's, in float64, from the weights alone: no bit of one depends on the rows beside it in a
batch, and an estimator that was pickled predicts without jax.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, softmax

from nnjax.nn.layers import layer_names
from nnjax.types import Params


class Weights(NamedTuple):
    """Of one network, a matrix and a vector for each of its L layers."""

    coefs: list[np.ndarray]  # [D, F], …, [F, C]
    intercepts: list[np.ndarray]  # [F], …, [C]


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda z: z,
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softmax": lambda z: softmax(z, axis=1),
}
"""Of hidden layers and of the last one, by scikit-learn's names."""


def draw(units: Sequence[int], activation: str, random: np.random.RandomState) -> Weights:
    """The weights with which scikit-learn's perceptron starts, number by number.

    Kernels and biases ~ U(−b, b) with b = √(c / (fan-in + fan-out)), c = 2 for logistic units, else 6 (after
    Glorot and Bengio, 2010).

    Args:
        units: D, the widths of the hidden layers, C.
        activation: of the hidden layers.
        random: what the numbers are taken from, as `sklearn.neural_network` takes them.
    """
    coefs, intercepts = [], []
    for before, after in itertools.pairwise(units):
        bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (before + after))
        coefs.append(random.uniform(-bound, bound, (before, after)))
        intercepts.append(random.uniform(-bound, bound, after))
    return Weights(coefs, intercepts)


def tree_of(weights: Weights) -> Params:
    """The parameters of a network as nnjax trains it."""
    return {
        f"Dense_{layer}": {"kernel": np.float32(kernel), "bias": np.float32(bias)}
        for layer, (kernel, bias) in enumerate(zip(*weights, strict=True))
    }


def weights_of(params: Params, dtype: Any) -> Weights:
    """Likewise back."""
    names = layer_names(params)
    coefs, intercepts = ([np.asarray(params[name][leaf], dtype) for name in names] for leaf in ("kernel", "bias"))
    return Weights(coefs, intercepts)


def forward(x: Any, weights: Weights, activation: str, last: str) -> np.ndarray:
    """The outputs ``[N, C]`` of a network.

    Args:
        x: inputs [N, D], also sparse.
        weights: of the network.
        activation: of the hidden layers.
        last: of the outputs.
    """
    for layer, (kernel, bias) in enumerate(zip(*weights, strict=True)):
        z = np.asarray(x @ kernel.astype(np.float64)) + bias
        x = ACTIVATIONS[activation if layer < len(weights.coefs) - 1 else last](z)
    return np.asarray(x)
