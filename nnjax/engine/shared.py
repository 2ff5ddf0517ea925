"""The runs of a group whose structures share a program: what they are given, and how they come back."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, UInt32

from nnjax.data import Dataset
from nnjax.data.order import permuted
from nnjax.engine import draws, layout
from nnjax.engine.compilation import QUICK, Program
from nnjax.engine.driver import Outcome
from nnjax.engine.plan import Group, Run
from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.models import layers, network_of, param_shapes
from nnjax.training import shared as training
from nnjax.training.metrics import Values
from nnjax.training.shared import Shared, Sizes, Span
from nnjax.training.start import RunState, begin, run_keys
from nnjax.training.step import TrainState, optimizer_at
from nnjax.training.structure import Structure, hyperparameters
from nnjax.types import Params

KEPT = 64
"""Shared programs that stay loaded; each takes some 150 of the 65,530 memory maps that Linux allows."""

ORDERS_AT_ONCE = 2**17
"""Numbers of the orders that are computed together, of one epoch or several."""


@functools.lru_cache(maxsize=KEPT)
def epoch_program(shared: Shared) -> Program:
    """Compiled (state [1, 1], hyper, sizes, span, examples, scale) → state, metrics, evaluation [1, 1].

    All is of one run, whose chunk has it alone. It eats the state.
    """

    def epoch(state: RunState, *others: Any) -> Any:
        found = training.run_epoch(shared, jax.tree.map(lambda leaf: leaf[0, 0], state), *others)
        return jax.tree.map(lambda leaf: leaf[None, None], found)

    return Program(epoch, donate=0, options=QUICK)


class SharedPrograms:
    """The runs of a group, one to a chunk, in a program that their structures share."""

    def __init__(self, group: Group) -> None:
        assert group.shared is not None
        self.group, self.shared, self.grid = group, group.shared, group.grid
        data = group.data
        self.examples = layout.put_data(self.grid, data.together)
        self.counts = [len(split.y) for split in (data.train, data.valid, data.test)]
        self.scale = np.float32(data.scale)
        activations = [name for name, function in ACTIVATIONS.items() if function in self.shared.activations]
        self.sizes = [
            Sizes(
                np.array(run.config.hidden, np.uint32),
                np.int32(activations.index(str(run.config.activation))),
                np.uint32(run.config.batch_size),
            )
            for run in group.runs
        ]
        self.hyper = [hyperparameters(run.config, group.structure, self.counts[0]) for run in group.runs]
        self.train = epoch_program(self.shared)
        self.numbers: list[Any] = [None] * len(group.runs)
        """Hyperparameters, sizes and scale of each chunk's run, on its device: from there they are passed fast."""

    def let_train(self, until: np.ndarray, changed: np.ndarray) -> None:
        """Say up to which epoch each run trains, where that has changed for some."""
        for run in changed:
            chunk = int(self.grid.indices[run])  # which the run has alone
            hyper = self.hyper[run]._replace(epochs=np.int32(until[run]))
            self.numbers[chunk] = jax.device_put((hyper, self.sizes[run], self.scale), self.grid.device(chunk))

    def start(self) -> list[RunState]:
        """The states of the chunks before the first epoch."""
        moments = jax.eval_shape(
            lambda hyper, vector: optimizer_at(self.shared.structure, hyper, hyper.learning_rate).init(
                self.shared.tree(vector)
            ),
            self.hyper[0],
            jax.ShapeDtypeStruct((self.shared.pieces[-1].end,), np.float32),
        )
        none, worst = np.zeros((), np.int32), np.float32(-np.inf)
        states = []
        for chunk, (run,) in enumerate(self.grid.runs[:, 0]):
            params: Any = packed(self.shared, start_of(self.group.runs[run], self.group.data))
            opt_state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), moments)
            train = TrainState(params, opt_state, none)  # type: ignore[arg-type]
            state: Any = RunState(train, params, worst, -worst, none, none, none)  # type: ignore[arg-type]
            copied = jax.tree.map(lambda leaf: np.array(leaf)[None, None], state)  # each leaf is donated
            states.append(jax.device_put(copied, self.grid.device(chunk)))
        return states

    def epoch(self, chunk: int, state: RunState, epoch: int) -> tuple[RunState, Values]:
        """An epoch, counted from 0; eats the state."""
        train, valid, _ = self.counts
        state, metrics, _ = self.train(*self._arguments(chunk, state, epoch, train, train, valid))
        return state, metrics

    def test(self, states: Sequence[RunState]) -> list[Values]:
        """The metrics of the test set, with the best parameters and the last.

        An epoch without training tells them, of copies of the states, since it eats them.
        """
        train, valid, test = self.counts
        kept = jax.device_get(list(states))
        begun = []
        for chunk, state in enumerate(kept):
            for params in (state.best_params, state.train.params):
                copy = jax.tree.map(np.array, state._replace(train=state.train._replace(params=params)))
                copy = jax.device_put(copy, self.grid.device(chunk))
                begun.append(self.train(*self._arguments(chunk, copy, 0, 0, train + valid, test))[2])
        values = iter(jax.device_get(begun))
        return [
            _tested("", next(values), bool(state.best_epoch > 0))
            | _tested("_last", next(values), bool(state.diverged_epoch == 0))
            for state in kept
        ]

    def compiled(self, chunk: int, state: RunState) -> Any:
        """The epoch's program as XLA has it, for its text and its memory."""
        train, valid, _ = self.counts
        return self.train.compiled(*self._arguments(chunk, state, 0, train, train, valid))

    def _arguments(
        self, chunk: int, state: RunState, epoch: int, trained: int, first: int, evaluated: int
    ) -> tuple[Any, ...]:
        run = int(self.grid.runs[chunk, 0, 0])
        order = order_of(self.counts[0], self.group.runs[run].data_seed, epoch)
        span = Span(order, *(np.uint32(count) for count in (trained, first, evaluated)))
        hyper, sizes, scale = self.numbers[chunk]
        return state, hyper, sizes, span, self.examples[chunk], scale


