"""Places in columns: the order in each that crosses few lines, and heights that keep the lines straight."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression

ORDER_SWEEPS = 24  # back and forth over the columns
HEIGHT_SWEEPS = 200
STILL = 0.01  # px; nothing moves any more


@dataclass(frozen=True, eq=False)
class Place:
    """Room in a column: for a node's box, for an edge's label, or for a line that passes."""

    column: int
    width: float
    height: float
    gap: float  # to the places above and below


def _links(chains: Sequence[Sequence[Place]]) -> list[tuple[Place, Place]]:
    return [link for chain in chains for link in pairwise(chain)]


def reduce_crossings(columns: list[list[Place]], chains: Sequence[Sequence[Place]]) -> None:
    """Order the places in their columns by barycentres."""
    links = _links(chains)
    before: dict[Place, list[Place]] = defaultdict(list)
    after: dict[Place, list[Place]] = defaultdict(list)
    for a, b in links:
        after[a].append(b)
        before[b].append(a)
    best, fewest = [list(column) for column in columns], _crossings(columns, links)
    for sweep in range(ORDER_SWEEPS):
        forward = sweep % 2 == 0
        neighbours = before if forward else after
        for column in columns if forward else reversed(columns):
            rank = _ranks(columns)
            mean = {p: np.mean([rank[q] for q in neighbours[p]]) if neighbours[p] else rank[p] for p in column}
            column.sort(key=lambda place: float(mean[place]))
        if (count := _crossings(columns, links)) < fewest:
            best, fewest = [list(column) for column in columns], count
    columns[:] = best


def _ranks(columns: Sequence[Sequence[Place]]) -> dict[Place, int]:
    return {place: rank for column in columns for rank, place in enumerate(column)}


def _crossings(columns: Sequence[Sequence[Place]], links: Sequence[tuple[Place, Place]]) -> int:
    rank = _ranks(columns)
    gaps: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for a, b in links:
        gaps[a.column].append((rank[a], rank[b]))
    count = 0
    for ends in gaps.values():
        a, b = np.array(ends).T
        count += int(np.sum((a[:, None] < a) & (b[:, None] > b)))
    return count


def ports_of(columns: Sequence[Sequence[Place]], chains: Sequence[Sequence[Place]]) -> list[tuple[float, float]]:
    """Where each edge leaves its source and reaches its target, from the middle of the box's side."""
    rank = _ranks(columns)
    leaving: dict[Place, list[int]] = defaultdict(list)
    arriving: dict[Place, list[int]] = defaultdict(list)
    for number, chain in enumerate(chains):
        leaving[chain[0]].append(number)
        arriving[chain[-1]].append(number)
    offset: dict[tuple[int, bool], float] = {}
    for sides, start in ((leaving, True), (arriving, False)):
        for box, numbers in sides.items():
            numbers.sort(key=lambda number: rank[chains[number][1 if start else -2]])
            for place, number in enumerate(numbers, 1):
                offset[number, start] = box.height * (place / (len(numbers) + 1) - 0.5)
    return [(offset[number, True], offset[number, False]) for number in range(len(chains))]


def heights_of(
    columns: Sequence[Sequence[Place]],
    chains: Sequence[Sequence[Place]],
    ports: Sequence[tuple[float, float]],
) -> dict[Place, float]:
    """The height of the middle of every place; the top of the highest is at 0."""
    pulls: dict[Place, list[tuple[Place, float, float]]] = defaultdict(list)  # to whom, how far off, how much
    for chain, (start, end) in zip(chains, ports, strict=True):
        shift = dict.fromkeys(chain, 0.0) | {chain[0]: start, chain[-1]: end}
        for number, (a, b) in enumerate(pairwise(chain)):
            weight = 1.0 if number == 0 else 8.0  # a line bends where it leaves its source, then runs straight
            pulls[a].append((b, shift[b] - shift[a], weight))
            pulls[b].append((a, shift[a] - shift[b], weight))
    room = {}  # the least height of each place, with its column packed
    for column in columns:
        used = 0.0
        for above, place in zip([None, *column], column, strict=False):
            used += max(above.gap, place.gap) if above else 0
            room[place] = used + place.height / 2
            used += place.height
    y = dict(room)
    for sweep in range(HEIGHT_SWEEPS):
        last = dict(y)
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = [_mean([(y[q] + d, w) for q, d, w in pulls[p]], y[p]) for p in column]
            weights = [sum(w for _, _, w in pulls[p]) or 1.0 for p in column]
            # Neighbours of a column keep their distance exactly where y − room doesn't fall.
            free = isotonic_regression(np.array(wanted) - [room[p] for p in column], weights=weights).x
            y.update((place, float(up) + room[place]) for place, up in zip(column, free, strict=True))
        if max(abs(y[place] - last[place]) for place in y) < STILL:
            break
    top = min(y[place] - place.height / 2 for place in y)
    return {place: height - top for place, height in y.items()}


def _mean(weighted: Sequence[tuple[float, float]], default: float) -> float:
    total = sum(weight for _, weight in weighted)
    return sum(value * weight for value, weight in weighted) / total if weighted else default
