import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax import placement

seeds = st.lists(st.integers(0, 6), min_size=1, max_size=30)


def test_a_cpu_has_the_devices_that_jax_was_given():
    assert placement.devices() == tuple(jax.local_devices())
    assert len(placement.devices()) == 2  # tests/conftest.py asks for them


@given(seeds)
def test_every_run_stands_on_the_grid_in_a_row_of_its_own_data_seed(data_seeds):
    grid = placement.arrange(data_seeds)
    assert set(grid.runs.ravel()) == set(range(len(data_seeds)))
    for row in grid.runs:
        assert len({data_seeds[run] for run in row}) == 1
    assert list(grid.runs.ravel()[grid.places]) == list(range(len(data_seeds)))


@given(seeds)
def test_rows_divide_evenly_among_the_devices_and_none_is_left_without_work(data_seeds):
    grid = placement.arrange(data_seeds)
    assert grid.runs.shape[0] % len(grid.layout.devices) == 0
    assert len(grid.layout.devices) == min(2, len(data_seeds))


@given(seeds)
def test_no_device_trains_more_runs_than_with_a_run_a_row(data_seeds):
    grid = placement.arrange(data_seeds)
    assert grid.runs.size // len(grid.layout.devices) <= -(-len(data_seeds) // len(grid.layout.devices))


@pytest.mark.parametrize(
    ("runs_of_each_seed", "shape"),
    [
        ([4, 4, 4], (6, 2)),  # 12 runs on two devices: six a device
        ([4, 4, 4, 4], (4, 4)),  # the widest rows that do it
        ([1] * 31 + [33], (64, 1)),  # one long order isn't filled up to by the others
        ([32], (2, 16)),
    ],
)
def test_an_order_takes_as_many_rows_as_the_devices_need(runs_of_each_seed, shape):
    seeds = [seed for seed, runs in enumerate(runs_of_each_seed) for _ in range(runs)]
    assert placement.arrange(seeds).runs.shape == shape


@given(seeds)
def test_what_is_put_on_the_grid_comes_back_in_order(data_seeds):
    grid = placement.arrange(data_seeds)
    tree = {"a": np.arange(len(data_seeds)), "b": np.arange(3.0 * len(data_seeds)).reshape(-1, 3)}
    placed = placement.put_runs(grid, tree)
    assert placed["a"].sharding.is_equivalent_to(
        jax.NamedSharding(grid.layout.mesh, placement.ROWS), placed["a"].ndim
    )
    for name, back in placement.get_runs(grid, placed).items():
        np.testing.assert_array_equal(back, tree[name])
