"""The runs of a group trained epoch by epoch, and the end of an epoch, where the outside meets training."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from nnjax.engine import layout
from nnjax.engine.compilation import settings_of_this_thread
from nnjax.engine.own import OwnPrograms
from nnjax.engine.plan import Group, Run
from nnjax.engine.shared import SharedPrograms, unpacked
from nnjax.nn.models import param_shapes
from nnjax.training import monitor
from nnjax.training.start import RunState
from nnjax.training.structure import Structure
from nnjax.types import Params
from nnjax.validation import UserError

COMPILERS, AHEAD = 2, 4
"""Threads that compile beside the training, and groups that may be ready before their turn: their states wait."""

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
    best_params: Params | None  # [R, …]; of a shared program its vectors [R, P]
    last_params: Params | None

    def of(self, group: Group, structure: Structure, runs: np.ndarray) -> "Outcome":
        """What came out of some runs of a group, those of one structure."""
        if group.shared is None:
            return self
        found = Outcome(*jax.tree.map(lambda leaf: leaf[runs], tuple(self)))
        if found.best_params is None:
            return found
        shapes = param_shapes(structure.network, group.data.inputs)
        vectors: Any = (found.best_params, found.last_params)
        best, last = (unpacked(group.shared, kept, shapes) for kept in vectors)
        return found._replace(best_params=best, last_params=last)


def train_groups(
    groups: Sequence[Group],
    *,
    keep_parameters: bool = False,
    on_epoch: OnEpoch | None = None,
    states: bool = False,
    progress: Callable[[int], object] = lambda runs: None,
    ends: Callable[[], object] = lambda: False,
) -> list[Outcome]:
    """Train the runs of groups, one group after another; what the next one needs is compiled meanwhile.

    Args:
        groups: what to train.
        keep_parameters: give the best and the last parameters back.
        on_epoch: is told of each end of an epoch before the next one begins.
        states: whether it is given the states too.
        progress: is called after each epoch with the number of runs.
        ends: whether all of it is to end with this epoch.

    Returns:
        What came out of the groups that were begun.
    """
    outcomes: list[Outcome] = []
    for training in prepared(groups):
        if outcomes and ends():
            break
        history = []
        waits = on_epoch is not None or training.has_patience
        for end in training.epochs(training.group.epochs, wait=waits, states=states):
            history.append(end.metrics)
            if on_epoch is not None:
                training.stop(on_epoch(end))
            progress(len(training.group.runs))
            if ends():
                training.stop_all()
        outcomes.append(training.outcome(history, keep_parameters))
    return outcomes


Scores: TypeAlias = Mapping[int, np.ndarray]
"""Of each setting that still trains, each run's score of its best epoch so far; NaN: it has diverged."""

Decide: TypeAlias = Callable[[int, Scores], Iterable[int]]
"""``(rung, scores) -> the settings that stop``, once all of them have come to the end of a rung."""


def train_in_rungs(
    groups: Sequence[Group],
    rungs: Sequence[int],
    decide: Decide,
    *,
    keep_parameters: bool = False,
    progress: Callable[[int], object] = lambda runs: None,
    ends: Callable[[], object] = lambda: False,
) -> list[Outcome]:
    """Train the runs of all groups up to each of some epochs in turn, and stop there what isn't worth more.

    Args:
        groups: what to train.
        rungs: epochs, rising; after the last one nothing is asked.
        decide: says after each of the others which settings stop.
        keep_parameters: give the best and the last parameters back.
        progress: is called after each epoch with the number of runs that trained.
        ends: whether all of it is to end with this epoch.

    Returns:
        What came out of the groups that were begun.
    """
    trainings: list[Training] = []
    history: list[list[Metrics]] = []
    for rung, until in enumerate(rungs):
        for number, training in enumerate(prepared(groups) if rung == 0 else trainings):
            if rung == 0:
                if trainings and ends():
                    break
                trainings.append(training)
                history.append([])
            if training.trains or not history[number]:
                for end in training.epochs(until - len(history[number]), wait=training.has_patience):
                    history[number].append(end.metrics)
                    progress(int(end.trained.sum()))
                    if ends():
                        training.stop_all()
        if ends():
            for training in trainings:
                training.stop_all()
            break
        if rung < len(rungs) - 1:
            stopped = set(decide(rung, _scores(trainings)))
            for training in trainings:
                training.stop(np.array([run.setting in stopped for run in training.group.runs]))
    return [training.outcome(epochs, keep_parameters) for training, epochs in zip(trainings, history, strict=True)]


def _scores(trainings: Sequence["Training"]) -> Scores:
    """The scores of all settings with runs that nobody has stopped."""
    found: dict[int, list[float]] = {}
    for training in trainings:
        for index in np.flatnonzero(training.stopped_epoch == 0):
            score = training.best_score[index] if training.finite[index] else np.nan
            found.setdefault(training.group.runs[index].setting, []).append(score)
    return {setting: np.array(of_runs) for setting, of_runs in found.items()}


def prepared(groups: Sequence[Group]) -> Iterator["Training"]:
    """The groups ready for their first epoch, the next ones being made ready while one trains."""
    alike = settings_of_this_thread()

    def ready(group: Group) -> Training:
        with alike():
            training = Training(group)
            training.compile()
        return training

    if len(groups) == 1:
        yield Training(groups[0])
        return
    with ThreadPoolExecutor(COMPILERS, "nnjax-compile") as beside:
        ahead = deque(beside.submit(ready, group) for group in groups[:AHEAD])
        for following in (*groups[AHEAD:], *[None] * len(ahead)):
            training = ahead.popleft().result()
            if following is not None:
                ahead.append(beside.submit(ready, following))
            yield training


