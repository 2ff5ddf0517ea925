"""The peers that use jax: nnjax itself, and what one writes in plain jax."""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import machine
from nnjax import Config, Dataset
from nnjax.data import Examples, epoch_order
from nnjax.engine import plan as plans
from nnjax.engine.epochs import Training
from nnjax.training.start import run_keys
from peers import Task, Trained, Trainer, Weights

RATE, DECAY = 0.1, 1e-3
"""η and λ of all runs."""


class NnJax(Trainer):
    """A sweep, epoch by epoch, with all that it does: order, norms, validation, best parameters."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        train, valid = Examples(task.x, task.y), Examples(task.x_valid, task.y_valid)
        data = Dataset("data", train, valid, valid, task.classes, task.scale)
        config = Config(
            hidden=task.hidden,
            batch_size=task.batch,
            learning_rate=task.rate,
            weight_decay=task.decay,
            init="xavier_uniform",  # with which a first epoch learns enough for losses to be told apart
            seeds=task.seeds,
            epochs=10_000,
        )
        self.group = plans.plan(config, data).groups[0]
        self.training = Training(self.group)

    def start(self) -> Weights:
        """Go back to the initial draws; the weights of all runs, [R, …]."""
        self.training.restart()
        return self._weights()

    def _weights(self) -> Weights:
        params = self.training.params
        return [params[f"Dense_{i}"][leaf] for i in range(len(params)) for leaf in ("kernel", "bias")]

    def cost(self) -> dict[str, int]:
        """What a step of a run costs, as the plan has it."""
        return self.group.cost._asdict()

    def peak_memory(self) -> int:
        """The most bytes so far: of the process, or of the accelerator."""
        return machine.peak_memory()

    def epochs(self, count: int) -> tuple[float, list[float]]:
        """Go on for so many epochs: the seconds, and the running losses of the first run."""
        started = time.perf_counter()
        losses = [float(end.metrics["train_loss"][0]) for end in self.training.epochs(count)]
        return time.perf_counter() - started, losses

    def train(self, runs: int, steps: int) -> Trained:
        """Train all runs for whole epochs."""
        self.start()  # waits
        seconds, losses = self.epochs(steps // self.task.epoch)
        return Trained(seconds, float(np.mean(losses)), [leaf[0] for leaf in self._weights()])


class NnJaxAlone(NnJax):
    """The same sweep with one example to validate on: what remains is the work that the peers do as well."""

    def __init__(self, task: Task) -> None:
        super().__init__(task._replace(x_valid=task.x_valid[:1], y_valid=task.y_valid[:1]))


class JaxVmap(Trainer):
    """Plain jax, all runs together: `jax.vmap` of the scan, jitted."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.program = jax.jit(jax.vmap(_jax_run(task), in_axes=(0, 0, None, None)))
        self.x, self.y, self.weights = jax.device_put((task.inputs(), task.y, task.weights))

    def train(self, runs: int, steps: int) -> Trained:
        """Train all runs."""
        orders = jax.block_until_ready(jax.device_put(self.task.orders[:, :steps]))
        started = time.perf_counter()
        weights, losses = jax.block_until_ready(self.program(self.weights, orders, self.x, self.y))
        seconds = time.perf_counter() - started
        first = [np.asarray(leaf[0]) for leaf in weights]
        return Trained(seconds, float(losses[0]) / self.task.examples(steps), first)


class JaxScan(JaxVmap):
    """Plain jax, run by run: an epoch is one jitted `lax.scan`."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.program = jax.jit(_jax_run(task))

    def train(self, runs: int, steps: int) -> Trained:
        """Train run after run."""
        orders = [jax.device_put(order) for order in self.task.orders[:runs, :steps]]
        starts = jax.block_until_ready([[leaf[run] for leaf in self.weights] for run in range(runs)])
        started = time.perf_counter()
        trained = [self.program(*run, self.x, self.y) for run in zip(starts, orders, strict=True)]
        weights, loss = jax.block_until_ready(trained)[0]
        seconds = time.perf_counter() - started
        return Trained(seconds, float(loss) / self.task.examples(steps), [np.asarray(leaf) for leaf in weights])


def _jax_run(task: Task) -> Callable[..., tuple[Weights, Any]]:
    """(weights, order [S, B], x, y) → trained weights and the summed loss, of one run."""
    count, rate, decay = len(task.y), task.rate, task.decay
    full = count % task.batch == 0

    def objective(weights: Weights, x: Any, y: Any, here: Any) -> tuple[Any, Any]:
        for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = jax.nn.sigmoid(x @ w + b)
        logits = jax.nn.log_softmax(x @ weights[-2] + weights[-1])
        losses = -jnp.take_along_axis(logits, y[:, None], axis=1)[:, 0]
        if full:
            return jnp.mean(losses), jnp.sum(losses)
        total = jnp.sum(jnp.where(here, losses, 0))
        return total / jnp.sum(here), total

    def run(weights: Weights, order: Any, x: Any, y: Any) -> tuple[Weights, Any]:
        def step(weights: Weights, index: Any) -> tuple[Weights, Any]:
            inside = index if full else jnp.minimum(index, count - 1)
            (_, loss), slopes = jax.value_and_grad(objective, has_aux=True)(
                weights, x[inside], y[inside], index < count
            )
            pairs = enumerate(zip(weights, slopes, strict=True))
            return [w - rate * (g if i % 2 else g + decay * w) for i, (w, g) in pairs], loss

        weights, losses = jax.lax.scan(step, weights, order)
        return weights, jnp.sum(losses)

    return run


def draft(data: Dataset, hidden: tuple[int, ...], batch: int, runs: int) -> Task:
    """A task that has neither initial weights nor orders yet."""
    orders = np.zeros((runs, 0, batch), np.int32)
    examples = (data.train.x, data.train.y, data.valid.x, data.valid.y, data.scale, data.classes)
    return Task(*examples, hidden, batch, RATE, DECAY, tuple(range(runs)), weights=[], orders=orders)


def draw_orders(task: Task, epochs: int) -> np.ndarray:
    """The orders [R, S, B] in which nnjax takes the examples of all runs in the first epochs."""
    count = len(task.y)

    def of_run(seed: Any) -> Any:
        key = run_keys(0, seed).order
        return jax.lax.map(
            lambda e: epoch_order(jax.random.fold_in(key, e), count, task.batch), jnp.arange(epochs)
        )

    orders = jax.jit(lambda seeds: jax.lax.map(of_run, seeds))(jnp.array(task.seeds, jnp.uint32))
    return np.array(orders).reshape(len(task.seeds), -1, task.batch)
