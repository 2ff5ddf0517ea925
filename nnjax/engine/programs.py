"""What is compiled for a chunk of runs: its start, an epoch of it, its test."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Integer

from nnjax.data.batches import Splits
from nnjax.data.order import epoch_order
from nnjax.engine import devices
from nnjax.engine.compilation import LONG_VECTORS, QUICK, Program
from nnjax.nn.initializers import initializer_of
from nnjax.parts import Part
from nnjax.training import evaluation
from nnjax.training.epoch import Seen, finished, run_epoch, run_part
from nnjax.training.hyper import Hyperparameters
from nnjax.training.metrics import Values
from nnjax.training.start import RunState, draw, init_state, run_keys
from nnjax.training.step import Sums, means
from nnjax.training.structure import Structure
from nnjax.types import Examples, Params, Weighted

KEPT = max(1, 32 // devices.cores())
"""Structures whose programs stay loaded. XLA maps each kernel into memory by itself, on each device: some 500 maps
for a small network on a core, and Linux ends a process that asks for more than 65,530."""


Judged: TypeAlias = tuple[Sums, Float[Array, "..."]]
"""Metrics of examples, summed, and how many these were, or what they weigh."""


class RunInputs(NamedTuple):
    """What distinguishes a run from the others of its group; leaves are [R] or, in a chunk, [U, K]."""

    hyper: Hyperparameters
    init_kind: Int[Array, ""]  # index into the group's kinds
    init_numbers: Array  # [2]
    init_seed: Integer[Array, ""]
    data_seed: Integer[Array, ""]


@functools.lru_cache(maxsize=KEPT)
def start_program(structure: Structure, kinds: tuple[str | Part, ...]) -> Program:
    """Compiled (runs: RunInputs [U, K], splits) → RunState [U, K], with the initial draw of every run."""
    initializers = [initializer_of(kind) for kind in kinds]

    def start(run: RunInputs, splits: Splits) -> RunState:
        key = run_keys(run.init_seed, run.data_seed).init
        draws = [functools.partial(draw, structure, kind, hyper=run.hyper, splits=splits) for kind in initializers]
        params = jax.lax.switch(run.init_kind, draws, key, run.init_numbers)
        return init_state(structure, params, run.hyper)

    def start_all(runs: RunInputs, splits: Splits) -> RunState:
        return _vmap(_vmap(lambda run: start(run, splits)))(runs)

    return Program(start_all, options=QUICK, of=("start", structure, kinds))


@functools.lru_cache(maxsize=KEPT)
def begin_program(structure: Structure) -> Program:
    """Compiled (params [U, K], runs: RunInputs [U, K]) → RunState [U, K], with given parameters."""

    def begin_all(params: Params, runs: RunInputs) -> RunState:
        return _vmap(_vmap(lambda params, run: init_state(structure, params, run.hyper)))(params, runs)

    return Program(begin_all, options=QUICK, of=("begin", structure))


@functools.lru_cache(maxsize=KEPT)
def epoch_program(structure: Structure, batch_size: int) -> Program:
    """Compiled (states [U, K], runs [U, K], epoch, splits) → the same and the epoch's metrics; eats the states."""

    def train_epoch_of_all(
        states: RunState, runs: RunInputs, epoch: Int[Array, ""], splits: Splits
    ) -> tuple[RunState, Values]:
        def row(states: RunState, runs: RunInputs) -> tuple[RunState, Values]:
            # All runs of a row have one data order.
            keys = run_keys(0, runs.data_seed[0])
            of_epoch = jax.random.fold_in(keys.order, epoch)
            order = epoch_order(of_epoch, splits.train.y.shape[0], batch_size, structure.shuffle)
            run = functools.partial(run_epoch, structure, key=keys.dropout, order=order, splits=splits)
            return _vmap(lambda state, run_inputs: run(state, run_inputs.hyper))(states, runs)

        return _vmap(row)(states, runs)

    return Program(train_epoch_of_all, donate=0, options=LONG_VECTORS, of=("epoch", structure, batch_size))


