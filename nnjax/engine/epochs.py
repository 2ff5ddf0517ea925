"""The runs of a group in training, epoch by epoch, whichever programs train them."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from nnjax.engine import layout
from nnjax.engine.driver import EpochEnd, Metrics, Outcome, Standing, Stops
from nnjax.engine.own import OwnPrograms
from nnjax.engine.plan import Group
from nnjax.engine.shared import SharedPrograms
from nnjax.engine.stored import StoredPrograms
from nnjax.results.labels import own_labels
from nnjax.results.starts import Start, State
from nnjax.results.trees import STATE
from nnjax.training import monitor
from nnjax.training.metrics import in_units, variables
from nnjax.types import Params
from nnjax.validation import UserError


class Programs(Protocol):
    """What trains the chunks of a group; a state is what it makes of it."""

    def let_train(self, until: np.ndarray, changed: np.ndarray) -> None:
        """Say up to which epoch each run trains, ``[R]``, where that has changed for some."""

    def start(self) -> list[Any]:
        """The states of the chunks before the first epoch."""

    def epoch(self, states: list[Any], chunks: Sequence[int], epoch: int) -> list[Any]:
        """Begin an epoch of some chunks, counted from 0: what `metrics` will want of each.

        The states after it take their places among the states of all chunks, and may have eaten them.
        """

    def metrics(self, chunk: int, begun: Any) -> Metrics:
        """What an epoch has found, ``[U, K, …]``; NaN of a run that isn't in training, or isn't finite."""

    def ended(self, chunk: int, lives: np.ndarray, finite: np.ndarray, better: np.ndarray) -> None:
        """The first epoch that hasn't ended has, ``[U, K]``: which runs trained, are finite, and at their best."""

    def kept(self, chunk: int, state: Any) -> tuple[Params, Params]:
        """The best and the last parameters, ``[U, K, …]``."""

    def optimizer(self, chunk: int, state: Any) -> tuple[Any, Any]:
        """The state of the optimizer, and the steps that it has had, ``[U, K, …]``."""

    def test(self, states: Sequence[Any]) -> list[Metrics]:
        """The metrics of the test set, of each chunk ``[U, K, …]``."""

    def compiled(self, chunk: int, state: Any) -> Any:
        """The epoch's program as XLA has it."""


def programs_of(group: Group) -> Programs:
    """What trains the chunks of a group."""
    if group.data.is_stored:
        return StoredPrograms(group)
    return SharedPrograms(group) if group.shared else OwnPrograms(group)


