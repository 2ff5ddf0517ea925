"""The runs of a group trained epoch by epoch, and the end of an epoch, where the outside meets training."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from nnjax.data.batches import Splits
from nnjax.engine import layout, programs
from nnjax.engine.plan import Group, Run
from nnjax.engine.programs import RunInputs
from nnjax.nn.initializers import MOST_NUMBERS, initializer_of
from nnjax.training.start import RunState
from nnjax.training.structure import hyperparameters
from nnjax.types import Params
from nnjax.validation import UserError

Metrics: TypeAlias = dict[str, Any]
"""Host arrays [R, …] by the names of `nnjax.training.metrics.variables`."""


class EpochEnd(NamedTuple):
    """The end of an epoch of a group's runs, none of which has gone further when somebody sees it."""

    epoch: int  # counted from 1
    runs: tuple[Run, ...]
    trained: np.ndarray  # [R]: which of them were trained in this epoch, and have not diverged in it
    metrics: Metrics  # [R, …]; NaN where a run was not trained
    states: RunState | None
    """Host arrays [R, …]: parameters, optimizer state and the best so far, where somebody asked for them."""


Stops: TypeAlias = int | Iterable[int] | np.ndarray | None
"""Which runs stop: an index, several, or a truth value for each."""

OnEpoch: TypeAlias = Callable[[EpochEnd], Stops]
"""Is told of each end of an epoch, and may say which runs stop there."""


class Outcome(NamedTuple):
    """What came out of a group, as host arrays."""

    epochs: Metrics  # [R, E, …]
    test: Metrics  # [R, …]
    best_epoch: np.ndarray  # [R]
    diverged_epoch: np.ndarray  # [R]; 0 for none
    stopped_epoch: np.ndarray  # [R]; 0 for none
    best_params: Params | None  # [R, …]
    last_params: Params | None


def train_group(
    group: Group,
    *,
    keep_parameters: bool = False,
    on_epoch: OnEpoch | None = None,
    states: bool = False,
    progress: Callable[[int], object] = lambda runs: None,
) -> Outcome:
    """Train the runs of one group.

    Args:
        group: what to train.
        keep_parameters: give the best and the last parameters back.
        on_epoch: is told of each end of an epoch before the next one begins.
        states: whether it is given the states too.
        progress: is called after each epoch with the number of runs.
    """
    training = Training(group)
    history = []
    for end in training.epochs(group.epochs, wait=on_epoch is not None, states=states):
        history.append(end.metrics)
        if on_epoch is not None:
            training.stop(on_epoch(end))
        progress(len(group.runs))
    return training.outcome(history, keep_parameters)