def _tested(suffix: str, values: Values, there: bool) -> dict[str, Any]:
    """The metrics of the test set under their names; NaN where there are no parameters in finite numbers."""
    return {
        f"test_{name}{suffix}": value if there else np.full_like(value, np.nan) for name, value in values.items()
    }


def start_of(run: Run, data: Dataset) -> Params:
    """The parameters with which a run starts, as host arrays."""
    if draws.drawn_by_number(run.config):
        network = network_of(run.config, data.classes, data.inputs)
        return draws.draw(
            run.config, run.init_seed, param_shapes(network, data.inputs), layers(network, data.inputs)
        )
    alone = dataclasses.replace(run.config, init_seed=run.init_seed, data_seed=run.data_seed)
    return jax.device_get(begin(alone, data).state.train.params)


def packed(shared: Shared, params: Params) -> np.ndarray:
    """A run's parameters as the vector of its program, filled up with 0."""
    vector = np.zeros(shared.pieces[-1].end, np.float32)
    for piece, leaf in zip(shared.pieces, jax.tree.leaves(params), strict=True):
        corner = tuple(map(slice, leaf.shape))
        vector[piece.start : piece.end].reshape(piece.shape)[corner] = leaf
    return vector


def unpacked(shared: Shared, vectors: Float[np.ndarray, "R P"], shapes: Params) -> Params:
    """The parameters of runs of one structure, from the vectors of their program."""
    leaves = [
        vectors[:, piece.start : piece.end].reshape(-1, *piece.shape)[(slice(None), *map(slice, leaf.shape))]
        for piece, leaf in zip(shared.pieces, jax.tree.leaves(shapes), strict=True)
    ]
    return jax.tree.unflatten(jax.tree.structure(shapes), leaves)


def order_of(examples: int, data_seed: int, epoch: int) -> UInt32[np.ndarray, " N"]:
    """The order in which an epoch sees N examples, from the device on which nothing trains."""
    together = max(1, ORDERS_AT_ONCE // examples)
    return _orders(examples, data_seed, epoch // together * together, together)[epoch % together]


@functools.lru_cache(maxsize=64)
def _orders(examples: int, data_seed: int, first: int, count: int) -> UInt32[np.ndarray, "E N"]:
    return np.asarray(_order_program(examples, count)(np.uint32(data_seed), np.int32(first)))


@functools.lru_cache(maxsize=16)
def _order_program(examples: int, count: int) -> Program:
    def orders(data_seed: Integer[Array, ""], first: Int[Array, ""]) -> UInt32[Array, "E N"]:
        key, places = run_keys(0, data_seed).order, jnp.arange(examples, dtype=jnp.uint32)

        def of_epoch(epoch: Int[Array, ""]) -> UInt32[Array, " N"]:
            return permuted(jax.random.fold_in(key, epoch), examples, places).astype(jnp.uint32)

        return jax.vmap(of_epoch)(first + jnp.arange(count, dtype=jnp.int32))

    return Program(orders, options=QUICK)


def by_structure(group: Group, outcome: Outcome) -> list[tuple[Structure, np.ndarray, Outcome]]:
    """What came out of a group by structure, each with the indices of its runs."""
    if group.shared is None:
        return [(group.structure, np.arange(len(group.runs)), outcome)]
    data = group.data
    structures = {
        setting: Structure.of(config, data.classes, data.inputs)
        for setting, config in {run.setting: run.config for run in group.runs}.items()
    }
    indices: dict[Structure, list[int]] = {}
    for index, run in enumerate(group.runs):
        indices.setdefault(structures[run.setting], []).append(index)
    return [
        (structure, np.array(runs), _of_structure(group.shared, data, structure, outcome, np.array(runs)))
        for structure, runs in indices.items()
    ]


def _of_structure(
    shared: Shared, data: Dataset, structure: Structure, outcome: Outcome, runs: np.ndarray
) -> Outcome:
    found = Outcome(*jax.tree.map(lambda leaf: leaf[runs], tuple(outcome)))
    if found.best_params is None:
        return found
    shapes = param_shapes(structure.network, data.inputs)
    vectors: Any = (found.best_params, found.last_params)
    best, last = (unpacked(shared, kept, shapes) for kept in vectors)
    return found._replace(best_params=best, last_params=last)
