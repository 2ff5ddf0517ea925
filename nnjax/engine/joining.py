"""New programs for structures that are much alike, joined as long as that saves time.

Each structure begins with a program for itself, its widths rounded up a little. Of all pairs the one is joined
that saves most: a compilation, less what wider layers cost those that were narrow.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nnjax.engine.work import COMPILING_SHARED, CORES, Work, part_seconds, parts_of

ROWS = (8, 16, 32, 64, 128, 256, 512)
"""Examples that a program may read at a time."""

STEPS = (16, 32, 64, 128)
"""Widths of new programs are multiples of the first of these that leaves few enough kinds of them."""

MOST = 256
"""So many programs of one kind may be compared, each with each."""


class Joined(NamedTuple):
    """Structures that share a new program."""

    members: list[int]
    hidden: tuple[int, ...]
    rows: int
    adds_up: bool
    seconds: float


class _Cells:
    """Programs to come, each with what its structures need."""

    def __init__(self, works: Sequence[Work], members: Sequence[Sequence[int]], step: int) -> None:
        self.inputs, self.classes = works[0].inputs, works[0].classes
        self.members = [list(of_cell) for of_cell in members]
        hidden = np.array([work.config.hidden for work in works])  # [W, L]
        batches = np.array([work.config.batch_size for work in works])
        parts = np.array([[_parts(work, rows) for rows in ROWS] for work in works])  # [W, ROWS]
        self.hidden = np.stack([-(-hidden[of].max(0) // step) * step for of in self.members])
        self.batch = np.array([batches[of].max() for of in self.members])
        self.parts = np.stack([parts[of].sum(0) for of in self.members])

    def seconds(self, hidden: np.ndarray, batch: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Of programs of such widths [n, L], largest batches [n] and parts [n, ROWS], by rows: [n, ROWS]."""
        rows = np.array(ROWS)
        of_part = part_seconds(self.inputs, hidden[:, None], self.classes, rows, batch[:, None] > rows)
        return COMPILING_SHARED + parts * of_part / CORES

    def with_others(self, index: int) -> np.ndarray:
        """Seconds of a cell joined with each of all, ``[n]``."""
        return self.seconds(
            np.maximum(self.hidden, self.hidden[index]),
            np.maximum(self.batch, self.batch[index]),
            self.parts + self.parts[index],
        ).min(1)

    def join(self, one: int, other: int) -> None:
        """Let one have what the other has, which is left empty."""
        self.members[one] += self.members[other]
        self.members[other] = []
        self.hidden[one] = np.maximum(self.hidden[one], self.hidden[other])
        self.batch[one] = max(self.batch[one], self.batch[other])
        self.parts[one] += self.parts[other]


def join(works: Sequence[Work], least: int = STEPS[0]) -> list[Joined]:
    """The programs for structures of one depth that differ in nothing but what a shared program takes as numbers.

    Args:
        works: what there is to do.
        least: the widths are multiples of this, at least.
    """
    for step in (step for step in STEPS if step >= least):
        alike: dict[tuple[int, ...], list[int]] = {}
        for index, work in enumerate(works):
            at_a_time = next((rows for rows in ROWS if rows >= work.config.batch_size), ROWS[-1])
            widths = (-(-width // step) for width in work.config.hidden)
            alike.setdefault((at_a_time, *widths), []).append(index)
        if len(alike) <= MOST:
            break
    cells = _Cells(works, list(alike.values()), step)
    own = cells.seconds(cells.hidden, cells.batch, cells.parts).min(1)
    gains = np.stack([own + own[index] - cells.with_others(index) for index in range(len(own))])
    np.fill_diagonal(gains, -np.inf)
    while gains.size and gains.max() > 0:
        one, other = np.unravel_index(gains.argmax(), gains.shape)
        cells.join(int(one), int(other))
        own[one] = own[one] + own[other] - gains[one, other]
        gains[other] = gains[:, other] = -np.inf
        there = np.isfinite(gains[one])
        gains[one, there] = gains[there, one] = (own + own[one] - cells.with_others(int(one)))[there]
    found = []
    for index, members in enumerate(cells.members):
        if members:
            here = slice(index, index + 1)
            seconds = cells.seconds(cells.hidden[here], cells.batch[here], cells.parts[here])[0]
            rows = ROWS[int(seconds.argmin())]
            hidden = tuple(int(width) for width in cells.hidden[index])
            found.append(Joined(members, hidden, rows, bool(cells.batch[index] > rows), float(seconds.min())))
    return found


def _parts(work: Work, rows: int) -> float:
    """Parts of all its epochs."""
    return work.runs * work.epochs * parts_of(work.examples, work.config.batch_size, work.evaluated, rows)
