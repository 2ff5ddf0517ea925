"""The order of an epoch: a permutation in rows, the last one filled up."""

import itertools

import jax
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.data import epoch_order, num_batches
from nnjax.data.order import permutation


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), examples=st.integers(1, 60), batch_size=st.integers(1, 60))
def test_an_epoch_visits_every_example_once(seed: int, examples: int, batch_size: int) -> None:
    order = np.asarray(epoch_order(jax.random.key(seed), examples, batch_size))
    flat = order.ravel()
    assert order.shape == (-(-examples // batch_size), batch_size)
    assert sorted(flat[:examples]) == list(range(examples))
    assert (flat[examples:] == examples).all()
    assert (order[:-1] < examples).all()


def test_the_key_decides_the_order() -> None:
    first, again, other = (np.asarray(epoch_order(jax.random.key(seed), 1000, 64)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    # Shuffled: a sorted order, or a rotated one, would have neighbours in it.
    assert (np.diff(first.ravel()[:1000]) == 1).mean() < 0.05


def test_the_last_partial_batch_counts() -> None:
    assert [num_batches(examples, 64) for examples in (1, 63, 64, 65, 48_000)] == [1, 1, 1, 2, 750]


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 300))
def test_a_permutation_holds_each_number_once(seed: int, size: int) -> None:
    found = np.asarray(permutation(jax.random.key(seed), size))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(np.sort(found), np.arange(size))


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**16 + 1, 3 * 2**17])
def test_a_permutation_may_need_more_than_a_word(size: int) -> None:
    found = np.asarray(permutation(jax.random.key(1), size))
    np.testing.assert_array_equal(np.sort(found), np.arange(size))
    # In a random order (N − 1) / 2 neighbours rise, with variance (N + 1) / 12; numbers that tie all do.
    assert abs((np.diff(found) > 0).sum() - (size - 1) / 2) < 4 * np.sqrt((size + 1) / 12)
    # Spearman's correlation with the order that numbers start in is normal, with deviation 1/√(N − 1).
    assert abs(scipy.stats.spearmanr(found, np.arange(size)).statistic) * np.sqrt(size - 1) < 4


def test_all_permutations_are_as_frequent() -> None:
    keys = jax.random.split(jax.random.key(5), 24_000)
    found = np.asarray(jax.jit(jax.vmap(lambda key: permutation(key, 4)))(keys))
    counts = [int((found == order).all(1).sum()) for order in itertools.permutations(range(4))]
    assert sum(counts) == len(keys)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
