"""Which structures share a new program, against plain loops."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.config import Config
from nnjax.engine.joining import MOST, ROWS, join
from nnjax.engine.work import COMPILING_SHARED, CORES, Work, part_seconds
from nnjax.training.structure import Structure


def works(shapes, runs=4, epochs=30):
    configs = [Config(hidden=hidden, batch_size=batch, epochs=epochs) for hidden, batch in shapes]
    structure = Structure.of(configs[0], 10, 64)
    return [Work(config, structure, 64, 10, 1150, 288, runs, epochs) for config in configs]


def seconds(chosen):
    """Of a program for these, in the best of its sizes."""
    hidden = np.array(
        [16 * math.ceil(max(widths) / 16) for widths in zip(*(w.config.hidden for w in chosen), strict=True)]
    )
    found = []
    for rows in ROWS:
        adds_up = any(work.config.batch_size > rows for work in chosen)
        parts = 0.0
        for work in chosen:
            batch = work.config.batch_size
            trained = math.ceil(1150 / batch) * math.ceil(batch / rows)
            parts += work.runs * work.epochs * (trained + math.ceil(288 / rows) / 3)
        found.append(COMPILING_SHARED + parts * part_seconds(64, hidden, 10, rows, adds_up) / CORES)
    return min(found)


def greedy(todo):
    """The seconds of all programs, joined pair by pair."""
    groups = [[work] for work in todo]
    while True:
        gains = {
            (i, j): seconds(groups[i]) + seconds(groups[j]) - seconds(groups[i] + groups[j])
            for i, j in itertools.combinations(range(len(groups)), 2)
        }
        if not gains or max(gains.values()) <= 1e-9:
            return sum(map(seconds, groups))
        i, j = max(gains, key=gains.get)
        groups = [group for k, group in enumerate(groups) if k not in (i, j)] + [groups[i] + groups[j]]


SHAPES = st.lists(st.tuples(st.tuples(st.integers(1, 300), st.integers(1, 300)), st.integers(1, 700)), min_size=1)


@given(SHAPES.filter(lambda shapes: len(shapes) < 8))
@settings(max_examples=25, deadline=None)
def test_pair_by_pair(shapes):
    todo = works(shapes)
    found = join(todo)
    assert sorted(member for joined in found for member in joined.members) == list(range(len(todo)))
    for joined in found:
        members = [todo[member] for member in joined.members]
        assert joined.seconds == pytest.approx(seconds(members))
        for work in members:
            assert all(rung >= width for rung, width in zip(joined.hidden, work.config.hidden, strict=True))
            assert joined.adds_up or work.config.batch_size <= joined.rows
    assert sum(joined.seconds for joined in found) <= greedy(todo) * (1 + 1e-9)


def test_what_takes_long_is_not_padded():
    short, long = (join(works([((20,), 32), ((250,), 32)], epochs=epochs)) for epochs in (1, 3000))
    assert [joined.hidden for joined in short] == [(256,)]
    assert sorted(joined.hidden for joined in long) == [(32,), (256,)]


def test_many_kinds_are_rounded_up_further():
    rng = np.random.default_rng(0)
    found = join(works([((int(width),), 32) for width in rng.integers(1, 16 * (2 * MOST), 600)], epochs=1))
    assert sorted(member for joined in found for member in joined.members) == list(range(600))
    assert all(joined.hidden[0] % 32 == 0 for joined in found)
