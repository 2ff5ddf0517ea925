"""The runs of a group whose structures share a program: what they are given, and how they come back."""

import dataclasses
import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nnjax.data import Dataset
from nnjax.engine import draws, reading
from nnjax.engine import layout as places
from nnjax.engine.compilation import QUICK, Program, calling
from nnjax.engine.driver import Metrics, Outcome
from nnjax.engine.plan import Group, Run
from nnjax.nn.activations import ACTIVATIONS
from nnjax.nn.curves import CURVES, Curve
from nnjax.nn.models import layers, network_of, param_shapes
from nnjax.results.starts import Start, State
from nnjax.training import shared as training
from nnjax.training.shared import WEIGHTS, Matrices, Shared, Sizes
from nnjax.training.start import begin
from nnjax.training.step import TrainState
from nnjax.training.structure import Structure, hyperparameters
from nnjax.types import Params, Weighted

KEPT = 64
"""Shared programs that stay loaded; each takes some 150 of the 65,530 memory maps that Linux allows."""


@functools.lru_cache(maxsize=KEPT)
def epoch_program(shared: Shared) -> Program:
    """Compiled (state, hyper, sizes, reading, examples, scale) → state, found, all of one run."""
    return Program(functools.partial(training.run_epoch, shared), options=QUICK, of=("shared epoch", shared))


class Begun(NamedTuple):
    """An epoch that a device has been given."""

    params: Matrices  # after it
    found: training.Found
    layout: reading.Layout
    weights: np.ndarray | None  # of the examples, as they are read [T, M]; None where all count alike