class Training:
    """The runs of a group in training; a call of the compiled program is one epoch of one chunk."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.grid = group.grid
        data = group.data
        scale: Any = np.float32(data.scale)
        self._hosted = run_inputs(group)
        self._splits = layout.put_data(self.grid, Splits(data.train, data.valid, scale))
        self._train = programs.epoch_program(group.structure, group.batch_size)
        self.restart()

    def restart(self) -> None:
        """Go back to the initial draws."""
        kinds = tuple(initializer_of(kind) for kind in self.group.init_kinds)
        start = programs.start_program(self.group.structure, kinds)
        self._inputs = layout.put_runs(self.grid, self._hosted)
        self._states = [start(*chunk) for chunk in zip(self._inputs, self._splits, strict=True)]
        self._last: list[Metrics] = [{} for _ in self._states]
        self._epoch = 0
        self._until = self._hosted.hyper.epochs.copy()  # [R]: the epochs that each run has
        self._finite = np.full(len(self.group.runs), True)  # runs that have not been seen to diverge
        self._stopped = np.zeros(len(self.group.runs), np.int32)

    def epochs(self, count: int, *, wait: bool = False, states: bool = False) -> Iterator[EpochEnd]:
        """Train all runs for so many epochs; yields the end of each.

        An epoch's metrics are fetched when the next one has begun, so that no device waits for the slowest; but
        where somebody is to ``wait`` for, who may stop runs or looks at states, the next one begins after that.
        """
        begun: list[list[Metrics]] = []
        for _ in range(count):
            begun.append(self._begin_epoch())
            if wait:
                yield self._end(begun.pop(0), self._epoch, states)
            elif len(begun) > 1:
                yield self._end(begun.pop(0), self._epoch - 1, False)
        for metrics in begun:
            yield self._end(metrics, self._epoch, False)

    def stop(self, runs: Stops) -> None:
        """Let runs rest from now on, by their index or with a truth value for each.

        Raises:
            UserError: for what names no run.
        """
        chosen = _indices(runs, len(self.group.runs))
        chosen = chosen[(self._until[chosen] > self._epoch) & self._finite[chosen]]
        if not chosen.size:
            return
        self._until[chosen] = self._stopped[chosen] = self._epoch
        for chunk, inside in enumerate(self.grid.runs):
            if np.isin(inside, chosen).any():
                epochs = jax.device_put(self._until[inside], self.grid.device(chunk))
                inputs = self._inputs[chunk]
                self._inputs[chunk] = inputs._replace(hyper=inputs.hyper._replace(epochs=epochs))

    def _begin_epoch(self) -> list[Metrics]:
        metrics: list[Metrics] = []
        live = self._finite & (self._until > self._epoch)
        for chunk, inputs in enumerate(self._inputs):
            if live[self.grid.runs[chunk]].any():
                self._states[chunk], self._last[chunk] = self._train(
                    self._states[chunk], inputs, np.int32(self._epoch), self._splits[chunk]
                )
                metrics.append(self._last[chunk])
            else:
                metrics.append(
                    jax.tree.map(lambda leaf: np.full(leaf.shape, np.nan, leaf.dtype), self._last[chunk])
                )
        self._epoch += 1
        return metrics

    def _end(self, chunks: list[Metrics], epoch: int, states: bool) -> EpochEnd:
        metrics = layout.get_runs(self.grid, chunks)
        trained = np.isfinite(metrics["train_loss"])
        # A run that had an epoch to train in and has no loss has diverged.
        self._finite &= trained | (self._until < epoch)
        held = layout.get_runs(self.grid, self._states) if states else None
        return EpochEnd(epoch, self.group.runs, trained, metrics, held)

    def compiled(self) -> Any:
        """The epoch's program as XLA has it, for its text and its memory."""
        return self._train.compiled(self._states[0], self._inputs[0], np.int32(0), self._splits[0])

    @property
    def params(self) -> Params:
        """The parameters as they are, as host arrays [R, …]."""
        return layout.get_runs(self.grid, [state.train.params for state in self._states])

    def outcome(self, history: Sequence[Metrics], keep_parameters: bool) -> Outcome:
        """What came out of the epochs so far, and of the test set."""
        test = programs.test_program(self.group.structure)
        examples = layout.put_data(self.grid, self.group.data.test)
        found = []
        for chunk, state in enumerate(self._states):
            tested = test(state, self._inputs[chunk], examples[chunk], self._splits[chunk].scale)
            kept = (state.best_params, state.train.params) if keep_parameters else (None, None)
            found.append((tested, state.best_epoch, state.diverged_epoch, *kept))
        curves = jax.tree.map(lambda *epochs: np.stack(epochs, axis=1), *history)
        tested, best, diverged, *kept = layout.get_runs(self.grid, found)
        return Outcome(curves, tested, best, diverged, self._stopped, *kept)


def _indices(runs: Stops, count: int) -> np.ndarray:
    """The indices of runs that an answer names."""
    if runs is None:
        return np.zeros(0, int)
    if type(runs) is int or isinstance(runs, np.integer):
        runs = [int(runs)]
    try:
        named = np.asarray(runs if isinstance(runs, np.ndarray) else list(runs))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # no list, or one of lists
        named = np.array(None)
    if named.dtype == bool and named.shape == (count,):
        return np.flatnonzero(named)
    if named.size == 0:
        return np.zeros(0, int)
    if named.ndim != 1 or named.dtype.kind not in "iu" or named.min() < 0 or named.max() >= count:
        raise UserError(
            f"on_epoch answers {runs!r}, and must answer which runs stop: indices from 0 to {count - 1}, a truth "
            "value for each run, or nothing"
        )
    return np.unique(named)


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
