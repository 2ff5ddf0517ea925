"""A network, its losses and its training in NumPy float64, worked out by hand from the documentation.

It shares no code with nnjax and no way of computing: no automatic differentiation, no scan, no padding; a
partial batch is a shorter array. A run of it reads a `nnjax.Config` for its settings and nothing else.

Notation: layer i computes h_i = a_{i−1} W_i + b_i, and a hidden one a_i = f(h_i) · m_i, plus a_{i−1} where
there is a residual connection; m_i are the dropout masks, ones without dropout. ``d_x`` is dL/dx.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.special

from nnjax.config import Config

Tree = Mapping[str, Mapping[str, np.ndarray]]
"""Parameters as Flax names them: {"Dense_0": {"kernel": [D, F], "bias": [F]}, …}."""

ADAM_FIRST, ADAM_SECOND, ADAM_EPSILON = 0.9, 0.999, 1e-8  # Kingma and Ba (2015), as in PyTorch and optax


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−x))."""
    return scipy.special.expit(x)


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """Φ, from erfc, so that the far left keeps its digits."""
    return scipy.special.erfc(-x / math.sqrt(2)) / 2


def normal_pdf(x: np.ndarray) -> np.ndarray:
    """φ."""
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


Elementwise = Callable[[np.ndarray, float], np.ndarray]

ACTIVATIONS: dict[str, tuple[Elementwise, Elementwise]] = {
    "identity": (lambda x, k: x, lambda x, k: np.ones_like(x)),
    "sigmoid": (lambda x, k: sigmoid(x), lambda x, k: sigmoid(x) * sigmoid(-x)),
    "scaled_sigmoid": (lambda x, k: sigmoid(k * x), lambda x, k: k * sigmoid(k * x) * sigmoid(-k * x)),
    "tanh": (lambda x, k: np.tanh(x), lambda x, k: 1 - np.tanh(x) ** 2),
    "relu": (lambda x, k: np.maximum(x, 0), lambda x, k: np.where(x > 0, 1.0, 0.0)),
    "leaky_relu": (lambda x, k: np.where(x >= 0, x, 0.01 * x), lambda x, k: np.where(x >= 0, 1.0, 0.01)),
    "gelu": (lambda x, k: x * normal_cdf(x), lambda x, k: normal_cdf(x) + x * normal_pdf(x)),
}
"""Each activation and its derivative, functions of the pre-activation x and the slope k."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(z_j) / Σ_i exp(z_i) over the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """−log softmax(z)_y, and its gradient: softmax(z) − e_y."""
    shifted = logits - logits.max(-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    targets = one_hot(labels, logits.shape[-1])
    return -(targets * log_probabilities).sum(-1), softmax(logits) - targets


def mse(outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ_j (z_j − t_j)² / C, and its gradient 2 (z − t) / C, t = e_y of a class y."""
    error = outputs - wanted(labels, outputs.shape[-1])
    return (error**2).mean(-1), 2 * error / outputs.shape[-1]


