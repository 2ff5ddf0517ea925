"""What a network puts out, by NumPy in 64 bits: the formulas of `nnjax.nn`, written anew."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray


class Rows(NamedTuple):
    """Inputs of which most are 0: of each example the places and values of those that aren't."""

    rows: list[tuple[Array, Array]]
    inputs: int  # D


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(−x)), without an overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def gelu(x: Array) -> Array:
    """x Φ(x), Φ the normal distribution function; NumPy has no error function, Python has."""
    erf = np.fromiter(map(math.erf, (x / math.sqrt(2)).ravel().tolist()), float, x.size)
    return np.asarray(x * 0.5 * (1 + erf.reshape(x.shape)))


ACTIVATIONS: dict[str, Callable[[Array, float], Array]] = {
    "identity": lambda x, slope: x,
    "sigmoid": lambda x, slope: sigmoid(x),
    "scaled_sigmoid": lambda x, slope: sigmoid(slope * x),
    "tanh": lambda x, slope: np.tanh(x),
    "relu": lambda x, slope: np.maximum(x, 0),
    "leaky_relu": lambda x, slope: np.where(x >= 0, x, 0.01 * x),
    "gelu": lambda x, slope: gelu(x),
}
"""Those of `nnjax.nn.activations`, ``(x, slope) -> y``."""


def outputs(said: Mapping[str, Any], params: Mapping[str, Array], x: Array | Rows) -> Array:
    """The outputs ``[N, C]`` of a network for inputs ``[N, D]``, already divided by their scale.

    Args:
        said: the network's model, activation, slope, and whether it is residual and has relu_logits.
        params: its parameters by their names, ``Dense_0/kernel``.
        x: the inputs.
    """
    model = said["model"]
    if model == "softmax_regression":
        logits = _product(x, params["Dense_0/kernel"])
        return np.maximum(logits, 0) if said["relu_logits"] else logits
    if model == "dan":
        total = _product(x, params["Average_0/vectors"])
        words = np.array([values.sum() for _, values in x.rows]) if isinstance(x, Rows) else x.sum(axis=1)
        x = total / np.where(words > 0, words, 1)[:, None]
    inside = "MLP_0/" if model == "dan" else ""
    count = sum(name.startswith(f"{inside}Dense_") and name.endswith("kernel") for name in params)
    activation = ACTIVATIONS[said["activation"]]
    for layer in range(count):
        kernel, bias = (params[f"{inside}Dense_{layer}/{name}"].astype(float) for name in ("kernel", "bias"))
        made = _product(x, kernel) + bias
        if layer < count - 1:
            made = activation(made, said["slope"])
            if said["residual"] and layer and isinstance(x, np.ndarray) and x.shape == made.shape:
                made = x + made
        x = made
    assert isinstance(x, np.ndarray)
    return x


def _product(x: Array | Rows, kernel: Array) -> Array:
    """x W in 64 bits."""
    kernel = kernel.astype(float)
    if not isinstance(x, Rows):
        return np.asarray(x @ kernel)
    found = np.zeros((len(x.rows), kernel.shape[1]))
    for row, (places, values) in enumerate(x.rows):
        found[row] = values @ kernel[places]
    return found


def probabilities(how: str, logits: Array) -> Array:
    """The probabilities ``[N, C]`` that outputs say.

    Args:
        how: softmax; sigmoid, of each label by itself; or what the shares are, shares_of_sigmoid or
            shares_of_clipped, that are divided by their row's sum.
        logits: the outputs.
    """
    if how == "sigmoid":
        return sigmoid(logits)
    if how == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    shares = sigmoid(logits) if how == "shares_of_sigmoid" else np.clip(logits, 0, 1)
    total = shares.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, shares / np.where(total > 0, total, 1), 1 / logits.shape[1]))
