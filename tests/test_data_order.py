"""The order of an epoch: a permutation in rows, the last one filled up."""

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nnjax.data import epoch_order, num_batches


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