class SharedPrograms:
    """The runs of a group, one to a chunk, in a program that their structures share.

    A state is what the next epoch begins with. An epoch leaves it as it is, so that the best parameters are those
    of an epoch, kept and not copied.
    """

    def __init__(self, group: Group) -> None:
        assert group.shared is not None
        self.group, self.shared, self.grid = group, group.shared, group.grid
        data = group.data
        self.counts = [len(split.y) for split in (data.train, data.valid, data.test)]
        self.examples = places.put_data(self.grid, data.together)
        weights = data.together.weight if isinstance(data.together, Weighted) else None
        # The last is that of no example.
        self._weights = None if weights is None else np.append(np.asarray(weights), np.float32(0))
        self.program = epoch_program(self.shared)
        self._compiled: dict[jax.Device, Any] = {}
        self._runs = [group.runs[int(run)] for run in self.grid.runs[:, 0, 0]]
        """That of each chunk."""
        numbers = {
            run.setting: (
                hyperparameters(run.config, group.structure, self.counts[0]),
                sizes_of(self.shared, run),
                np.float32(data.scale),
            )
            for run in self._runs
        }
        self._numbers = [
            jax.device_put(numbers[run.setting], self.grid.device(chunk)) for chunk, run in enumerate(self._runs)
        ]
        """Hyperparameters, sizes and scale, on the chunk's device: from there they are passed fast."""

    def start(self) -> list[TrainState]:
        """The states of the chunks before the first epoch."""
        moments = jax.eval_shape(self._optimizer_state)
        opt_state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), moments)
        start, states = self.group.start, []
        for chunk, run in enumerate(self._runs):
            if start is None:
                params = packed(self.shared, start_of(run, self.group.data))
            else:
                params = packed(self.shared, start.of(self._index(chunk)).params(self._shapes(run)))
            state: Any = TrainState(params, opt_state, np.zeros((), np.int32))  # type: ignore[arg-type]
            states.append(jax.device_put(state, self.grid.device(chunk)))
        self._finite, self._learnt = [True] * len(states), [False] * len(states)
        self._best = [state.params for state in states]
        if start is not None and start.source.resumes:
            for chunk in range(len(states)):
                states[chunk] = self._resumed(start.of(self._index(chunk)), chunk, opt_state)
        self._last = [state.params for state in states]
        self._begun: list[deque[Begun]] = [deque() for _ in states]
        return states

    def _resumed(self, start: Start, chunk: int, opt_state: Any) -> TrainState:
        """The state of a chunk's run that goes on; its best parameters are kept."""
        device, shapes = self.grid.device(chunk), self._shapes(self._runs[chunk])
        like = State(
            in_each(self.shared.shapes, lambda _: shapes, opt_state),
            *[np.zeros((), np.int32)] * 2,
            *[np.float32(0)] * 2,
        )
        found = start.state(like)
        of_matrices = in_each(shapes, lambda params: packed(self.shared, params), found.optimizer)
        params, best = (packed(self.shared, start.params(shapes, which)) for which in ("last", "best"))
        self._best[chunk] = jax.device_put(best, device)
        self._finite[chunk], self._learnt[chunk] = (
            bool(start.of_runs("diverged_epoch") == 0),
            bool(start.of_runs("best_epoch") > 0),
        )
        state: TrainState = jax.device_put(TrainState(params, of_matrices, found.step), device)
        return state

    def _index(self, chunk: int) -> int:
        return int(self.grid.runs[chunk, 0, 0])

    def _shapes(self, run: Run) -> Params:
        data = self.group.data
        return param_shapes(network_of(run.config, data.classes, data.inputs), data.inputs)

    def _optimizer_state(self) -> Any:
        params = {layer: {WEIGHTS: jnp.zeros(shape)} for layer, shape in self.shared.shapes.items()}
        hyper, *_ = self._numbers[0]
        return training.optimizer_of(self.shared, hyper, hyper.learning_rate).init(params)

    def let_train(self, until: np.ndarray, changed: np.ndarray) -> None:
        """Say up to which epoch each run trains: the loop begins no other."""

    def epoch(self, states: list[TrainState], chunks: Sequence[int], epoch: int) -> list[Begun]:
        """An epoch of some chunks, counted from 0."""
        train, valid, _ = self.counts
        for chunk in chunks:
            arguments, layout, weights = self._arguments(chunk, states[chunk], epoch, train, train, valid)
            states[chunk], found = self._call(chunk, arguments)
            self._begun[chunk].append(Begun(states[chunk].params, found, layout, weights))
        return [self._begun[chunk][-1] for chunk in chunks]

    def metrics(self, chunk: int, begun: Begun) -> Metrics:
        """What an epoch has found, [1, 1, …]; NaN where it isn't finite."""
        found, layout = jax.tree.map(np.asarray, begun.found), begun.layout
        recorded = self.shared.structure.metrics
        train, valid = (
            reading.means(found.values, which, recorded, begun.weights)
            for which in (layout.trained, layout.evaluated)
        )
        named = {f"train_{name}": value for name, value in train.items()}
        named |= {name: total / np.float32(layout.measured) for name, total in found.measured.items()}
        named |= {f"valid_{name}": value for name, value in valid.items()}
        finite = found.finite and np.isfinite(train["loss"]) and np.isfinite(valid["loss"])
        return {
            name: (value if finite else np.full_like(value, np.nan))[None, None] for name, value in named.items()
        }

    def ended(self, chunk: int, lives: np.ndarray, finite: np.ndarray, better: np.ndarray) -> None:
        """The first epoch that hasn't ended has, [1, 1]: whether the run trained, is finite, and at its best."""
        params = self._begun[chunk].popleft().params
        if lives.all():
            self._last[chunk], self._finite[chunk] = params, bool(finite.all())
        if better.all():
            self._best[chunk], self._learnt[chunk] = params, True

    def kept(self, chunk: int, state: TrainState) -> tuple[Matrices, Matrices]:
        """The best and the last parameters, [1, 1, …]."""
        return jax.tree.map(lambda leaf: np.asarray(leaf)[None, None], (self._best[chunk], self._last[chunk]))

    def optimizer(self, chunk: int, state: TrainState) -> tuple[Any, Any]:
        """The state of the optimizer, and the steps that it has had, [1, 1, …]."""
        return jax.tree.map(lambda leaf: np.asarray(leaf)[None, None], (state.opt_state, state.step))

    def test(self, states: Sequence[TrainState]) -> list[Metrics]:
        """The metrics of the test set, with the best parameters and the last, [1, 1, …]."""
        train, valid, test = self.counts
        asked = []
        for chunk, state in enumerate(states):
            both = (("", self._best, self._learnt), ("_last", self._last, self._finite))
            for suffix, params, there in both:
                begun = state._replace(params=params[chunk])
                arguments, layout, weights = self._arguments(chunk, begun, 0, 0, train + valid, test)
                values = self._call(chunk, arguments)[1].values
                asked.append((chunk, suffix, there[chunk], (layout.evaluated, weights), values))
        tested: list[Metrics] = [{} for _ in states]
        for chunk, suffix, known, (evaluated, weights), values in asked:
            recorded = self.shared.structure.metrics
            for name, value in reading.means(jax.device_get(values), evaluated, recorded, weights).items():
                found = np.asarray(value if known else np.full_like(value, np.nan))
                tested[chunk][f"test_{name}{suffix}"] = found[None, None]
        return tested

    def compiled(self, chunk: int, state: TrainState) -> Any:
        """The epoch's program as XLA has it, for its text and its memory."""
        train, valid, _ = self.counts
        return self.program.compiled(*self._arguments(chunk, state, 0, train, train, valid)[0])

    def _call(self, chunk: int, arguments: tuple[Any, ...]) -> tuple[TrainState, training.Found]:
        """The program's results; whose arguments are always of the same shapes."""
        device = self.grid.device(chunk)
        if device not in self._compiled:
            self._compiled[device] = self.program.compiled(*arguments)
        with calling():
            return self._compiled[device](*arguments)

    def _arguments(
        self, chunk: int, state: TrainState, epoch: int, trained: int, first: int, evaluated: int
    ) -> tuple[tuple[Any, ...], reading.Layout, np.ndarray | None]:
        run = self._runs[chunk]
        layout = reading.layout(self.shared.rows, self.shared.parts, run.config.batch_size, trained, evaluated)
        seed = run.data_seed if run.config.shuffle else None
        reads = reading.reading(layout, self.counts[0], seed, epoch, first, sum(self.counts))
        weights = None
        if self._weights is not None:
            weights = self._weights[reads.rows]
            reads = reads._replace(share=reading.shares(layout, weights))
        hyper, sizes, scale = self._numbers[chunk]
        return (state, hyper, sizes, reads, self.examples[chunk], scale), layout, weights


