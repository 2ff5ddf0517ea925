"""How fast this machine is just now, measured in about a second in the units of `nnjax.engine.estimate`."""

import functools
import time
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from nnjax.data.order import num_batches
from nnjax.engine import devices
from nnjax.engine.compilation import LONG_VECTORS, Program
from nnjax.engine.cost import products as products_of

if TYPE_CHECKING:
    from nnjax.engine.plan import Group, Plan

SMALL_STEP = 4.5e-6
"""Seconds of the small program's step on the machine on which the constants of `nnjax.engine.sharing` hold."""

MEASURED = 0.12
"""Seconds for which each of the two programs is timed, some more or less."""

LARGEST = 2**26
"""Numbers in the weights that are multiplied to measure the rate, at most."""


class Speed(NamedTuple):
    """What this machine takes for the units of the model."""

    devices: int
    """How many there are."""
    rate: float
    """Operations a second of a device in products as the plan has most of, while others compute too."""
    step: float
    """Seconds of a step of the small program: some sixteen kernels."""
    compiling: float
    """Seconds for which the small program compiles."""
    cores: int
    busy: float = 1.0
    """Seconds by the clock for a second of computation: more than one where others use the cores of a CPU too."""
    is_cpu: bool = True

    @property
    def slowness(self) -> float:
        """The seconds of what is no product, over those on the machine on which the model's constants hold."""
        return self.step / SMALL_STEP


def calibrate(plan: "Plan") -> Speed:
    """Measure this machine on all devices at once: products as the plan has most of, and a small program."""
    largest = max(plan.groups, key=_operations)
    placed = devices.take(largest.grid.number, largest.grid.threads)
    is_cpu = devices.platform() == "cpu"
    threads = largest.grid.number * largest.grid.threads
    layer, weights, examples = Program(_layer, options=LONG_VECTORS), *_arrays(largest)
    operations = 2 * 2 * examples.shape[-2] * weights.size
    timers = [
        Timer(is_cpu, threads),
        Timer(is_cpu, largest.grid.number),
    ]  # the small program has no use for threads
    a_step = _seconds_a_step(layer, (weights, examples), placed, timers[0])
    square = np.full((8, 8), 0.1, np.float32)
    compiling = []
    for _ in range(2):  # the first of a process traces what the others find traced
        small = _small_program()
        timer = Timer(is_cpu, 1)
        with timer:
            small.compiled(jax.device_put(square, placed[0]), np.int32(1))
        compiling.append(timer.seconds)
    step = _seconds_a_step(small, (square,), placed, timers[1])
    busy = sum(timer.clock for timer in timers) / sum(timer.seconds for timer in timers)
    return Speed(
        devices.count(), operations / a_step, step, min(compiling), devices.cores(), max(1.0, busy), is_cpu
    )


class Timer:
    """Adds up seconds of computation, and those by the clock.

    On a CPU what counts is the time that the process has had its cores: a few hundredths of a second by the clock
    say nothing where others have them for as long.
    """

    def __init__(self, is_cpu: bool, threads: int) -> None:
        self.seconds = self.clock = 0.0
        self._is_cpu, self._threads = is_cpu, threads

    def __enter__(self) -> None:
        self._began = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        computed, passed = time.process_time() - self._began[0], time.perf_counter() - self._began[1]
        self.clock += passed
        self.seconds += computed / self._threads if self._is_cpu else passed


def _operations(group: "Group") -> float:
    """Those of a group's products."""
    return (
        float(group.cost.flops)
        * len(group.runs)
        * group.epochs
        * num_batches(len(group.data.train.y), group.batch_size)
    )


def _arrays(group: "Group") -> tuple[np.ndarray, np.ndarray]:
    """Weights [U, K, D, F] and examples [U, 1, B, D] of a group's largest product; one run has no axes U and K."""
    _, rows, runs = group.grid.runs.shape
    examples = group.shared.rows if group.shared is not None else group.batch_size
    found = products_of(group.structure.network, group.data.inputs, examples, group.data.places)
    largest = max(found, key=lambda product: product.flops, default=None)
    outputs = largest.outputs if largest else examples
    inputs = largest.flops // (2 * outputs) if largest else 1
    width = -(-outputs // examples)
    while width > 1024:  # of a convolution, whose weights meet an example in many places
        width, examples = width // 2, examples * 2
    runs = max(1, min(runs, LARGEST // (rows * inputs * width)))
    axes = () if rows * runs == 1 else (rows, runs)
    rng = np.random.default_rng(0)
    weights = rng.uniform(-0.1, 0.1, (*axes, inputs, width)).astype(np.float32)
    return weights, rng.random((*(axes and (rows, 1)), examples, inputs), np.float32)


def _layer(weights: Float[Array, "*R D F"], x: Float[Array, "*R B D"], steps: Int[Array, ""]) -> Array:
    """Steps of a layer alone: a product, the gradient by its weights, and an update."""
    back = jnp.swapaxes(x, -1, -2)
    return jax.lax.fori_loop(0, steps, lambda _, w: w - 1e-6 * (back @ jnp.tanh(x @ w)), weights)


def _small_program() -> Program:
    """Some kernels one after another; a number makes it new, so that it isn't read from disk."""
    new = np.float32(1 + time.time_ns() % 10**5 * 1e-6)

    def small(x: Float[Array, "8 8"], steps: Int[Array, ""]) -> Array:
        def step(_: Array, x: Array) -> Array:
            return functools.reduce(lambda x, _: jnp.tanh(x @ x * new), range(8), x)

        return jax.lax.fori_loop(0, steps, step, x)

    return Program(small, options=LONG_VECTORS)


def _seconds_a_step(
    program: Program, arrays: tuple[np.ndarray, ...], on: tuple[jax.Device, ...], timer: Timer
) -> float:
    """Seconds of a step of a program that runs on all the devices at once."""
    placed = [jax.device_put(arrays, device) for device in on]

    def run(steps: int) -> float:
        before = timer.seconds
        with timer:
            jax.block_until_ready([program(*given, np.int32(steps)) for given in placed])
        return timer.seconds - before

    for given in placed:
        jax.block_until_ready(program(*given, np.int32(1)))
    steps = 1
    while (seconds := run(steps)) < MEASURED / 3 and steps < 2**30:
        steps *= int(np.clip(MEASURED / 2 / max(seconds, 1e-9), 2, 32))
    return seconds / steps
