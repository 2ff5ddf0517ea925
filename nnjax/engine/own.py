"""The runs of a group in their structure's own programs."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from nnjax.data.batches import Splits
from nnjax.engine import layout, programs
from nnjax.engine.plan import Group
from nnjax.engine.programs import RunInputs
from nnjax.nn.initializers import MOST_NUMBERS
from nnjax.nn.models import param_shapes
from nnjax.results.starts import Start, State
from nnjax.training.metrics import Values
from nnjax.training.start import RunState, init_state
from nnjax.training.step import TrainState
from nnjax.training.structure import hyperparameters
from nnjax.types import Params


class OwnPrograms:
    """What the chunks of a group's runs are trained with."""

    def __init__(self, group: Group) -> None:
        self.group, self.grid = group, group.grid
        data = group.data
        scale: Any = np.float32(data.scale)
        train, valid, self.tested = data.learned
        self.splits = layout.put_data(self.grid, Splits(train, valid, scale, data.vectors))
        self.inputs = layout.put_runs(self.grid, run_inputs(group))
        self.train = programs.epoch_program(group.structure, group.batch_size)

    def let_train(self, until: np.ndarray, changed: np.ndarray) -> None:
        """Say up to which epoch each run trains, where that has changed for some."""
        for chunk, inside in enumerate(self.grid.runs):
            if np.isin(inside, changed).any():
                epochs = jax.device_put(until[inside], self.grid.device(chunk))
                inputs = self.inputs[chunk]
                self.inputs[chunk] = inputs._replace(hyper=inputs.hyper._replace(epochs=epochs))

    def start(self) -> list[RunState]:
        """The states of the chunks before the first epoch."""
        if self.group.start is not None:
            return self._start_at(self.group.start)
        program = programs.start_program(self.group.structure, self.group.init_kinds)
        return [program(*chunk) for chunk in zip(self.inputs, self.splits, strict=True)]

    def _start_at(self, start: Start) -> list[RunState]:
        structure = self.group.structure
        shapes = param_shapes(structure.network, self.group.data.inputs)
        if not start.source.resumes:
            params = layout.put_runs(self.grid, start.params(shapes))
            program = programs.begin_program(structure)
            return [program(*chunk) for chunk in zip(params, self.inputs, strict=True)]
        hyper = jax.tree.map(lambda leaf: leaf[0, 0], self.inputs[0].hyper)
        like = jax.eval_shape(functools.partial(init_state, structure), shapes, hyper)
        _, optimizer, step = like.train
        state: Any = start.state(State(optimizer, step, like.epoch, like.best_score, like.best_loss))
        best: Any
        diverged: Any
        best, diverged = (start.of_runs(name).astype(np.int32) for name in ("best_epoch", "diverged_epoch"))
        begun: Any = RunState(
            TrainState(start.params(shapes), state.optimizer, state.step),
            start.params(shapes, "best"),
            state.best_score,
            state.best_loss,
            best,
            state.epoch,
            diverged,
        )
        return layout.put_runs(self.grid, begun)

    def epoch(self, states: list[RunState], chunks: Sequence[int], epoch: int) -> list[Any]:
        """An epoch of some chunks, counted from 0; eats their states."""
        begun = []
        for chunk in chunks:
            found = self.train(states[chunk], self.inputs[chunk], np.int32(epoch), self.splits[chunk])
            states[chunk], metrics = found
            begun.append(metrics)
        return begun

    def metrics(self, chunk: int, begun: Values) -> Values:
        """What an epoch has found."""
        return begun

    def ended(self, chunk: int, lives: np.ndarray, finite: np.ndarray, better: np.ndarray) -> None:
        """An epoch has ended, as the state knows."""

    def kept(self, chunk: int, state: RunState) -> tuple[Params, Params]:
        """The best and the last parameters of a chunk's runs."""
        return state.best_params, state.train.params

    def optimizer(self, chunk: int, state: RunState) -> tuple[Any, Any]:
        """The state of the optimizer, and the steps that it has had."""
        return state.train.opt_state, state.train.step

    def test(self, states: Sequence[RunState]) -> list[Values]:
        """The metrics of the test set, with the best parameters and the last."""
        program = programs.test_program(self.group.structure)
        examples = layout.put_data(self.grid, self.tested)
        scales = [splits.scale for splits in self.splits]
        return [program(*chunk) for chunk in zip(states, self.inputs, examples, scales, strict=True)]

    def compiled(self, chunk: int, state: RunState) -> Any:
        """The epoch's program as XLA has it, for its text and its memory."""
        return self.train.compiled(state, self.inputs[chunk], np.int32(0), self.splits[chunk])


def run_inputs(group: Group) -> RunInputs:
    """What distinguishes the runs of a group, as host arrays [R, …]."""
    kinds = group.init_kinds
    examples = len(group.data.train.y)
    # The numbers of a setting are the same for all its seeds.
    of_setting: dict[int, int] = {}
    rows: list[Any] = []
    for run in group.runs:
        if run.setting in of_setting:
            continue
        of_setting[run.setting] = len(rows)
        kind, numbers = run.config.initialization
        rows.append(
            (
                hyperparameters(run.config, group.structure, examples),
                np.int32(kinds.index(kind)),
                np.array((*numbers, *[0] * MOST_NUMBERS)[:MOST_NUMBERS], np.float32),
            )
        )
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
    at = [of_setting[run.setting] for run in group.runs]
    seeds: list[Any] = [
        np.array([getattr(run, name) for run in group.runs], np.uint32) for name in ("init_seed", "data_seed")
    ]
    return RunInputs(*jax.tree.map(lambda leaf: leaf[at], stacked), *seeds)
