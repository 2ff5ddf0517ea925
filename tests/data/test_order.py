"""The order of an epoch: a permutation in rows, the last one filled up."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.data import epoch_order, num_batches
from nnjax.data.order import permuted


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


def test_without_a_shuffle_examples_come_as_they_stand() -> None:
    order = np.asarray(epoch_order(jax.random.key(0), 5, 2, shuffle=False))
    np.testing.assert_array_equal(order, [[0, 1], [2, 3], [4, 5]])


def test_no_examples_have_no_order() -> None:
    assert epoch_order(jax.random.key(0), 0, 4).shape == (0, 4)


def test_the_last_partial_batch_counts() -> None:
    assert [num_batches(examples, 64) for examples in (1, 63, 64, 65, 48_000)] == [1, 1, 1, 2, 750]


def permutations(keys: jax.Array, size: int) -> np.ndarray:
    """The permutation of 0 … N−1 of each key."""
    places = jnp.arange(size, dtype=jnp.uint32)
    return np.asarray(jax.jit(jax.vmap(lambda key: permuted(key, size, places)))(keys))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 300))
def test_a_permutation_holds_each_number_once(seed: int, size: int) -> None:
    found = permuted(jax.random.key(seed), size, jnp.arange(size, dtype=jnp.uint32))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(np.sort(found), np.arange(size))


@pytest.mark.parametrize("size", [997, 2**16 - 1, 2**16, 2**16 + 1, 3 * 2**17])
def test_a_large_permutation_looks_random(size: int) -> None:
    (found,) = permutations(jax.random.key(1)[None], size)
    np.testing.assert_array_equal(np.sort(found), np.arange(size))
    # In a random order (N − 1) / 2 neighbours rise, with variance (N + 1) / 12.
    assert abs((np.diff(found) > 0).sum() - (size - 1) / 2) < 4 * np.sqrt((size + 1) / 12)
    # Spearman's correlation with the order that numbers start in is normal, with deviation 1/√(N − 1).
    assert abs(scipy.stats.spearmanr(found, np.arange(size)).statistic) * np.sqrt(size - 1) < 4


@pytest.mark.parametrize("size", [3, 4, 5, 6])
def test_all_permutations_are_nearly_as_frequent(size: int) -> None:
    found = permutations(jax.random.split(jax.random.key(5), 100_000), size)
    frequency = np.array([(found == order).all(1).mean() for order in itertools.permutations(range(size))])
    assert frequency.sum() == pytest.approx(1)
    # Of 100,000 draws of a uniform one, half the sum is 0.034 on average for 720 permutations, and less for fewer.
    assert np.abs(frequency - 1 / math.factorial(size)).sum() / 2 < 0.05


def test_places_and_pairs_of_places_are_uniform() -> None:
    size = 12
    found = permutations(jax.random.split(jax.random.key(7), 200_000), size)
    counts = np.stack([np.bincount(column, minlength=size) for column in found.T])
    excess = (counts - len(found) / size) ** 2 / (len(found) / size)
    assert scipy.stats.chi2.sf(excess.sum(), (size - 1) ** 2) > 1e-3
    for one, other in [(0, 1), (0, 4), (3, 11)]:  # neighbours, of one column of the grid, and neither
        pairs = np.bincount(size * found[:, one] + found[:, other], minlength=size**2).reshape(size, size)
        assert scipy.stats.chisquare(pairs[~np.eye(size, dtype=bool)]).pvalue > 1e-3


def test_two_epochs_have_no_more_neighbours_in_common_than_by_chance() -> None:
    """Pairs of examples that are in one batch in both epochs: as many as in independent orders."""
    size, batch, draws = 1150, 32, 300
    one, other = (permutations(jax.random.split(jax.random.key(seed), draws), size) for seed in (1, 2))
    batch_of = np.argsort(np.stack([one, other]), axis=2) // batch  # [2, draws, N]
    sizes = np.bincount(np.arange(size) // batch)
    chance = (sizes * (sizes - 1) / 2).sum() ** 2 / (size * (size - 1) / 2)
    together = []
    for first, second in zip(*batch_of, strict=True):
        table = np.bincount(first * len(sizes) + second)
        together.append((table * (table - 1) // 2).sum())
    error = np.std(together) / np.sqrt(draws)
    assert abs(np.mean(together) - chance) < 4 * error
