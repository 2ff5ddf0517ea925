import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnjax import placement
from nnjax.cost import StepCost

seeds = st.lists(st.integers(0, 6), min_size=1, max_size=30)
costs = st.builds(
    lambda flops, working_set: StepCost(flops, 0, working_set, 0),
    st.sampled_from([10**5, 10**8]),
    st.sampled_from([10**5, 10**6, 10**7]),
)
together = st.none() | st.integers(1, 40)
LARGE = StepCost(flops=10**9, traffic=0, working_set=10**8, state=0)  # no two at a time
SMALL = StepCost(flops=10**5, traffic=0, working_set=10**5, state=0)  # 40 at a time


def test_a_cpu_has_the_devices_that_jax_was_given():
    assert placement.devices() == tuple(jax.local_devices())
    assert len(placement.devices()) == 2  # tests/conftest.py asks for them


@given(seeds, costs, together)
def test_every_run_stands_in_a_row_of_its_own_data_seed(data_seeds, cost, together):
    grid = placement.arrange(data_seeds, cost, together)
    assert set(grid.runs.ravel()) == set(range(len(data_seeds)))
    for row in grid.runs.reshape(-1, grid.runs.shape[-1]):
        assert len({data_seeds[run] for run in row}) == 1
    assert list(grid.runs.ravel()[grid.places]) == list(range(len(data_seeds)))


@given(seeds, costs, together)
def test_lots_divide_evenly_among_the_devices(data_seeds, cost, together):
    grid = placement.arrange(data_seeds, cost, together)
    (_, rows, runs), layout = grid.runs.shape, grid.layout
    assert len(layout.devices) == min(2, len(data_seeds))
    assert (rows, runs) == (len(layout.devices) * layout.rows, layout.runs)
    if together is not None:
        assert layout.rows * layout.runs <= together


@given(seeds)
def test_no_device_trains_more_large_runs_than_with_a_run_a_row(data_seeds):
    grid = placement.arrange(data_seeds, LARGE)
    assert grid.runs.size // len(grid.layout.devices) <= -(-len(data_seeds) // len(grid.layout.devices))
    assert grid.layout.rows == grid.layout.runs == 1


@given(seeds, costs, together)
def test_no_lot_could_be_left_out(data_seeds, cost, together):
    grid = placement.arrange(data_seeds, cost, together)
    for lot in range(len(grid.runs)):
        assert set(np.delete(grid.runs, lot, axis=0).ravel()) != set(range(len(data_seeds)))


@pytest.mark.parametrize(
    ("data_seeds", "cost", "taken"),
    [
        (range(20), SMALL, (10, 1)),  # all of a device
        (range(200), SMALL, (34, 1)),  # 100 a device, in three equal lots of at most 40
        ([0] * 200, SMALL, (1, 34)),
        ([*range(10)] * 8, SMALL, (5, 8)),  # rows of 8 runs
        (range(20), SMALL._replace(flops=10**8), (1, 1)),  # an order each: nothing is shared
        ([0] * 20, SMALL._replace(flops=10**8), (1, 10)),  # a minibatch for all
    ],
)
def test_small_networks_are_taken_as_many_at_a_time_as_the_cache_holds(data_seeds, cost, taken):
    layout = placement.arrange(list(data_seeds), cost).layout
    assert (layout.rows, layout.runs) == taken


@pytest.mark.parametrize(
    ("runs_of_each_seed", "shape"),
    [
        ([4, 4, 4], (3, 2, 2)),  # 12 runs on two devices: six each, in rows of 2
        ([4, 4, 4, 4], (2, 2, 4)),  # the widest rows that do it
        ([1] * 31 + [33], (32, 2, 1)),  # one long order isn't filled up to by the others
        ([32], (1, 2, 16)),
    ],
)
def test_an_order_takes_as_many_rows_as_the_devices_need(runs_of_each_seed, shape):
    seeds = [seed for seed, runs in enumerate(runs_of_each_seed) for _ in range(runs)]
    one_order_only = SMALL._replace(flops=10**8, working_set=1)  # rows of any width, one at a time
    assert placement.arrange(seeds, one_order_only).runs.shape == shape


@given(seeds, together)
def test_what_is_put_on_the_grid_comes_back_in_order(data_seeds, together):
    grid = placement.arrange(data_seeds, LARGE, together)
    tree = {"a": np.arange(len(data_seeds)), "b": np.arange(3.0 * len(data_seeds)).reshape(-1, 3)}
    placed = placement.put_runs(grid, tree)
    for lot in placed:
        sharding = jax.NamedSharding(grid.layout.mesh, placement.ROWS)
        assert lot["a"].sharding.is_equivalent_to(sharding, lot["a"].ndim)
    for name, back in placement.get_runs(grid, placed).items():
        np.testing.assert_array_equal(back, tree[name])
