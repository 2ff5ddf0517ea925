import collections
import weakref

import jax
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nnjax.config import Config
from nnjax.engine import layout, programs
from nnjax.engine.cost import StepCost
from nnjax.training.structure import Structure

seeds = st.lists(st.integers(0, 6), min_size=1, max_size=30)
costs = st.builds(
    lambda flops, working_set: StepCost(flops, 0, working_set, 0),
    st.sampled_from([10**5, 10**8]),
    st.sampled_from([10**5, 10**6, 10**7]),
)
runs_per_call = st.none() | st.integers(1, 40)
LARGE = StepCost(flops=10**9, traffic=0, working_set=10**8, state=0)  # no two at a time
SMALL = StepCost(flops=10**5, traffic=0, working_set=10**5, state=0)  # 40 at a time


@given(seeds, costs, runs_per_call)
def test_every_run_stands_in_a_row_of_its_own_data_seed(data_seeds, cost, runs_per_call):
    grid = layout.arrange(data_seeds, cost, runs_per_call)
    assert set(grid.runs.ravel()) == set(range(len(data_seeds)))
    for row in grid.runs.reshape(-1, grid.runs.shape[-1]):
        assert len({data_seeds[run] for run in row}) == 1
    assert list(grid.runs.ravel()[grid.indices]) == list(range(len(data_seeds)))


@given(seeds, costs, runs_per_call)
def test_chunks_divide_evenly_among_the_devices(data_seeds, cost, runs_per_call):
    grid = layout.arrange(data_seeds, cost, runs_per_call)
    chunks, rows, runs = grid.runs.shape
    assert len(set(grid.devices())) == grid.number == min(2, len(data_seeds))
    of_each = collections.Counter(grid.device(chunk) for chunk in range(chunks))
    assert max(of_each.values()) == -(-chunks // len(grid.devices()))
    if runs_per_call is not None:
        assert rows * runs <= runs_per_call


@given(seeds)
def test_no_device_trains_more_large_runs_than_with_a_run_a_row(data_seeds):
    grid = layout.arrange(data_seeds, LARGE)
    assert -(-grid.runs.size // grid.number) <= -(-len(data_seeds) // grid.number)
    assert grid.runs.shape[1:] == (1, 1)


@given(seeds, costs, runs_per_call)
@example([0, 0, 0], LARGE, None)  # rows of two, of which one holds the same run twice
def test_no_chunk_could_be_left_out(data_seeds, cost, runs_per_call):
    grid = layout.arrange(data_seeds, cost, runs_per_call)
    for chunk in range(len(grid.runs)):
        assert set(np.delete(grid.runs, chunk, axis=0).ravel()) != set(range(len(data_seeds)))


@pytest.mark.parametrize(
    ("data_seeds", "cost", "taken"),
    [
        (range(20), SMALL, (10, 1)),  # all of a device
        (range(200), SMALL, (34, 1)),  # 100 a device, in three equal chunks of at most 40
        ([0] * 200, SMALL, (1, 34)),
        ([*range(10)] * 8, SMALL, (5, 8)),  # rows of 8 runs
        (range(20), SMALL._replace(flops=10**8), (1, 1)),  # an order each: nothing is shared
        ([0] * 20, SMALL._replace(flops=10**8), (1, 10)),  # a minibatch for all
    ],
)
def test_small_networks_are_taken_as_many_at_a_time_as_the_cache_holds(data_seeds, cost, taken):
    assert layout.arrange(list(data_seeds), cost).runs.shape[1:] == taken


@pytest.mark.parametrize(
    ("runs_of_each_seed", "shape"),
    [
        ([4, 4, 4], (6, 1, 2)),  # 12 runs on two devices: six each, in rows of 2
        ([4, 4, 4, 4], (4, 1, 4)),  # the widest rows that do it
        ([1] * 31 + [33], (64, 1, 1)),  # one long order isn't filled up to by the others
        ([32], (2, 1, 16)),
    ],
)
def test_an_order_takes_as_many_rows_as_the_devices_need(runs_of_each_seed, shape):
    seeds = [seed for seed, runs in enumerate(runs_of_each_seed) for _ in range(runs)]
    one_order_only = SMALL._replace(flops=10**8, working_set=1)  # rows of any width, one at a time
    assert layout.arrange(seeds, one_order_only).runs.shape == shape


@given(seeds, runs_per_call)
def test_what_is_put_on_the_grid_comes_back_in_order(data_seeds, runs_per_call):
    grid = layout.arrange(data_seeds, LARGE, runs_per_call)
    tree = {"a": np.arange(len(data_seeds)), "b": np.arange(3.0 * len(data_seeds)).reshape(-1, 3)}
    placed = layout.put_runs(grid, tree)
    assert [chunk["a"].device for chunk in placed] == [grid.device(chunk) for chunk in range(len(grid.runs))]
    for name, back in layout.get_runs(grid, placed).items():
        np.testing.assert_array_equal(back, tree[name])


def test_cores_share_one_copy_of_the_data():
    grid = layout.arrange(range(6), LARGE)
    x = np.random.default_rng(0).integers(0, 256, (1000, 64), np.uint8)
    copies = layout.put_data(grid, {"x": x})
    assert [copy["x"].device for copy in copies] == [grid.device(chunk) for chunk in range(6)]
    assert len({copy["x"].unsafe_buffer_pointer() for copy in copies}) == 1
    np.testing.assert_array_equal(copies[1]["x"], x)


@pytest.mark.parametrize(("runs", "cost", "threads"), [(1, LARGE, 2), (2, LARGE, 1), (1, SMALL, 1), (9, LARGE, 1)])
def test_a_large_step_has_the_threads_that_are_free(runs, cost, threads, monkeypatch):
    asked = []

    def take(number, threads):
        asked.append((number, threads))
        return tuple(jax.local_devices()[:number])

    monkeypatch.setattr(layout.devices, "take", take)
    grid = layout.arrange(range(runs), cost)
    assert asked == [], "a plan makes no devices"
    grid.devices()
    assert asked == [(min(2, runs), threads)]


def test_programs_of_a_few_structures_stay_loaded():
    """All of them would take more memory maps than a process may have, as sweeps over forty widths found out."""
    structures = [Structure.of(Config(hidden=(width,)), 10, 64) for width in range(1, programs.KEPT + 2)]
    first = weakref.ref(programs.epoch_program(structures[0], 64))
    for structure in structures[1:-1]:
        programs.epoch_program(structure, 64)
    assert first() is programs.epoch_program(structures[0], 64)
    for structure in structures[1:]:
        programs.epoch_program(structure, 64)
    assert first() is None