class Training:
    """The runs of a group in training; a call of the compiled program is one epoch of one chunk."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.grid = group.grid
        patience = [run.config.patience for run in group.runs]
        self._patience = np.array([np.inf if epochs is None else epochs for epochs in patience])  # [R]
        metrics = group.structure.metrics
        self._monitor = np.array([monitor.index_of(metrics, run.config.monitor) for run in group.runs])  # [R]
        self._programs: OwnPrograms | SharedPrograms = (
            SharedPrograms(group) if group.shared else OwnPrograms(group)
        )
        self.restart()

    def restart(self) -> None:
        """Go back to the initial draws."""
        self._until = np.array([run.config.epochs for run in self.group.runs], np.int32)  # [R]: those it has
        self._programs.let_train(self._until, np.arange(len(self._until)))
        self._states = self._programs.start()
        self._last: list[Metrics] = [{} for _ in self._states]
        self._epoch = 0
        self._ended = False
        runs = len(self.group.runs)
        self.finite = np.full(runs, True)  # [R]: which runs have not been seen to diverge
        self.stopped_epoch = np.zeros(runs, np.int32)  # [R]: at whose end a run was stopped, 0 for none
        self.best_score = np.full(runs, -np.inf)  # [R]: of the best of the epochs that have been seen
        self._best_loss = np.full(runs, np.inf)
        self._best_epoch = np.zeros(runs, np.int32)

    def epochs(self, count: int, *, wait: bool = False, states: bool = False) -> Iterator[EpochEnd]:
        """Train all runs for so many epochs; yields the end of each.

        An epoch's metrics are fetched when the next one has begun, so that no device waits for the slowest; but
        where somebody is to ``wait`` for, who may stop runs or looks at states, the next one begins after that.
        """
        begun: list[list[Metrics]] = []
        for _ in range(count):
            if self._ended:
                break
            begun.append(self._begin_epoch())
            if wait:
                end = self._end(begun.pop(0), self._epoch, states)
                self.stop(end.epoch - self._best_epoch >= self._patience)
                yield end
            elif len(begun) > 1:
                yield self._end(begun.pop(0), self._epoch - 1, False)
        for metrics in begun:
            yield self._end(metrics, self._epoch, False)

    @property
    def has_patience(self) -> bool:
        """Whether runs are stopped for want of a better epoch; then whoever trains them must wait for each."""
        return bool(np.isfinite(self._patience).any())

    @property
    def trains(self) -> bool:
        """Whether a run has epochs left to train in."""
        return bool((self.finite & (self._until > self._epoch)).any())

    def stop(self, runs: Stops) -> None:
        """Let runs rest from now on, by their index or with a truth value for each.

        Raises:
            UserError: for what names no run.
        """
        chosen = _indices(runs, len(self.group.runs))
        chosen = chosen[(self._until[chosen] > self._epoch) & self.finite[chosen]]
        if not chosen.size:
            return
        self._until[chosen] = self.stopped_epoch[chosen] = self._epoch
        self._programs.let_train(self._until, chosen)

    def stop_all(self) -> None:
        """Begin no further epoch; runs that had some left are stopped after the last one that was begun."""
        self.stop(np.full(len(self.group.runs), True))
        self._ended = True

    def _begin_epoch(self) -> list[Metrics]:
        metrics: list[Metrics] = []
        live = self.finite & (self._until > self._epoch)
        for chunk, runs in enumerate(self.grid.runs):
            if live[runs].any():
                self._states[chunk], self._last[chunk] = self._programs.epoch(
                    chunk, self._states[chunk], self._epoch
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
        self.finite &= trained | (self._until < epoch)
        self._keep_best(epoch, metrics)
        held = layout.get_runs(self.grid, self._states) if states else None
        return EpochEnd(epoch, self.group.runs, trained, metrics, held)

    def _keep_best(self, epoch: int, metrics: Metrics) -> None:
        """Note which runs have had their best epoch so far, as their states do."""
        named = self.group.structure.metrics
        valid = {name: metrics[monitor.VALID + name] for name in monitor.signs(named)}
        score = np.stack(monitor.scores(named, valid))[self._monitor, np.arange(len(self._monitor))]
        better = monitor.better(score, valid["loss"], self.best_score, self._best_loss)
        self.best_score = np.where(better, score, self.best_score)
        self._best_loss = np.where(better, valid["loss"], self._best_loss)
        self._best_epoch = np.where(better, epoch, self._best_epoch)

    def compile(self) -> None:
        """Have the epoch's program on all devices that the group uses."""
        for chunk, state in enumerate(self._states[: len(self.grid.devices())]):
            self._programs.compiled(chunk, state)

    def compiled(self) -> Any:
        """The epoch's program as XLA has it, for its text and its memory."""
        return self._programs.compiled(0, self._states[0])

    @property
    def params(self) -> Params:
        """The parameters as they are, as host arrays [R, …]."""
        return layout.get_runs(self.grid, [state.train.params for state in self._states])

    def outcome(self, history: Sequence[Metrics], keep_parameters: bool) -> Outcome:
        """What came out of the epochs so far, and of the test set."""
        found = []
        for state, tested in zip(self._states, self._programs.test(self._states), strict=True):
            kept = (state.best_params, state.train.params) if keep_parameters else (None, None)
            found.append((tested, state.best_epoch, state.diverged_epoch, *kept))
        curves = jax.tree.map(lambda *epochs: np.stack(epochs, axis=1), *history)
        tested, best, diverged, *kept = layout.get_runs(self.grid, found)
        return Outcome(curves, tested, best, diverged, self.stopped_epoch, *kept)


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
