"""The runs of a group on examples that stay in their file: an epoch is a call for each window of them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from nnjax.data.batches import Splits
from nnjax.data.stored import Stored, some_of, windows
from nnjax.engine import layout, programs
from nnjax.engine.own import OwnPrograms, run_inputs
from nnjax.engine.plan import Group
from nnjax.training.epoch import Seen
from nnjax.training.metrics import Values
from nnjax.training.start import LSUV_BATCH, RunState
from nnjax.types import Examples, Weighted


class StoredPrograms(OwnPrograms):
    """What the chunks of a group's runs are trained with, window by window.

    A window is read once for all runs, which see the windows of an epoch in one order, and each the examples of a
    window in its own. While the devices work on one, the next is read.
    """

    def __init__(self, group: Group) -> None:
        self.group, self.grid = group, group.grid
        data = group.data
        self.learns, self.validates, self.tested = data.learned
        first = some_of(self.learns, np.arange(min(LSUV_BATCH, len(self.learns.y))))
        scale: Any = np.float32(data.scale)
        self.splits = layout.put_data(self.grid, Splits(first, first, scale, data.vectors))
        self.inputs = layout.put_runs(self.grid, run_inputs(group))
        self.part = programs.part_program(group.structure, group.batch_size)
        self.end = programs.end_program(group.structure)

    def epoch(self, states: list[RunState], chunks: Sequence[int], epoch: int) -> list[Any]:
        """An epoch of some chunks, counted from 0; eats their states."""
        train = self.learns
        window, block = self._sizes(train)

        def learn(part: int, chunk: int, examples: Any) -> Seen:
            states[chunk], seen = self.part(
                states[chunk],
                self.inputs[chunk],
                np.int32(epoch),
                np.int32(part),
                examples,
                self.splits[chunk].scale,
            )
            return seen

        order = epoch if self.group.structure.shuffle else None
        read = self._placed(train, windows(len(train.y), window, block, order))
        seen = _Totals()
        for part, examples in enumerate(read):
            seen.add([learn(part, chunk, examples[chunk]) for chunk in chunks])
        judged = self._judged(self.validates, states, chunks, best=False)
        begun = []
        for chunk, of_training, of_validation in zip(chunks, seen.found(), judged, strict=True):
            states[chunk], metrics = self.end(states[chunk], self.inputs[chunk], of_training, of_validation)
            begun.append(metrics)
        return begun

    def test(self, states: Sequence[RunState]) -> list[Values]:
        """The metrics of the test set, with the best parameters and the last."""
        chunks = range(len(states))
        both = [self._judged(self.tested, states, chunks, best=best) for best in (True, False)]
        program = programs.tested_program()
        return [program(states[chunk], *judged) for chunk, judged in enumerate(zip(*both, strict=True))]

    def compiled(self, chunk: int, state: RunState) -> Any:
        """The program of a window as XLA has it."""
        window, _ = self._sizes(self.learns)
        train, size = self.learns, min(window, len(self.learns.y))
        examples = type(train)(
            *(np.broadcast_to(np.zeros((), part.dtype), (size, *part.shape[1:])) for part in train)
        )
        zero = np.int32(0)
        return self.part.compiled(state, self.inputs[chunk], zero, zero, examples, self.splits[chunk].scale)

    def _sizes(self, split: Examples | Weighted) -> tuple[int, int]:
        """Examples of a window, whole batches of them, and of a block."""
        x, batch = split.x, self.group.batch_size
        if not isinstance(x, Stored):
            return len(split.y), len(split.y)
        return max(batch, x.window // batch * batch), x.block

    def _judged(
        self, split: Examples | Weighted, states: Sequence[RunState], chunks: Sequence[int], best: bool
    ) -> list[Any]:
        """The sums of a split's metrics, of each chunk."""
        program = programs.judge_program(self.group.structure, best)
        window, _ = self._sizes(split)
        total = _Totals()
        for examples in self._placed(split, windows(len(split.y), window, window)):
            total.add(
                [
                    program(states[chunk], self.inputs[chunk], examples[chunk], self.splits[chunk].scale)
                    for chunk in chunks
                ]
            )
        return total.found()

    def _placed(
        self, split: Examples | Weighted, places: Iterable[Int[np.ndarray, " n"]]
    ) -> Iterator[list[Examples | Weighted]]:
        """The examples at some places after others, for each chunk on its device."""
        for of_window in places:
            yield layout.put_data(self.grid, some_of(split, of_window))


class _Totals:
    """What the windows have shown, of each chunk, added up on the host.

    To add what a window has shown is to wait for it. So that is done when the next one has been begun, and no more
    than two of them are in memory.
    """

    def __init__(self) -> None:
        self._last: list[Any] | None = None
        self._sums: list[Any] | None = None

    def add(self, begun: list[Any]) -> None:
        """Begun on a window, of each chunk."""
        self._fetch()
        self._last = begun

    def found(self) -> list[Any]:
        """The sums."""
        self._fetch()
        assert self._sums is not None
        return self._sums

    def _fetch(self) -> None:
        if self._last is None:
            return
        new = jax.device_get(self._last)
        self._sums = new if self._sums is None else jax.tree.map(np.add, self._sums, new)
        self._last = None
