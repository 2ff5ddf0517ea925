"""The runs of a group trained epoch by epoch."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from nnjax.config import parse_init
from nnjax.data.batches import Splits
from nnjax.engine import layout, programs
from nnjax.engine.plan import Group
from nnjax.engine.programs import RunInputs
from nnjax.training.epoch import EpochMetrics
from nnjax.training.evaluation import TestMetrics
from nnjax.training.structure import hyperparameters
from nnjax.types import Params


class Outcome(NamedTuple):
    """What came out of a group, as host arrays."""

    epochs: EpochMetrics  # [R, E]
    test: TestMetrics  # [R]
    best_epoch: np.ndarray  # [R]
    diverged_epoch: np.ndarray  # [R]
    best_params: Params | None  # [R, …]
    last_params: Params | None

    def of_run(self, run: int) -> "Outcome":
        """The entries of one run."""
        return jax.tree.map(lambda leaf: leaf[run], self)


def train_group(
    group: Group,
    *,
    runs_per_call: int | None = None,
    keep_parameters: bool = False,
    on_epoch: Callable[[int], object] = lambda runs: None,
) -> Outcome:
    """Train the runs of one group; after each epoch ``on_epoch`` is called with their number."""
    training = Training(group, runs_per_call)
    history = []
    for metrics in training.epochs(group.epochs):
        history.append(metrics)
        on_epoch(len(group.runs))
    return training.outcome(history, keep_parameters)


class Training:
    """The runs of a group in training; a call of the compiled program is one epoch of one chunk."""

    def __init__(self, group: Group, runs_per_call: int | None = None) -> None:
        self.group = group
        self.grid = group.arrange(runs_per_call)
        data = group.data
        scale: Any = np.float32(data.scale)
        inputs = run_inputs(group)
        self._epochs = inputs.hyper.epochs[self.grid.runs]  # [chunks, U, K]
        self._splits = layout.put_data(self.grid, Splits(data.train, data.valid, scale))
        self._inputs = layout.put_runs(self.grid, inputs)
        self._train = programs.epoch_program(group.structure, group.batch_size)
        self.restart()

    def restart(self) -> None:
        """Go back to the initial draws."""
        start = programs.start_program(self.group.structure, self.group.init_kinds)
        self._states = [start(*chunk) for chunk in zip(self._inputs, self._splits, strict=True)]
        self._epoch = 0
        self._finite = np.full(self._epochs.shape, True)  # runs that have not been seen to diverge

    def epochs(self, count: int) -> Iterator[EpochMetrics]:
        """Train all runs for so many epochs; yields the metrics of each as host arrays [R].

        An epoch's metrics are fetched when the next one has begun, so that no device waits for the slowest.
        """
        begun: list[list[EpochMetrics]] = []
        for _ in range(count):
            begun.append(self._begin_epoch())
            if len(begun) > 1:
                yield self._fetch(begun.pop(0))
        for metrics in begun:
            yield self._fetch(metrics)

    def _begin_epoch(self) -> list[EpochMetrics]:
        metrics: list[Any] = []
        for chunk, inputs in enumerate(self._inputs):
            if (self._finite[chunk] & (self._epochs[chunk] > self._epoch)).any():
                self._states[chunk], trained = self._train(
                    self._states[chunk], inputs, np.int32(self._epoch), self._splits[chunk]
                )
                metrics.append(trained)
            else:
                nothing: Any = np.full(self._finite[chunk].shape, np.float32(np.nan))
                metrics.append(EpochMetrics(*[nothing] * len(EpochMetrics._fields)))
        self._epoch += 1
        return metrics

    def _fetch(self, chunks: list[EpochMetrics]) -> EpochMetrics:
        chunks = jax.device_get(chunks)
        self._finite &= np.isfinite([trained.train_loss for trained in chunks])
        return layout.get_runs(self.grid, chunks)

    def compiled(self) -> Any:
        """The epoch's program as XLA has it, for its text and its memory."""
        return self._train.compiled(self._states[0], self._inputs[0], np.int32(0), self._splits[0])

    @property
    def params(self) -> Params:
        """The parameters as they are, as host arrays [R, …]."""
        return layout.get_runs(self.grid, [state.train.params for state in self._states])

    def outcome(self, history: Sequence[EpochMetrics], keep_parameters: bool) -> Outcome:
        """What came out of the epochs so far, and of the test set."""
        test = programs.test_program(self.group.structure)
        examples = layout.put_data(self.grid, self.group.data.test)
        found = []
        for chunk, state in enumerate(self._states):
            tested = test(state, self._inputs[chunk], examples[chunk], self._splits[chunk].scale)
            kept = (state.best_params, state.train.params) if keep_parameters else (None, None)
            found.append((tested, state.best_epoch, state.diverged_epoch, *kept))
        curves = jax.tree.map(lambda *epochs: np.stack(epochs, axis=1), *history)
        return Outcome(curves, *layout.get_runs(self.grid, found))


def run_inputs(group: Group) -> RunInputs:
    """What distinguishes the runs of a group, as host arrays [R, …]."""
    kinds = group.init_kinds
    rows = []
    for run in group.runs:
        kind, numbers = parse_init(run.config.init)
        row: dict[str, Any] = {
            "hyper": hyperparameters(run.config, len(group.data.train.y)),
            "init_kind": np.int32(kinds.index(kind)),
            "init_numbers": np.array((*numbers, 0, 0)[:2], np.float32),
            "init_seed": np.uint32(run.init_seed),
            "data_seed": np.uint32(run.data_seed),
        }
        rows.append(RunInputs(**row))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