@functools.lru_cache(maxsize=KEPT)
def test_program(structure: Structure) -> Program:
    """Compiled (states [U, K], runs [U, K], examples, scale) → metrics [U, K]."""

    def test_all(states: RunState, runs: RunInputs, examples: Examples | Weighted, scale: Array) -> Values:
        return _vmap(_vmap(lambda state, run: evaluation.test(structure, state, run.hyper, examples, scale)))(
            states, runs
        )

    return Program(test_all, options=QUICK, of=("test", structure))


@functools.lru_cache(maxsize=KEPT)
def part_program(structure: Structure, batch_size: int) -> Program:
    """Compiled (states [U, K], runs [U, K], epoch, part, examples, scale) → the same and what the steps saw.

    Eats the states. The first part of an epoch has the order that an epoch in one part has.
    """

    def train_part_of_all(
        states: RunState,
        runs: RunInputs,
        epoch: Int[Array, ""],
        part: Int[Array, ""],
        examples: Examples | Weighted,
        scale: Array,
    ) -> tuple[RunState, Seen]:
        def row(states: RunState, runs: RunInputs) -> tuple[RunState, Seen]:
            keys = run_keys(0, runs.data_seed[0])
            key = jax.random.fold_in(keys.order, epoch)
            key = jnp.where(part > 0, jax.random.fold_in(key, part), key)
            order = epoch_order(key, examples.y.shape[0], batch_size, structure.shuffle)
            run = functools.partial(
                run_part, structure, key=keys.dropout, order=order, examples=examples, scale=scale
            )
            return _vmap(lambda state, run_inputs: run(state, run_inputs.hyper))(states, runs)

        return _vmap(row)(states, runs)

    return Program(train_part_of_all, donate=0, options=LONG_VECTORS, of=("part", structure, batch_size))


@functools.lru_cache(maxsize=KEPT)
def judge_program(structure: Structure, best: bool) -> Program:
    """Compiled (states [U, K], runs [U, K], examples, scale) → sums over these with the best or the last
    parameters, and what the examples weigh, [U, K]."""

    def judge_all(states: RunState, runs: RunInputs, examples: Examples | Weighted, scale: Array) -> Judged:
        def judge(state: RunState, run: RunInputs) -> Judged:
            params = state.best_params if best else state.train.params
            return evaluation.summed(structure, params, run.hyper, examples, scale)

        return _vmap(_vmap(judge))(states, runs)

    return Program(judge_all, options=QUICK, of=("judge", structure, best))


@functools.lru_cache(maxsize=KEPT)
def end_program(structure: Structure) -> Program:
    """Compiled (states [U, K], runs, seen, judged [U, K]) → the states after an epoch in parts, and its metrics.

    Eats the states.
    """

    def end_all(states: RunState, runs: RunInputs, seen: Seen, judged: Judged) -> tuple[RunState, Values]:
        def end(state: RunState, run: RunInputs, seen: Seen, judged: Judged) -> tuple[RunState, Values]:
            return finished(structure, state, state.train, seen.means, means(*judged), run.hyper)

        return _vmap(_vmap(end))(states, runs, seen, judged)

    return Program(end_all, donate=0, options=QUICK, of=("end", structure))


@functools.lru_cache(maxsize=1)
def tested_program() -> Program:
    """Compiled (states, sums with the best parameters, and with the last, all [U, K]) → the test's metrics."""

    def tested_all(states: RunState, best: Judged, last: Judged) -> Values:
        return _vmap(_vmap(lambda state, best, last: evaluation.tested(state, means(*best), means(*last))))(
            states, best, last
        )

    return Program(tested_all, options=QUICK, of=("tested",))


def _vmap(function: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.vmap`, but for one entry the function itself: an axis of one makes XLA's matrix products slower."""

    def mapped(*trees: Any) -> Any:
        if jax.tree.leaves(trees)[0].shape[0] > 1:
            return jax.vmap(function)(*trees)
        alone = function(*jax.tree.map(lambda leaf: leaf[0], trees))
        return jax.tree.map(lambda leaf: leaf[None], alone)

    return mapped
