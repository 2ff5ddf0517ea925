"""The ways to train the same networks, each behind the same `train`: here NumPy and scikit-learn.

Perceptrons of sigmoid features with softmax cross-entropy, plain SGD and weight decay on the kernels. Every one
gets the same data, initial weights and order of the examples, and reports the running loss and the weights of its
first run, so that nobody wins by doing less. Each works as its users would write it for speed; nnjax alone also
draws the order, keeps the best parameters and measures norms.

jax and PyTorch have files of their own, so that a process holds only the framework that it times.
"""

import time
from typing import Any, NamedTuple

import numpy as np

Weights = list[Any]
"""Kernel and bias of each layer from the input to the output: w₁ [D, F], b₁ [F], w₂, b₂, …"""


class Task(NamedTuple):
    """What is to be trained."""

    x: np.ndarray  # [N, D], as it is stored
    y: np.ndarray  # [N] int32
    x_valid: np.ndarray
    y_valid: np.ndarray
    scale: float  # by which a step divides x
    classes: int
    hidden: tuple[int, ...]
    batch: int
    rate: float  # η
    decay: float  # λ in J = L + ½ λ Σ w²
    seeds: tuple[int, ...]  # [R]
    weights: Weights  # [R, …]: where each run starts
    orders: np.ndarray  # [R, S, B]: its examples, epoch by epoch; N fills up the last batch of an epoch

    @property
    def epoch(self) -> int:
        """T, the steps of an epoch."""
        return -(-len(self.y) // self.batch)

    def inputs(self) -> np.ndarray:
        """All examples as float32, divided by the scale."""
        return self.x.astype(np.float32) / np.float32(self.scale)

    def start(self, run: int) -> Weights:
        """A copy of a run's initial weights."""
        return [leaf[run].copy() for leaf in self.weights]

    def size(self, step: int) -> int:
        """How many examples a step has: the last one of an epoch may have fewer than B."""
        return min(self.batch, len(self.y) - step % self.epoch * self.batch)

    def batches(self, run: int, steps: int) -> list[np.ndarray]:
        """The examples of a run's first steps, without the filling."""
        return [self.orders[run, step, : self.size(step)] for step in range(steps)]

    def examples(self, steps: int) -> int:
        """How many examples the first steps have."""
        return sum(map(self.size, range(steps)))


class Trained(NamedTuple):
    """What came out of the first steps of some runs."""

    seconds: float
    loss: float  # of the first run: the mean over its examples of their loss when they were trained on
    weights: Weights  # of the first run, at the end


class Trainer:
    """Trains the first runs of a task from their start, and says how long it took."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def train(self, runs: int, steps: int) -> Trained:
        """Train so many runs for so many steps."""
        raise NotImplementedError


class NumPy(Trainer):
    """By hand, run by run."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.x = task.inputs()

    def train(self, runs: int, steps: int) -> Trained:
        """Train run after run."""
        task, losses = self.task, []
        starts = [task.start(run) for run in range(runs)]
        orders = [task.batches(run, steps) for run in range(runs)]
        started = time.perf_counter()
        for weights, batches in zip(starts, orders, strict=True):
            total = 0.0
            for index in batches:
                total += numpy_step(weights, self.x[index], task.y[index], task.rate, task.decay)
            losses.append(total)
        seconds = time.perf_counter() - started
        return Trained(seconds, losses[0] / task.examples(steps), starts[0])


def numpy_step(weights: Weights, x: np.ndarray, y: np.ndarray, rate: float, decay: float) -> float:
    """One step, in the precision of its arrays, written over the weights; the summed loss of its examples."""
    kernels, biases = weights[::2], weights[1::2]
    layers = [x]
    for w, b in zip(kernels[:-1], biases[:-1], strict=True):
        layers.append(1 / (1 + np.exp(-(layers[-1] @ w + b))))
    logits = layers[-1] @ kernels[-1] + biases[-1]
    logits -= logits.max(1, keepdims=True)
    powers = np.exp(logits)
    sums = powers.sum(1, keepdims=True)
    rows = np.arange(len(y))
    loss = float(np.sum(np.log(sums[:, 0]) - logits[rows, y]))
    slope = powers / sums
    slope[rows, y] -= 1
    slope /= len(y)
    for i in reversed(range(len(kernels))):
        below = layers[i]
        w_slope, b_slope = below.T @ slope, slope.sum(0)
        if i:
            slope = (slope @ kernels[i].T) * below * (1 - below)
        kernels[i] -= rate * (w_slope + decay * kernels[i])
        biases[i] -= rate * b_slope
    return loss


class ScikitLearn(Trainer):
    """MLPClassifier, run by run: an epoch is one partial_fit of the examples in their order, its fastest way.

    Its loss is J, with the decay term. It divides alpha by the examples of a batch, so that the partial batch of
    an epoch decays a little more.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.x = task.inputs()

    def model(self, run: int) -> Any:
        """A classifier that has a run's initial weights."""
        from sklearn.neural_network import MLPClassifier

        task = self.task
        model = MLPClassifier(
            task.hidden,
            activation="logistic",
            solver="sgd",
            alpha=task.decay * task.batch,
            batch_size=task.batch,
            learning_rate_init=task.rate,
            momentum=0.0,
            shuffle=False,
        )
        model.partial_fit(
            self.x[: task.batch], task.y[: task.batch], classes=range(task.classes)
        )  # makes the arrays
        for array, start in zip(self.arrays(model), task.start(run), strict=True):
            array[...] = start
        return model

    @staticmethod
    def arrays(model: Any) -> Weights:
        """The weights of a classifier."""
        return [array for layer in zip(model.coefs_, model.intercepts_, strict=True) for array in layer]

    def train(self, runs: int, steps: int) -> Trained:
        """Train run after run."""
        task, losses = self.task, []
        models = [self.model(run) for run in range(runs)]
        epochs = [range(first, min(first + task.epoch, steps)) for first in range(0, steps, task.epoch)]
        started = time.perf_counter()
        for run, model in enumerate(models):
            total = 0.0
            for epoch in epochs:
                index = task.orders[run, epoch.start : epoch.stop].ravel()[: sum(map(task.size, epoch))]
                model.partial_fit(self.x[index], task.y[index])
                total += model.loss_ * len(index)
            losses.append(total)
        seconds = time.perf_counter() - started
        return Trained(seconds, losses[0] / task.examples(steps), self.arrays(models[0]))


class Truth(NamedTuple):
    """What comes out of the first steps of run 0 in float64."""

    loss: float  # L, as `Trained` has it
    objective: float  # J, likewise
    weights: Weights


class Reference:
    """Run 0 of a task in float64 NumPy."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def after(self, steps: set[int]) -> dict[int, Truth]:
        """What comes out of each of these numbers of steps."""
        task, found = self.task, {}
        losses, terms, examples = 0.0, 0.0, 0
        weights = [leaf.astype(np.float64) for leaf in task.start(0)]
        for step, index in enumerate(task.batches(0, max(steps)), 1):
            examples += len(index)
            terms += len(index) * task.decay / 2 * sum(float((kernel**2).sum()) for kernel in weights[::2])
            losses += numpy_step(weights, task.x[index] / task.scale, task.y[index], task.rate, task.decay)
            if step in steps:
                copies = [leaf.copy() for leaf in weights]
                found[step] = Truth(losses / examples, (losses + terms) / examples, copies)
        return found