def sizes_of(shared: Shared, run: Run) -> Sizes:
    """What a run is among those that share its program."""
    name = str(run.config.activation)
    is_number = name in CURVES
    return Sizes(
        np.array(run.config.hidden, np.uint32),
        np.int32(0 if is_number else 1 + shared.branches.index(ACTIVATIONS[name])),
        CURVES[name](run.config.activation_slope) if is_number else Curve(),
    )


def start_of(run: Run, data: Dataset) -> Params:
    """The parameters with which a run starts, as host arrays."""
    if draws.drawn_by_number(run.config):
        network = network_of(run.config, data.classes, data.inputs)
        return draws.draw(
            run.config, run.init_seed, param_shapes(network, data.inputs), layers(network, data.inputs)
        )
    alone = dataclasses.replace(run.config, init_seed=run.init_seed, data_seed=run.data_seed)
    return jax.device_get(begin(alone, data).state.train.params)


def packed(shared: Shared, params: Params) -> Matrices:
    """A run's parameters as the matrices of its program, filled up with 0."""
    last = shared.structure.layers[-1]
    matrices = {}
    for layer, shape in shared.shapes.items():
        matrix = np.zeros(shape, np.float32)
        view = matrix.T if layer == last else matrix
        kernel, bias = params[layer]["kernel"], params[layer]["bias"]
        view[: len(kernel), : len(bias)] = kernel
        view[-1, : len(bias)] = bias
        matrices[layer] = {WEIGHTS: matrix}
    return matrices


def unpacked(shared: Shared, matrices: Matrices, shapes: Params) -> Params:
    """The parameters of runs of one structure, [R, …], from the matrices of their program, [R, …]."""
    last = shared.structure.layers[-1]
    params = {}
    for layer, of_layer in matrices.items():
        view = of_layer[WEIGHTS].swapaxes(1, 2) if layer == last else of_layer[WEIGHTS]
        before, after = shapes[layer]["kernel"].shape
        params[layer] = {"kernel": view[:, :before, :after], "bias": view[:, -1, :after]}
    return jax.tree.map(np.ascontiguousarray, params)


def in_each(layers: Mapping[str, Any], change: Callable[[Any], Any], opt_state: Any) -> Any:
    """The state of an optimizer, with each tree of all these layers in it changed, such as its moments."""

    def of_layers(node: Any) -> bool:
        return isinstance(node, dict) and node.keys() == layers.keys()

    return jax.tree.map(lambda node: change(node) if of_layers(node) else node, opt_state, is_leaf=of_layers)


def by_structure(group: Group, outcome: Outcome) -> list[tuple[Structure, np.ndarray, Outcome]]:
    """What came out of a group by structure, each with the indices of its runs."""
    if group.shared is None:
        return [(group.structure, np.arange(len(group.runs)), outcome)]
    data = group.data
    structures = {
        setting: Structure.of(config, data.classes, data.inputs, data.task)
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
    kept: Any = (found.best_params, found.last_params)
    best, last = (unpacked(shared, matrices, shapes) for matrices in kept)
    found = found._replace(best_params=best, last_params=last)
    if found.state is None:
        return found
    optimizer = in_each(shared.shapes, lambda matrices: unpacked(shared, matrices, shapes), found.state.optimizer)
    return found._replace(state=found.state._replace(optimizer=optimizer))