def mae(outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ_j |z_j − t_j| / C, and its gradient sign(z − t) / C."""
    error = outputs - wanted(labels, outputs.shape[-1])
    return np.abs(error).mean(-1), np.sign(error) / outputs.shape[-1]


def huber(outputs: np.ndarray, labels: np.ndarray, delta: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """The mean of e²/2 up to |e| = δ and of δ |e| − δ²/2 beyond; its gradient is e, cut off at ±δ, over C."""
    error = outputs - wanted(labels, outputs.shape[-1])
    far = np.abs(error) > delta
    losses = np.where(far, delta * np.abs(error) - delta**2 / 2, error**2 / 2)
    return losses.mean(-1), np.clip(error, -delta, delta) / outputs.shape[-1]


def mse_probabilities(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ_j (p_j − e_yj)² / C with p = softmax(z); r = dL/dp goes through dp_j/dz_i = p_j ([i = j] − p_i)."""
    p = softmax(logits)
    losses, r = mse(p, labels)
    return losses, p * (r - (r * p).sum(-1, keepdims=True))


def binary_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over j of −log σ(z_j) at a label and −log σ(−z_j) elsewhere; its gradient (σ(z) − t) / C."""
    targets = wanted(labels, logits.shape[-1])
    toward = np.where(targets == 1, logits, -logits)
    losses = np.where(toward > 0, np.log1p(np.exp(-np.abs(toward))), np.log1p(np.exp(-np.abs(toward))) - toward)
    return losses.mean(-1), (sigmoid(logits) - targets) / logits.shape[-1]


LOSSES = {
    "cross_entropy": cross_entropy,
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "mse_probabilities": mse_probabilities,
    "binary_cross_entropy": binary_cross_entropy,
}
"""Each loss: (logits [B, C], labels [B]) → (loss of each example [B], its gradient [B, C])."""


def wanted(targets: np.ndarray, outputs: int) -> np.ndarray:
    """Real targets and several labels, ``[B, C]``, as they are; one-hot rows of classes ``[B]``."""
    return one_hot(targets, outputs) if targets.ndim == 1 else targets


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Rows e_y of the unit matrix."""
    return np.eye(classes)[labels]


def schedule_factor(config: Config, step: int, steps_per_epoch: int) -> float:
    """What the learning rate is multiplied by at a step t = 0, 1, …, in words of `nnjax.training.schedules`."""
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    u = (step - warmup) / (config.epochs * steps_per_epoch - warmup)
    e, n = config.schedule_end, config.schedule_steps
    if config.schedule == "linear":
        return 1 + (e - 1) * u
    if config.schedule == "cosine":
        return e + (1 - e) * (1 + math.cos(math.pi * u)) / 2
    if config.schedule == "exponential":
        return e**u
    if config.schedule == "step":
        return e ** (math.floor(u * (n + 1)) / n)
    return 1.0


@dataclasses.dataclass
class Metrics:
    """Of an epoch: running loss and accuracy over its examples, norms over its measured steps."""

    loss: float
    accuracy: float
    grad_norm: float
    update_ratio: float


class Network:
    """A network and how it is trained: parameters, the optimiser's memory and the step count."""

    def __init__(self, config: Config, params: Tree, steps_per_epoch: int) -> None:
        self.config, self.steps_per_epoch, self.step = config, steps_per_epoch, 0
        self.loss = "cross_entropy" if config.loss == "auto" else str(config.loss)
        names = sorted(params, key=lambda name: int(name.removeprefix("Dense_")))
        self.weights = [np.array(params[name]["kernel"], np.float64) for name in names]
        self.biases = [np.array(params[name]["bias"], np.float64) for name in names if "bias" in params[name]]
        self.memory = [(np.zeros_like(p), np.zeros_like(p)) for p in self.parameters]
        self.function, self.derivative = ACTIVATIONS[config.activation]

    @property
    def parameters(self) -> list[np.ndarray]:
        """Kernels of all layers, then biases of all layers."""
        return self.weights + self.biases

    @property
    def tree(self) -> dict[str, dict[str, np.ndarray]]:
        """The parameters as Flax names them."""
        kernels = {f"Dense_{i}": {"kernel": weight} for i, weight in enumerate(self.weights)}
        return {
            name: {**kernel, "bias": self.biases[i]} if self.biases else kernel
            for i, (name, kernel) in enumerate(kernels.items())
        }

    def forward(
        self, x: np.ndarray, masks: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        """The logits, the inputs a_0 … of all layers and the pre-activations h of the hidden ones."""
        inputs, pre = [x], []
        for i in range(len(self.weights) - 1):
            h = inputs[-1] @ self.weights[i] + self.biases[i]
            a = self.function(h, self.config.activation_slope)
            if masks is not None:
                a = a * masks[i]
            if self._is_residual(i):
                a = a + inputs[-1]
            pre.append(h)
            inputs.append(a)
        logits = inputs[-1] @ self.weights[-1]
        if self.biases:
            logits = logits + self.biases[-1]
        return logits, inputs, pre

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The logits, or their positive parts with ``relu_logits``."""
        logits = self.forward(x)[0]
        return np.maximum(logits, 0) if self.config.relu_logits else logits

    def gradients(
        self, x: np.ndarray, y: np.ndarray, masks: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """The loss of each example, whether it was right, and dL/dθ of the mean loss, without the decay term."""
        logits, inputs, pre = self.forward(x, masks)
        outputs = np.maximum(logits, 0) if self.config.relu_logits else logits
        losses, d_outputs = LOSSES[self.loss](outputs, y)
        d_h = d_outputs / len(y)
        if self.config.relu_logits:
            d_h = d_h * (logits > 0)

        d_weights, d_biases = [], []
        d_skip = np.zeros(0)  # dL/da of the layer that is reached next
        for i in reversed(range(len(self.weights))):
            d_weights.insert(0, inputs[i].T @ d_h)
            d_biases.insert(0, d_h.sum(0))
            if i == 0:
                break
            d_a = d_h @ self.weights[i].T
            if i < len(self.weights) - 1 and self._is_residual(i):
                d_a = d_a + d_skip
            d_skip = d_a
            if masks is not None:
                d_a = d_a * masks[i - 1]
            d_h = d_a * self.derivative(pre[i - 1], self.config.activation_slope)
        right = outputs.argmax(-1) == y
        return losses, right, d_weights + (d_biases if self.biases else [])

    def update(self, gradients: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The change Δθ of every parameter for ∇L, in the order of `parameters`; moves the memory on."""
        config, layers = self.config, len(self.weights)
        base = config.learning_rate * schedule_factor(config, self.step, self.steps_per_epoch)
        factors = config.layer_rates or (1.0,) * layers
        changes = []
        for i, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            decay = config.weight_decay * parameter if i < layers else np.zeros_like(parameter)
            if config.optimizer == "sgd":
                direction = self._momentum(i, gradient + decay)
            elif config.optimizer == "adam":
                direction = self._adam(i, gradient + decay)
            else:
                direction = self._adam(i, gradient) + decay
            changes.append(-base * factors[i % layers] * direction)
        return changes

    def train_epoch(
        self,
        x: np.ndarray,
        y: np.ndarray,
        batches: Sequence[np.ndarray],
        masks: Callable[[int, int], Sequence[np.ndarray]] | None = None,
        norm_every: int = 1,
    ) -> Metrics:
        """A step for each batch of indices.

        Args:
            x: all examples, normalised.
            y: their labels.
            batches: the examples of each step.
            masks: gives the dropout masks of a step from its number and its examples' number.
            norm_every: norms are measured at the steps 0, n, 2n, … of the epoch.
        """
        losses, right, norms, ratios = [], [], [], []
        for number, batch in enumerate(batches):
            drawn = masks(self.step, len(batch)) if masks else None
            loss, hits, gradients = self.gradients(x[batch], y[batch], drawn)
            changes = self.update(gradients)
            losses += list(loss)
            right += list(hits)
            if number % norm_every == 0:
                norms.append(norm(gradients))
                ratios.append(norm(changes) / norm(self.parameters))
            for parameter, change in zip(self.parameters, changes, strict=True):
                parameter += change
            self.step += 1
        return Metrics(*(float(np.mean(values)) for values in (losses, right, norms, ratios)))

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        """Mean loss and accuracy, without dropout and without the decay term."""
        outputs = self.outputs(x)
        losses, _ = LOSSES[self.loss](outputs, y)
        return float(losses.mean()), float((outputs.argmax(-1) == y).mean())

    def _is_residual(self, i: int) -> bool:
        """Whether hidden layer i stands between two hidden layers' widths that are equal, and adds its input."""
        return self.config.residual and i > 0 and self.weights[i].shape[0] == self.weights[i].shape[1]

    def _momentum(self, i: int, g: np.ndarray) -> np.ndarray:
        mu = self.config.momentum
        v = mu * self.memory[i][0] + g
        self.memory[i] = (v, v)
        return g + mu * v if self.config.nesterov else v

    def _adam(self, i: int, g: np.ndarray) -> np.ndarray:
        first, second = self.memory[i]
        first = ADAM_FIRST * first + (1 - ADAM_FIRST) * g
        second = ADAM_SECOND * second + (1 - ADAM_SECOND) * g**2
        self.memory[i] = (first, second)
        t = self.step + 1
        unbiased, square = first / (1 - ADAM_FIRST**t), second / (1 - ADAM_SECOND**t)
        return unbiased / (np.sqrt(square) + ADAM_EPSILON)


def norm(arrays: Sequence[np.ndarray]) -> float:
    """‖·‖₂ over all entries of all arrays."""
    return math.sqrt(sum(float((array**2).sum()) for array in arrays))


def real_places(order: np.ndarray, examples: int) -> list[np.ndarray]:
    """The batches of an epoch order [T, B] without the places that hold no example."""
    return [row[row < examples] for row in np.asarray(order)]


def tree_deviation(actual: Any, expected: Tree) -> float:
    """The largest `deviation` between the leaves of two parameter trees, which must have the same names."""
    assert sorted(actual) == sorted(expected)
    deviations = []
    for name, leaves in expected.items():
        assert sorted(actual[name]) == sorted(leaves)
        deviations += [deviation(actual[name][leaf], value) for leaf, value in leaves.items()]
    return float(np.max(deviations))


def deviation(actual: Any, expected: Any) -> float:
    """max |actual − expected| / max(1, |expected|), for equal shapes; NaN where anything is NaN."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    return float(np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected)), initial=0))