class Training:
    """The runs of a group in training; a call of the compiled program is one epoch of one chunk."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.grid = group.grid
        self._setting = np.unique([run.setting for run in group.runs], return_inverse=True)[1]  # [R]
        patience = [run.config.patience for run in group.runs]
        self._patience = np.array([np.inf if epochs is None else epochs for epochs in patience])  # [R]
        metrics = group.structure.metrics
        self._monitor = np.array([monitor.index_of(metrics, run.config.monitor) for run in group.runs])  # [R]
        self.sign = list(monitor.signs(metrics).values())[self._monitor[0]]
        """What makes a value of a score, of the first run."""
        self._programs: Programs = programs_of(group)
        self.restart()

    def restart(self) -> None:
        """Go back to where the runs begin."""
        self._until = np.array([run.config.epochs for run in self.group.runs], np.int32)  # [R]: those it has
        self._programs.let_train(self._until, np.arange(len(self._until)))
        self._states = self._programs.start()
        self.epoch = self.group.begun  # how many have been begun
        self._history: list[Metrics] = []
        self._trained = 0  # epochs of all runs
        self._ended = False
        runs = len(self.group.runs)
        self.finite = np.full(runs, True)  # [R]: which runs have not been seen to diverge
        self.stopped_epoch = np.zeros(runs, np.int32)  # [R]: at whose end a run was stopped, 0 for none
        self.best_score = np.full(runs, -np.inf)  # [R]: of the best of the epochs that have been seen
        self._best_loss = np.full(runs, np.inf)
        self._best_epoch = np.zeros(runs, np.int32)  # [R]: 0 for none
        self._diverged_epoch = np.zeros(runs, np.int32)  # [R]: 0 for none
        if self.group.start is not None and self.group.start.source.resumes:
            self._resume(self.group.start)

    def _resume(self, start: Start) -> None:
        """Know of the epochs that were before what was known at their end."""
        structure = self.group.structure
        labels = own_labels(structure, self.group.data)
        self._history = start.history(variables(structure.metrics), labels)
        self.best_score, self._best_loss = (
            start.of_runs(f"{STATE}{name}").astype(float) for name in ("best_score", "best_loss")
        )
        self._best_epoch, self._diverged_epoch = (
            start.of_runs(name).astype(np.int32) for name in ("best_epoch", "diverged_epoch")
        )
        self.finite = self._diverged_epoch == 0
        self.stop(self.epoch - self._best_epoch >= self._patience)

    def epochs(self, count: int, *, wait: bool = False, states: bool = False) -> Iterator[EpochEnd]:
        """Train the runs for so many epochs, or until none of them trains; yields the end of each.

        An epoch's metrics are fetched when the next one has begun, so that no device waits for the slowest; but
        where somebody is to ``wait`` for, who may stop runs or looks at states, the next one begins after that.
        """
        begun: list[list[Any]] = []
        for _ in range(count):
            if self._ended or not self.trains:
                break
            begun.append(self._begin_epoch())
            if wait:
                end = self._end(begun.pop(0), self.epoch, states)
                self.stop(end.epoch - self._best_epoch >= self._patience)
                yield end
            elif len(begun) > 1:
                yield self._end(begun.pop(0), self.epoch - 1, False)
        for metrics in begun:
            yield self._end(metrics, self.epoch, False)

    @property
    def has_patience(self) -> bool:
        """Whether runs are stopped for want of a better epoch; then whoever trains them must wait for each."""
        return bool(np.isfinite(self._patience).any())

    @property
    def trains(self) -> bool:
        """Whether a run has epochs left to train in."""
        return bool((self.finite & (self._until > self.epoch)).any())

    @property
    def standing(self) -> Standing:
        """How the runs stand."""
        best = np.where(self.finite, self.best_score, np.nan)
        return Standing(self.group, best, self.stopped_epoch > 0, self._trained)

    @property
    def best(self) -> float:
        """The best setting's mean over its runs of the best score so far; −∞ for none."""
        score = np.where(self.finite, self.best_score, -np.inf)
        return float((np.bincount(self._setting, score) / np.bincount(self._setting)).max())

    def stop(self, runs: Stops) -> None:
        """Let runs rest from now on, by their index or with a truth value for each.

        Raises:
            UserError: for what names no run.
        """
        chosen = _indices(runs, len(self.group.runs))
        chosen = chosen[(self._until[chosen] > self.epoch) & self.finite[chosen]]
        if not chosen.size:
            return
        self._until[chosen] = self.stopped_epoch[chosen] = self.epoch
        self._programs.let_train(self._until, chosen)

    def stop_all(self) -> None:
        """Begin no further epoch; runs that had some left are stopped after the last one that was begun."""
        self.stop(np.full(len(self.group.runs), True))
        self._ended = True

    def _begin_epoch(self) -> list[Any]:
        """What each chunk has been given; None for those whose runs have left."""
        live = self.finite & (self._until > self.epoch)
        chunks = [chunk for chunk, runs in enumerate(self.grid.runs) if live[runs].any()]
        found = dict(zip(chunks, self._programs.epoch(self._states, chunks, self.epoch), strict=True))
        self.epoch += 1
        return [found.get(chunk) for chunk in range(len(self.grid.runs))]

    def _end(self, begun: list[Any], epoch: int, states: bool) -> EpochEnd:
        found = [
            None if of_chunk is None else self._programs.metrics(chunk, of_chunk)
            for chunk, of_chunk in enumerate(begun)
        ]
        any_ = next(of_chunk for of_chunk in found if of_chunk is not None)
        nothing = jax.tree.map(lambda leaf: np.full(leaf.shape, np.nan, leaf.dtype), any_)
        metrics = layout.get_runs(self.grid, [nothing if of is None else of for of in found])
        trained = np.isfinite(metrics["train_loss"])
        lives = self.finite & (self._until >= epoch)
        # A run that had an epoch to train in and has no loss has diverged.
        diverged = lives & ~trained
        self.finite &= ~diverged
        self._diverged_epoch[diverged] = epoch
        better = self._keep_best(epoch, metrics)
        for chunk, runs in enumerate(self.grid.runs):
            if begun[chunk] is not None:
                self._programs.ended(chunk, lives[runs], trained[runs], better[runs])
        metrics = self._in_units(metrics)
        self._history.append(metrics)
        self._trained += int(trained.sum())
        held = layout.get_runs(self.grid, self._states) if states else None
        return EpochEnd(epoch, self.group.runs, trained, metrics, held)

    def _keep_best(self, epoch: int, metrics: Metrics) -> np.ndarray:
        """Note which runs have had their best epoch so far, as their states do; which of them now, ``[R]``."""
        named = self.group.structure.metrics
        valid = {name: metrics[monitor.VALID + name] for name in monitor.signs(named)}
        score = np.stack(monitor.scores(named, valid))[self._monitor, np.arange(len(self._monitor))]
        better = monitor.better(score, valid["loss"], self.best_score, self._best_loss)
        self.best_score = np.where(better, score, self.best_score)
        self._best_loss = np.where(better, valid["loss"], self._best_loss)
        self._best_epoch = np.where(better, epoch, self._best_epoch)
        return better

    def _in_units(self, metrics: Metrics) -> Metrics:
        """Metrics of real targets in the units of these, which are learned over their deviation."""
        standard = self.group.data.standard
        return in_units(self.group.structure.metrics, metrics, standard and standard.deviation)

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
        kept = [self._programs.kept(chunk, state) for chunk, state in enumerate(self._states)]
        return layout.get_runs(self.grid, [last for _, last in kept])

    def outcome(self, keep_parameters: bool, keep_state: bool = False) -> Outcome:
        """What came out of the epochs so far, and of the test set."""
        found = []
        for chunk, tested in enumerate(self._programs.test(self._states)):
            kept = self._programs.kept(chunk, self._states[chunk]) if keep_parameters else (None, None)
            found.append((tested, *kept))
        curves = jax.tree.map(lambda *epochs: np.stack(epochs, axis=1), *self._history)
        tested, *kept = layout.get_runs(self.grid, found)
        tested = self._in_units(tested)
        outcome = Outcome(curves, tested, self._best_epoch, self._diverged_epoch, self.stopped_epoch, *kept)
        return outcome._replace(state=self._state()) if keep_state else outcome

    def _state(self) -> State:
        """What training goes on from beside the parameters, as host arrays [R, …]."""
        of_chunks = [self._programs.optimizer(chunk, state) for chunk, state in enumerate(self._states)]
        optimizer, steps = layout.get_runs(self.grid, of_chunks)
        had = np.where(self._diverged_epoch, self._diverged_epoch, np.minimum(self._until, self.epoch))
        epochs = np.maximum(had, self.group.begun).astype(np.int32)
        return State(optimizer, steps, epochs, np.float32(self.best_score), np.float32(self._best_loss))


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
