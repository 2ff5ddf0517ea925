import jax
import numpy as np
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
def test_the_split_axis_divides_evenly_and_no_device_is_left_without_work(data_seeds):
    grid = placement.arrange(data_seeds)
    split = grid.runs.shape[0 if grid.layout.split_orders else 1]
    assert split % len(grid.layout.devices) == 0
    assert len(grid.layout.devices) == 1 or split >= 2


def test_the_axis_with_fewer_rounds_is_split():
    # Three seeds on two devices: two rounds of 4 settings when the seeds are split, three of 2 otherwise.
    settings, three = 4, [0, 1, 2]
    grid = placement.arrange([seed for seed in three for _ in range(settings)])
    assert not grid.layout.split_orders
    assert grid.runs.shape == (3, 4)
    # One setting can't be split.
    assert placement.arrange([0, 1, 2, 3]).layout.split_orders


@given(seeds)
def test_what_is_put_on_the_grid_comes_back_in_order(data_seeds):
    grid = placement.arrange(data_seeds)
    tree = {"a": np.arange(len(data_seeds)), "b": np.arange(3.0 * len(data_seeds)).reshape(-1, 3)}
    placed = placement.put_runs(grid, tree)
    assert placed["a"].sharding.is_equivalent_to(
        jax.NamedSharding(grid.layout.mesh, grid.layout.grid_spec), placed["a"].ndim
    )
    for name, back in placement.get_runs(grid, placed).items():
        np.testing.assert_array_equal(back, tree[name])
